"""`enformer-ray pca`: principal components of scores, fitted on one run and worked out beside any like it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from enformer_core.export.whole_file import replaces, whole_file
from enformer_core.shell_words import command_line
from enformer_core.summaries.names import PCA
from enformer_core.user_path import one_line
from enformer_core.words import agreeing, counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note, tell
from jobs.option_types import Directory, File, Selection, WrittenFile
from jobs.output_guard import check_folder, check_kind, check_output
from jobs.summary_written import TableSettings, tell_written, write_beside

if TYPE_CHECKING:
    from enformer_core.summaries.pca_file import Pca

_SHOWN_COMPONENTS = 5

_Name = Annotated[str, Parameter(metavar="NAME")]


@dataclass(frozen=True)
class FitPcaSettings:
    """What `enformer-ray pca fit` is asked for."""

    run: Directory
    """directory or s3://bucket/prefix of a finished run of `score`"""

    out: WrittenFile = field(kw_only=True)
    """file of the fitted transform, which `pca apply` reads; plain arrays, safetensors"""

    components: int = field(default=20, kw_only=True)
    """how many, the strongest first"""

    statistic: _Name = field(default="sad", kw_only=True)
    """which of the run's statistics"""

    tracks: Selection = field(default=None, kw_only=True)
    """which of the run's tracks, written as for `score`; all by default"""

    sample: int | None = field(default=None, kw_only=True)
    """fit only so many of the run's alleles, drawn by chance that --seed decides; all by default"""

    seed: int = field(default=0, kw_only=True)
    """which sample --sample draws; the same number draws the same alleles"""


@dataclass(frozen=True)
class ApplyPcaSettings(TableSettings):
    """What `enformer-ray pca apply` is asked for."""

    pca: File = field(kw_only=True)
    """file that `pca fit` wrote, or s3://bucket/key, of a run of the same model, tracks, conventions and statistic"""

    name: _Name = field(default=PCA, kw_only=True)
    """what the table is called: a run may have components of several PCAs"""


def fit(settings: FitPcaSettings) -> int:
    """Fit a PCA to the scored alleles of a run, each once, and write it to a file.

    Returns:
        The exit code: done, or incomplete where the run is not finished yet.

    Raises:
        InputError: where the run cannot be fitted, or the file not be written.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.dataset.finished import IncompleteRunError
    from enformer_core.summaries.pca import PcaSettings, fit_pca

    out = Path(settings.out)
    ledger = open_ledger(settings.run)
    # hours may pass before it is written
    check_output(out, ledger)
    check_kind(out, '\\"kind\\":\\"pca\\"', "a PCA")
    check_folder(out)
    asked = PcaSettings(
        components=settings.components,
        statistic=settings.statistic,
        tracks=settings.tracks,
        sample=settings.sample,
        seed=settings.seed,
    )
    try:
        pca = fit_pca(ledger, asked, _step)
    except IncompleteRunError as error:
        note(f"{error}")
        return exit_codes.INCOMPLETE
    instead = " (replaced the file that was there)" if replaces(out) else ""
    with whole_file(out) as file:
        file.write(pca.encoded())
    for line in _lines(pca):
        print(line)
    print(f"output: {one_line(settings.out)}{instead}")
    print(f"apply it: {_apply(settings)}")
    return exit_codes.DONE


def _step(text: str) -> None:
    tell("step", text, prefix="pca")


def _apply(settings: FitPcaSettings) -> str:
    return command_line(["enformer-ray", "pca", "apply", settings.run, "--pca", settings.out])


def _lines(pca: "Pca") -> list[str]:
    """What was fitted, and how much of the variance it has."""
    from enformer_core.summaries.robust_pca import LEAST_SCALE

    about = pca.fitted_on
    transform = pca.transform
    tracks = counted(len(about.tracks), "tracks")
    alleles = counted(about.alleles, "alleles")
    shares = transform.explained_variance / transform.total_variance
    first = ", ".join(f"{share:.1%}" for share in shares[:_SHOWN_COMPONENTS])
    more = ", …" if pca.components > _SHOWN_COMPONENTS else ""
    lines = [
        f"{counted(pca.components, 'components')} of {about.statistic} over {tracks}, fitted on {alleles}",
        f"variance: {first}{more}; all together {shares.sum():.1%}",
    ]
    unscaled = int((transform.scale == 1).sum())
    if unscaled:
        lines.append(
            f"not scaled: {unscaled} of {tracks}, in which half of the alleles or more have the same {about.statistic} "
            f"(within {LEAST_SCALE:.1g})"
        )
    return lines


def apply(settings: ApplyPcaSettings) -> int:
    """Put the components of a run's alleles beside its scores; the same command again continues, or finds them there.

    Returns:
        The exit code: done, or incomplete where the run is not finished yet.

    Raises:
        InputError: for a file that is no PCA or is one of other scores, and where another table of the name is there.
        DatasetError: for a run that is damaged.
    """
    from enformer_core.summaries.pca import components_by, without_components
    from enformer_core.summaries.pca_file import read_pca, tracks_for

    pca = read_pca(settings.pca)
    if pca.fitted_on.notice:
        note(pca.fitted_on.notice)
    ledger = open_ledger(settings.run)
    chosen = tracks_for(ledger, pca, settings.pca)
    recipe = components_by(pca, chosen)
    receipt = write_beside(settings, settings.name, ledger, recipe)
    if receipt is None:
        return exit_codes.INCOMPLETE
    without = without_components(ledger, settings.name)
    if without:
        have = agreeing(without, "has", "have")
        note(
            f"{settings.name}: {counted(without, 'rows')} {have} no components, with values of "
            f"{pca.fitted_on.statistic} that are NaN or infinite in tracks of the fit"
        )
    tell_written(settings.run, receipt, f"FROM {settings.name} LIMIT 10")
    return exit_codes.DONE
