"""Principal components of a run's scores: fitted on its alleles, and worked out for the alleles of any run like it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32

from enformer_core.dataset.finished import check_finished
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.progress import run_progress
from enformer_core.dataset.run_tracks import ChosenTracks, chosen_tracks, scored_once
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import DatasetError
from enformer_core.summaries.drawn_alleles import DrawnAlleles, draw_alleles, planned_alleles
from enformer_core.summaries.names import PCA
from enformer_core.summaries.pca_file import FittedOn, Pca, conventions_of, scored_as
from enformer_core.summaries.robust_pca import RobustPca, check_components, fit
from enformer_core.summaries.scratch_matrix import ScratchMatrix, check_scratch
from enformer_core.summaries.write import Recipe
from enformer_core.variants.table import Status
from enformer_core.version import __version__
from enformer_core.words import counted

_ARITHMETIC = 1
"""Raised by a release whose components of equal scores are others."""

_USUAL_SAMPLE = 200_000

_TOLD = 10  # times, of a run that takes long to read

Values = Float32[np.ndarray, "alleles tracks"]


@dataclass(frozen=True, kw_only=True)
class PcaSettings:
    """What a PCA is fitted on, and how.

    Attributes:
        components: how many.
        statistic: of the run, a list over tracks.
        tracks: a selector of the run's tracks; None for all.
        sample: how many alleles, drawn by chance; None for all.
        seed: which sample.
    """

    components: int
    statistic: str
    tracks: str | None = None
    sample: int | None = None
    seed: int = 0


def fit_pca(
    ledger: Ledger,
    settings: PcaSettings,
    progress: Callable[[str], object],
) -> Pca:
    """Fit a PCA to the scored alleles of a finished run, each once.

    The scores are read once, and laid on scratch disk: memory holds blocks of them, and what a pair of tracks needs.

    Args:
        ledger: of the run.
        settings: what is fitted.
        progress: told what is done next.

    Raises:
        InputError: for a run of another kind, without the statistic or these tracks, with too few alleles; where
            scratch disk is short.
        IncompleteRunError: for a run that is not finished.
        DatasetError: for a run that is damaged.
    """
    scored_as(ledger, settings.statistic)
    check_finished(ledger, "fit a PCA to it")
    chosen = chosen_tracks(ledger, settings.tracks)
    drawn = None
    if settings.sample is not None:
        drawn = draw_alleles(ledger, settings.sample, settings.seed)
    alleles = planned_alleles(ledger) if drawn is None else drawn.count
    # before hours are spent on reading; of alleles that were planned some may have failed
    check_components(alleles, len(chosen), settings.components)
    _check_scratch(alleles, len(chosen), settings.components)
    progress(f"scores of {alleles:,} alleles")
    with ScratchMatrix(len(chosen), np.float32) as matrix:
        for values in _values(ledger, settings.statistic, chosen, drawn, progress):
            matrix.add(values)
        matrix.finish()
        transform = fit(matrix, settings.components, progress)
        alleles = matrix.rows
    identity = ledger.run.typed_identity
    fitted_on = FittedOn(
        model=identity.model,
        score_version=identity.score_version,
        conventions=conventions_of(ledger),
        statistic=settings.statistic,
        tracks=chosen.tracks.rows,
        alleles=alleles,
        sample=settings.sample,
        seed=settings.seed,
        run=ledger.run.digest,
        made_by=f"enformer-ray {__version__}",
        notice=ledger.run.notice,
    )
    return Pca(fitted_on, transform)


def _check_scratch(alleles: int, tracks: int, components: int) -> None:
    values = alleles * tracks * np.dtype(np.float32).itemsize
    projected = alleles * components * np.dtype(np.float64).itemsize
    check_scratch(values + projected, f"Fit fewer alleles by --sample {_USUAL_SAMPLE}")


def _values(
    ledger: Ledger,
    statistic: str,
    chosen: ChosenTracks,
    drawn: DrawnAlleles | None,
    progress: Callable[[str], object],
) -> Iterator[Values]:
    """The scores of each shard's alleles, in the order of the run."""
    columns = ["variant_id", "status", "flags", statistic]
    shards = ledger.run.plan.shards if drawn is None else len(drawn.of_shard)
    step = max(shards // _TOLD, 1)
    for done, rows in enumerate(_rows(ledger, columns, drawn), start=1):
        if done % step == 0 and done < shards:
            progress(f"{done:,} of {counted(shards, 'shards')} read")
        # rows that failed were planned
        scored = scored_once(rows)
        values = chosen.values(scored[statistic])
        _check_finite(values, scored, statistic, chosen)
        yield values


def _rows(
    ledger: Ledger,
    columns: Sequence[str],
    drawn: DrawnAlleles | None,
) -> Iterator[pa.Table]:
    """The rows of each shard, or those that were drawn of the shards that have some."""
    if drawn is None:
        yield from (rows for _, rows in stored_tables(ledger, "scores", columns=columns))
        return
    shards = sorted(drawn.of_shard)
    stored = stored_tables(ledger, "scores", shards=drawn.of_shard, columns=columns)
    for shard, (_, rows) in zip(shards, stored, strict=True):
        yield rows.filter(pa.array(drawn.of_shard[shard]))


def _check_finite(
    values: Values,
    scored: pa.Table,
    statistic: str,
    chosen: ChosenTracks,
) -> None:
    """Refuse what no sum survives, naming the first of it.

    Raises:
        DatasetError: for a value that is no number.
    """
    is_finite = np.isfinite(values)
    if is_finite.all():
        return
    row, place = np.argwhere(~is_finite)[0].tolist()
    raise DatasetError(
        f"{scored['variant_id'][row]}: its {statistic} is {values[row, place]} in track "
        f"{chosen.tracks.rows[place].index}, and no PCA can be fitted to that. Leave the track out by --tracks, or "
        "score the allele again."
    )


@dataclass(frozen=True)
class Components:
    """Makes the components of a shard's alleles: null where a row has no scores, or one that is no finite number.

    Attributes:
        transform: what was fitted.
        chosen: where the tracks of the fit stand in the run's lists.
        statistic: whose lists.
    """

    transform: RobustPca
    chosen: ChosenTracks
    statistic: str

    @property
    def columns(self) -> list[str]:
        """Columns of `scores` that it is given."""
        return ["variant_id", "status", self.statistic]

    def __call__(self, scores: pa.Table) -> pa.Table:
        """Columns `pc1`, `pc2` and so on, a row for each row of `scores`."""
        is_ok = pc.equal(scores["status"], Status.OK)
        scored = scores.filter(is_ok)
        values = self.chosen.values(scored[self.statistic])
        # of rows 0 to 3 the rows 0, 2, 3 are ok, and of these the second is no number: 0 and 3 have components
        is_finite = np.isfinite(values).all(axis=1)
        has_values = np.array(is_ok, dtype=bool)
        has_values[has_values] = is_finite
        components = self.transform.transform(values[is_finite]).astype(np.float32)
        filled = np.zeros((scores.num_rows, components.shape[1]), dtype=np.float32)
        filled[has_values] = components
        return pa.table(
            {
                component_name(number): pa.array(column, mask=~has_values)
                for number, column in enumerate(filled.T, start=1)
            }
        )


def without_components(ledger: Ledger, name: str) -> int:
    """How many scored rows of a run have no components in a table of them, since a score is no finite number.

    Raises:
        DatasetError: for a table that is missing or damaged.
    """
    # by the receipts: the scores themselves are far larger than the table
    scored = run_progress(ledger).by_status.get(Status.OK, 0)
    first = component_name(1)
    beside = stored_tables(ledger, name, columns=[first])
    with_components = sum(rows.num_rows - rows[first].null_count for _, rows in beside)
    return scored - with_components


def component_name(number: int) -> str:
    """The column of a component, counted from 1."""
    return f"pc{number}"


def components_by(pca: Pca, chosen: ChosenTracks) -> Recipe:
    """The table of a run's components.

    Args:
        pca: what was fitted.
        chosen: where the tracks of the fit stand in the run's lists.
    """
    statistic = pca.fitted_on.statistic
    made = Components(pca.transform, chosen, statistic)
    identity = {
        "arithmetic": _ARITHMETIC,
        "components": pca.components,
        "fitted_on_run": pca.fitted_on.run,
        "pca_sha256": pca.digest,
        "statistic": statistic,
    }
    return Recipe(PCA, identity, made, made.columns)
