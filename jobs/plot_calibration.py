"""`enformer-ray plot calibration`: a null distribution, and where a run's scores stand in it."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from enformer_core.api.run_tables import RunTables, open_run
from enformer_core.dataset.run_tracks import check_scores, chosen_tracks
from enformer_core.errors import InputError, nearest
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.pictures.calibration import (
    MOST_TRACKS,
    calibration_picture,
    expected_ranks,
    tail_of,
)
from enformer_core.scoring.statistics import is_signed
from enformer_core.summaries.null_file import NullFile
from enformer_core.summaries.ranks import NullTrack, RankTable
from enformer_core.variants.table import Flag, Status
from jobs import exit_codes
from jobs.locus_scores import called
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_settings import CalibrationSettings
from jobs.run_of_kind import notes_of_state, reading

_NOTHING = "nothing to draw: give NULL, made by `enformer-ray calibrate`, or --run"


def plot_calibration(settings: CalibrationSettings) -> int:
    """Draw a null, a run's scores against it, or the percentiles of a run.

    Returns:
        The exit code.

    Raises:
        InputError: for a null and a run that do not fit each other, and tracks that are not there.
        DatasetError: for files that are damaged.
    """
    check_picture_name(settings.out)
    run = None if settings.run is None else open_run(settings.run)
    null = None if settings.null is None else NullFile.open(settings.null)
    statistic = _statistic(settings.statistic, null, run)
    tracks, notes = _choose(null, run, statistic, settings.tracks)
    if run is not None:
        notes += notes_of_state(run.ledger, run.location)
    tails: pl.DataFrame | None = None
    ranks: pl.DataFrame | None = None
    if null is None:
        assert run is not None
        ranks = _of_table(run, statistic, tracks, settings.percentiles)
        title = f"Percentiles of {statistic} in {settings.run}"
    else:
        if run is not None:
            null.check_fits(run.run, [statistic])
        of_null = _of_null(null, statistic, tracks)
        tails = _tails(of_null, null.of.statistics[statistic].alleles)
        silent = [name for name in of_null if name not in set(tails["track"].to_list())]
        notes += [f"{name}: all scores of the null are 0; its line is left out" for name in silent]
        ranks = None if run is None else _ranked(run, null, statistic, tracks)
        title = f"Null of {statistic}, {settings.null}"
        if run is not None:
            title = f"{statistic} of {settings.run} against the null {settings.null}"
    if ranks is not None and not ranks.height:
        notes.append(f"{settings.run}: has no scores; that half is left out")
        ranks = None
    if tails is not None and not tails.height:
        tails = None
    if tails is None and ranks is None:
        raise InputError("; ".join(["nothing to draw", *notes]))
    picture = calibration_picture(
        statistic=statistic,
        title=title,
        tails=tails,
        ranks=ranks,
        notes=notes,
    )
    save_picture(picture, settings.out)
    return exit_codes.DONE


def _statistic(
    wanted: str | None,
    null: NullFile | None,
    run: RunTables | None,
) -> str:
    if null is not None:
        known = list(null.of.statistics)
        of = null.name
    elif run is not None:
        known = list(check_scores(run.ledger))
        of = run.location
    else:
        raise InputError(_NOTHING)
    if wanted is not None and wanted not in known:
        raise InputError(
            f"--statistic {wanted}: {of} has no such statistic{nearest(wanted, known)}"
        )
    return wanted or known[0]


def _choose(
    null: NullFile | None,
    run: RunTables | None,
    statistic: str,
    selector: str | None,
) -> tuple[dict[str, Track], list[str]]:
    """The tracks that are drawn, by names that are all different."""
    if run is not None:
        found = chosen_tracks(run.ledger, selector).tracks
    else:
        assert null is not None
        # a null has no names of tracks
        rows = tuple(Track(index=index) for index in null.track_indices(statistic))
        found, _ = select_tracks(Tracks("of the null", rows[-1].index + 1, rows), selector)
    notes = []
    chosen = found.rows
    if len(chosen) > MOST_TRACKS:
        if selector is not None:
            raise InputError(
                f"--tracks {selector}: names {len(chosen):,} tracks, and a picture has room for {MOST_TRACKS}"
            )
        notes.append(
            f"the first {MOST_TRACKS} of {len(chosen):,} tracks are drawn; --tracks chooses others"
        )
    named: dict[str, Track] = {}
    for track in chosen[:MOST_TRACKS]:
        name = called(track)
        named[f"{name} (track {track.index})" if name in named else name] = track
    return named, notes


def _of_null(
    null: NullFile,
    statistic: str,
    tracks: Mapping[str, Track],
) -> dict[str, NullTrack]:
    places = {index: place for place, index in enumerate(null.track_indices(statistic))}
    every = null.tracks(statistic)
    return {name: every[places[track.index]] for name, track in tracks.items()}


def _tails(of_null: Mapping[str, NullTrack], alleles: int) -> pl.DataFrame:
    """Shares of the null that are as large, of sizes above 0; and where it ends on either side."""
    parts = []
    for name, track in of_null.items():
        sizes = np.abs(track.bins.edges).astype(np.float64)
        is_some = sizes > 0
        if not is_some.any():
            continue
        size, share = tail_of(sizes[is_some], track.bins.counts[is_some], alleles)
        parts.append(_part(name, size, share, None))
        for end, value in (("upwards", track.high[-1]), ("downwards", -track.low[0])):
            if value > 0:
                # a bin's values are as large as its edge or larger: the largest has its own
                larger = track.bins.counts[sizes >= _bin_of(sizes, float(value))].sum()
                ends = _part(name, np.array([float(value)]), np.array([larger / alleles]), end)
                parts.append(ends)
    return pl.concat(parts) if parts else _part("", np.empty(0), np.empty(0), None)


def _bin_of(sizes: np.ndarray, value: float) -> float:
    """The edge of the bin in which a size lies."""
    return float(sizes[sizes <= value].max())


def _part(
    track: str,
    size: np.ndarray,
    share: np.ndarray,
    end: str | None,
) -> pl.DataFrame:
    columns = {"track": [track] * len(size), "size": size, "share": share, "end": [end] * len(size)}
    schema = {"track": pl.String, "size": pl.Float64, "share": pl.Float64, "end": pl.String}
    return pl.DataFrame(columns, schema=schema)


def _ranked(
    run: RunTables,
    null: NullFile,
    statistic: str,
    tracks: Mapping[str, Track],
) -> pl.DataFrame:
    """Scores of the run, each allele once, with the share of the null that is as large."""
    wanted = pl.col("status") == Status.OK.value
    is_repeat = pl.col("flags").list.contains(Flag.DUPLICATE.value).fill_null(value=False)
    rows = run.scores.filter(wanted & ~is_repeat)
    with reading(run, "scores"):
        values = _listed(run, rows, statistic, tracks)
    table = RankTable(
        null.of.statistics[statistic].alleles,
        list(_of_null(null, statistic, tracks).values()),
        is_signed=is_signed(statistic),
    )
    matrix = values.select(list(tracks)).to_numpy().astype(np.float32)
    standing = table.standing(matrix)
    parts = [
        _of_track(
            name, values["variant_id"], standing.phred[:, place], standing.is_beyond[:, place]
        )
        for place, name in enumerate(tracks)
    ]
    return pl.concat(parts)


def _of_table(
    run: RunTables,
    statistic: str,
    tracks: Mapping[str, Track],
    name: str,
) -> pl.DataFrame:
    """The same of a table of percentiles, in which an allele that the input repeats is repeated."""
    column = f"{statistic}_phred"
    table = run.table(name)
    with reading(run, name):
        columns = table.collect_schema().names()
    if column not in columns:
        raise InputError(
            f"--percentiles {name}: has no {column}; `enformer-ray percentiles` makes a table that has"
        )
    beyond = f"{statistic}_beyond_null"
    with reading(run, name):
        values = _listed(run, table.filter(pl.col(column).is_not_null()), column, tracks, beyond)
    parts = [
        _of_track(
            each,
            values["variant_id"],
            values[each].to_numpy(),
            values[beyond].list.contains(track.index).to_numpy(),
        )
        for each, track in tracks.items()
    ]
    return pl.concat(parts)


def _listed(
    run: RunTables,
    rows: pl.LazyFrame,
    lists: str,
    tracks: Mapping[str, Track],
    *more: str,
) -> pl.DataFrame:
    """Of each row `variant_id`, and from its lists the values of the tracks, by their names."""
    known = run.tracks.select("index", "list_position").collect()
    place = dict(known.iter_rows())
    values = [
        pl.col(lists).list.get(place[track.index] - 1).alias(name) for name, track in tracks.items()
    ]
    return rows.select("variant_id", *more, *values).collect()


def _of_track(
    track: str,
    names: pl.Series,
    phred: np.ndarray,
    is_beyond: np.ndarray,
) -> pl.DataFrame:
    known = np.isfinite(phred)
    observed = phred[known].astype(np.float64) / 10
    return pl.DataFrame(
        {
            "track": [track] * observed.size,
            "name": names.filter(pl.Series(known)),
            "expected": expected_ranks(observed),
            "observed": observed,
            "is_beyond": is_beyond[known],
        }
    )
