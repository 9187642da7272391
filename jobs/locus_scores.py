"""A run's scores in a stretch: of each variant the largest among some tracks. Does not know how they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pyarrow as pa

from enformer_core.api.run_tables import RunTables, open_run
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import ChosenTracks, check_scores, chosen_tracks, track_name
from enformer_core.errors import InputError, first_few, nearest
from enformer_core.genome.contig_names import one_name_each
from enformer_core.models.tracks.table import Track
from enformer_core.pictures.stack import Stretch
from enformer_core.variants.table import Flag, Status
from enformer_core.words import counted
from jobs.run_of_kind import notes_of_state, reading
from jobs.selection_hint import selection_hint

MOST_ROWS = 8
"""Of scores in one picture."""


@dataclass(frozen=True)
class LocusScores:
    """Scores of a run in a stretch.

    Attributes:
        statistic: whose values they are.
        groups: by name `name`, `pos`, `score`, `track`: a row for each variant.
        notes: what is left out.
        hints: what a selection of tracks came to.
        notice: what a demonstration says.
        tracks: by the same names the tracks of each, also of those that have no score here.
        contigs: what the run calls the contig; none where it has no alleles on it.
        covered: where the run has alleles, in words; only where it has none here.
    """

    statistic: str
    groups: dict[str, pl.DataFrame]
    notes: Sequence[str]
    hints: Sequence[str]
    notice: str | None
    tracks: dict[str, ChosenTracks]
    contigs: Sequence[str]
    covered: str = ""


def read_scores(
    run: str,
    stretch: Stretch,
    statistic: str | None,
    tracks: str | None,
    named_groups: Sequence[str],
) -> LocusScores:
    """Read the scores of the alleles in a stretch, each allele once.

    Raises:
        InputError: for a run without scores, a statistic or tracks that it does not have, and more than `MOST_ROWS`.
    """
    tables = open_run(run)
    chosen = read_statistic(tables.ledger, statistic, run)
    rows_of = _chosen(tables.ledger, tracks, named_groups)
    contigs = dict.fromkeys(receipt.chrom for receipt in tables.receipts if receipt.chrom)
    own = one_name_each([stretch.chrom, *contigs])
    here = [contig for contig in contigs if own[contig] == stretch.chrom]
    is_here = pl.col("chrom").is_in(here) & pl.col("pos").is_between(stretch.first, stretch.last)
    rows = tables.scores.filter(is_here)
    elsewhere = f"; it has some on {first_few(list(contigs))}" if contigs else ""
    columns = ("variant_id", "id", "pos", "status", "flags", chosen)
    with reading(tables, "scores"):
        found = rows.select(columns).sort("pos", maintain_order=True).collect()
    scored = found.filter(pl.col("status") == Status.OK.value)
    once = scored.filter(~pl.col("flags").list.contains(Flag.DUPLICATE.value).fill_null(False))
    unscored = found.height - scored.height
    notes = []
    if not here:
        notes.append(f"{run}: has no alleles on {stretch.chrom}{elsewhere}; that row is left out")
    if unscored:
        notes.append(f"{run}: {counted(unscored, 'alleles')} of the locus left out, without scores")
    notes += notes_of_state(tables.ledger, run)
    by_row = {}
    if once.height:
        by_row = {name: _largest(once, chosen, of) for name, of in rows_of.items()}
    groups = {name: row for name, row in by_row.items() if row.height}
    return LocusScores(
        statistic=chosen,
        groups=groups,
        notes=notes,
        hints=_hints(tracks, rows_of, named_groups),
        notice=tables.run.notice,
        tracks=rows_of,
        contigs=here,
        covered="" if found.height else _covered(tables),
    )


def _covered(tables: RunTables) -> str:
    """Where a run has alleles."""
    places = tables.scores.filter(pl.col("chrom").is_not_null()).group_by("chrom")
    with reading(tables, "scores"):
        ends = places.agg(pl.col("pos").min().alias("first"), pl.col("pos").max().alias("last"))
        spans = ends.sort("chrom").collect().iter_rows()
    named = [f"{chrom}:{first}-{last}" for chrom, first, last in spans]
    return f"it has some within {first_few(named)}" if named else "it has none at all"


def read_statistic(
    ledger: Ledger,
    wanted: str | None,
    run: str,
) -> str:
    """The statistic that is wanted, or the run's first.

    Raises:
        InputError: for one that the run does not have.
    """
    known = check_scores(ledger)
    chosen = wanted or known[0]
    if chosen not in known:
        raise InputError(
            f"--statistic {chosen}: {run} has no such statistic{nearest(chosen, known)}"
        )
    return chosen


def _chosen(
    ledger: Ledger,
    tracks: str | None,
    groups: Sequence[str],
) -> dict[str, ChosenTracks]:
    """The tracks of each row, by its name."""
    if tracks is None and not groups:
        return {"all tracks": chosen_tracks(ledger, None)}
    rows = _one_each(chosen_tracks(ledger, tracks)) if tracks is not None else {}
    for text in groups:
        name, equals, selector = text.partition("=")
        name = name.strip()
        if not (name and equals and selector.strip()):
            raise InputError(
                f"--group {text}: give a name and its tracks, such as K562=4828,5111 or DNase=assay=DNASE"
            )
        if name in rows:
            raise InputError(f"--group {name}: given twice. Give each group a name of its own.")
        rows[name] = _of_group(ledger, name, selector)
    if len(rows) > MOST_ROWS:
        raise InputError(
            f"{len(rows):,} rows of scores: a picture has room for {MOST_ROWS}. Choose fewer --tracks, or put them "
            "together by --group NAME=TRACKS"
        )
    return rows


def _hints(
    tracks: str | None,
    rows: dict[str, ChosenTracks],
    groups: Sequence[str],
) -> list[str]:
    """Which tracks selectors found, where they are more than one would think."""
    named = {text.partition("=")[0].strip(): text.partition("=")[2] for text in groups}
    hints: list[str] = []
    if tracks is not None:
        own = [row for name, row in rows.items() if name not in named]
        every = tuple(track for row in own for track in row.tracks.rows)
        hints += selection_hint(replace(own[0].tracks, rows=every), tracks)
    for name, selector in named.items():
        hints += selection_hint(rows[name].tracks, selector, f"--group {name}=")
    return hints


def _one_each(chosen: ChosenTracks) -> dict[str, ChosenTracks]:
    rows = {}
    for track in chosen.tracks.rows:
        name = called(track)
        # several tracks may share a description
        name = f"{name} (track {track.index})" if name in rows else name
        rows[name] = chosen.of_indices([track.index])
    return rows


def _of_group(
    ledger: Ledger,
    name: str,
    selector: str,
) -> ChosenTracks:
    try:
        return chosen_tracks(ledger, selector)
    except InputError as error:
        # the selector speaks as of its own option
        raise InputError(f"{error}".replace("--tracks", f"--group {name}:", 1)) from error


def called(track: Track) -> str:
    """What people call a track; by its number where nothing else is known."""
    return track_name(track) or f"track {track.index}"


def _largest(
    alleles: pl.DataFrame,
    statistic: str,
    tracks: ChosenTracks,
) -> pl.DataFrame:
    """Of each allele the value of the largest size among tracks, with its sign, and whose it is; 0 is no track's."""
    lists = pa.chunked_array([alleles[statistic].to_arrow()])
    values = tracks.values(lists)
    sizes = np.where(np.isnan(values), -1, np.abs(values))
    strongest = sizes.argmax(axis=1)
    names = [called(track) for track in tracks.tracks.rows]
    rows = pl.DataFrame(
        {
            "name": alleles.select(pl.coalesce("id", "variant_id")).to_series(),
            "pos": alleles["pos"],
            "score": values[np.arange(len(values)), strongest],
            "track": [names[place] for place in strongest.tolist()],
        }
    ).with_columns(pl.when(pl.col("score") != 0).then("track"))
    # an allele whose values are all NaN has none
    return rows.filter(pl.col("score").is_not_nan())
