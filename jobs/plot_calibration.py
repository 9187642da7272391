"""`enformer-ray plot calibration`: a null distribution, and where a run's scores stand in it."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from enformer_core.api.run_tables import RunTables, open_run
from enformer_core.dataset.largest_values import NO_EFFECT, largest_value
from enformer_core.dataset.run_tracks import check_scores
from enformer_core.errors import InputError, nearest
from enformer_core.models.tracks.table import Track
from enformer_core.pictures.calibration import calibration_picture, expected_ranks, tail_of
from enformer_core.scoring.statistics import is_signed
from enformer_core.summaries.null_file import NullFile
from enformer_core.summaries.ranks import NullTrack, RankTable
from enformer_core.variants.table import Flag, Status
from jobs import exit_codes
from jobs.calibration_tracks import ShownTracks, size_of_null, tracks_of_null, tracks_of_run
from jobs.picture_file import check_picture_name, save_picture
from jobs.plot_settings import CalibrationSettings
from jobs.run_of_kind import notes_of_state, reading
from jobs.silent_note import silent_note

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
    if run is not None and null is not None:
        null.check_fits(run.run, [statistic])
    shown = _shown(null, run, statistic, settings.tracks)
    tracks = shown.by_name
    notes = list(shown.notes)
    if run is not None:
        notes += notes_of_state(run.ledger, run.location)
    tails: pl.DataFrame | None = None
    ranks: pl.DataFrame | None = None
    rounding: dict[str, list[str]] = {}
    if null is not None:
        tails, said = _of_the_null(null, statistic, tracks)
        notes += said
        rounding["the null"] = _rounding_of_null(null, statistic, tracks)
    if run is not None:
        ranks, rounding["the run"] = _of_the_run(run, null, statistic, tracks, settings.percentiles)
        if ranks is None:
            notes.append(f"{settings.run}: has no scores; that half is left out")
        silent = silent_note(run.ledger, statistic)
        notes += [silent] if silent else []
    notes += _rounding_notes(statistic, rounding)
    if tails is None and ranks is None:
        raise InputError("; ".join(["nothing to draw", *notes]))
    picture = calibration_picture(
        statistic=statistic,
        title=_title(settings, statistic),
        tails=tails,
        ranks=ranks,
        notes=[*notes, *_notices(null, run)],
        hints=shown.hints,
    )
    save_picture(picture, settings.out)
    return exit_codes.DONE


def _title(settings: CalibrationSettings, statistic: str) -> str:
    if settings.null is None:
        return f"Percentiles of {statistic} in {settings.run}"
    if settings.run is None:
        return f"Null of {statistic}, {settings.null}"
    return f"{statistic} of {settings.run} against the null {settings.null}"


def _notices(null: NullFile | None, run: RunTables | None) -> list[str]:
    """What a demonstration says, once."""
    said = (null and null.of.notice, run and run.run.notice)
    return list(dict.fromkeys(text for text in said if text))


def _statistic(
    wanted: str | None,
    null: NullFile | None,
    run: RunTables | None,
) -> str:
    """The statistic that is wanted, or the first that all have that is drawn.

    Raises:
        InputError: where one of both lacks it, or they have none in common.
    """
    known: dict[str, Sequence[str]] = {}
    if run is not None:
        known[run.location] = check_scores(run.ledger)
    if null is not None:
        known[null.name] = null.statistics
    if not known:
        raise InputError(_NOTHING)
    if wanted is not None:
        for of, names in known.items():
            if wanted not in names:
                raise InputError(
                    f"--statistic {wanted}: {of} has no such statistic{nearest(wanted, names)}"
                )
        return wanted
    first, *others = known.values()
    shared = [name for name in first if all(name in names for names in others)]
    if not shared:
        each = "; ".join(f"{of} has {', '.join(names)}" for of, names in known.items())
        raise InputError(
            f"no statistic that both have: {each}. `enformer-ray calibrate` a run that was scored with the other's "
            "--statistics"
        )
    return shared[0]


def _shown(
    null: NullFile | None,
    run: RunTables | None,
    statistic: str,
    selector: str | None,
) -> ShownTracks:
    if run is not None:
        return tracks_of_run(run, statistic, selector)
    assert null is not None
    return tracks_of_null(null, statistic, selector)


def _of_the_null(
    null: NullFile,
    statistic: str,
    tracks: Mapping[str, Track],
) -> tuple[pl.DataFrame | None, list[str]]:
    """The left half, and what is to be said of it."""
    of_null = _of_null(null, statistic, tracks)
    tails = _tails(of_null, null.of.statistics[statistic].alleles)
    silent = [name for name in of_null if name not in set(tails["track"].to_list())]
    notes = [f"{name}: all scores of the null are 0; its line is left out" for name in silent]
    return (tails if tails.height else None), notes


def _rounding_of_null(
    null: NullFile,
    statistic: str,
    tracks: Mapping[str, Track],
) -> list[str]:
    """The tracks in which a null has scores, of which none is more than rounding."""
    least = NO_EFFECT * max(map(size_of_null, null.tracks(statistic)), default=0.0)
    of_null = _of_null(null, statistic, tracks)
    return [name for name, track in of_null.items() if 0 < size_of_null(track) <= least]


def _of_the_run(
    run: RunTables,
    null: NullFile | None,
    statistic: str,
    tracks: Mapping[str, Track],
    percentiles: str,
) -> tuple[pl.DataFrame | None, list[str]]:
    """The right half, and the tracks of which no score is more than rounding, where scores are read for it."""
    if null is None:
        ranks = _of_table(run, statistic, tracks, percentiles)
        return (ranks if ranks.height else None), []
    ranks, sizes = _ranked(run, null, statistic, tracks)
    least = NO_EFFECT * largest_value(run.ledger, "scores", f"max_abs_{statistic}")
    silent = [name for name, size in sizes.items() if size <= least]
    return (ranks, silent) if ranks.height else (None, [])


def _rounding_notes(statistic: str, rounding: Mapping[str, Sequence[str]]) -> list[str]:
    """Of tracks in which there is nothing but what rounding leaves of nothing, that it is so."""
    of: dict[str, list[str]] = {}
    for place, names in rounding.items():
        for name in names:
            of.setdefault(name, []).append(place)
    alike: dict[str, list[str]] = {}
    for name, places in of.items():
        alike.setdefault(" and ".join(places), []).append(name)
    return [
        f"{'; '.join(names)}: no {statistic} of {places} above a millionth of the largest; what rounding leaves of "
        "nothing is drawn"
        for places, names in alike.items()
    ]


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
) -> tuple[pl.DataFrame, dict[str, float]]:
    """Scores of the run, each allele once, with the share of the null that is as large; the largest of each track."""
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
    largest = np.nan_to_num(np.abs(matrix)).max(axis=0, initial=0.0)
    return pl.concat(parts), dict(zip(tracks, largest.tolist(), strict=True))


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
