"""Which tracks a picture of calibration shows: those that were chosen, else those of the largest scores.

Knows nulls and runs. Does not know how they are drawn.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from enformer_core.api.run_tables import RunTables
from enformer_core.dataset.largest_values import NO_EFFECT
from enformer_core.dataset.run_tracks import chosen_tracks, scored_once, tracks_of_head
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.errors import InputError
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Track, Tracks
from enformer_core.pictures.calibration import MOST_TRACKS
from enformer_core.summaries.null_file import NullFile
from enformer_core.summaries.ranks import NullTrack
from enformer_core.summaries.values import list_values
from jobs.locus_scores import called
from jobs.selection_hint import selection_hint


@dataclass(frozen=True)
class ShownTracks:
    """What is drawn.

    Attributes:
        by_name: tracks by names that are all different.
        notes: for the picture: how many there are beside them.
        hints: for whoever asks: how others are chosen.
    """

    by_name: Mapping[str, Track]
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def tracks_of_run(
    run: RunTables,
    statistic: str,
    selector: str | None,
) -> ShownTracks:
    """Tracks of a run, by its scores.

    Raises:
        InputError: for a selector that names none, or more than a picture has room for.
        DatasetError: for a run that is damaged.
    """
    found = chosen_tracks(run.ledger, selector).tracks
    if selector is not None or len(found) <= MOST_TRACKS:
        return _all_of(found, selector)
    return _strongest_of(found, _largest_of_run(run, statistic, found.indices()))


def tracks_of_null(
    null: NullFile,
    statistic: str,
    selector: str | None,
) -> ShownTracks:
    """Tracks of a null, by what it is of.

    Raises:
        InputError: for a selector that names none, or more than a picture has room for.
        DatasetError: for a null that is damaged.
    """
    indices = null.track_indices(statistic)
    model = null.of.identity["model"]
    # a null has no names of tracks
    rows = tuple(Track(index=index) for index in indices)
    head = tracks_of_head(str(model["name"]), str(model["head"]), rows)
    try:
        found, _ = select_tracks(head, selector)
    except InputError as error:
        if "--targets" not in f"{error}":
            raise
        raise InputError(
            f"--tracks {selector}: {null.name} has no names of tracks; give columns, such as 0,5, or a run too"
        ) from error
    if selector is not None or len(found) <= MOST_TRACKS:
        return _all_of(found, selector)
    ends = map(size_of_null, null.tracks(statistic))
    return _strongest_of(found, dict(zip(indices, ends, strict=True)))


def size_of_null(track: NullTrack) -> float:
    """The largest score of a null in a track, in size."""
    return float(max(track.high[-1], -track.low[0]))


def _all_of(found: Tracks, selector: str | None) -> ShownTracks:
    if len(found) > MOST_TRACKS:
        raise InputError(
            f"--tracks {selector}: names {len(found):,} tracks, and a picture has room for {MOST_TRACKS}"
        )
    return ShownTracks(_named(found.rows), hints=tuple(selection_hint(found, selector)))


def _strongest_of(found: Tracks, sizes: Mapping[int, float]) -> ShownTracks:
    """Those of the largest scores; what rounding leaves of nothing is drawn where there is nothing else."""
    order = sorted(found.rows, key=lambda track: -sizes.get(track.index, 0.0))
    least = NO_EFFECT * sizes.get(order[0].index, 0.0)
    strong = [track for track in order[:MOST_TRACKS] if sizes.get(track.index, 0.0) > least]
    shown = sorted(strong or order[:1], key=lambda track: track.index)
    said = f"of {len(found):,} tracks the {len(shown)} of the largest scores are drawn"
    return ShownTracks(_named(shown), (said,), ("--tracks chooses others",))


def _named(tracks: "tuple[Track, ...] | list[Track]") -> dict[str, Track]:
    named: dict[str, Track] = {}
    for track in tracks:
        name = called(track)
        named[f"{name} (track {track.index})" if name in named else name] = track
    return named


def _largest_of_run(
    run: RunTables,
    statistic: str,
    indices: list[int],
) -> dict[int, float]:
    """The largest score in size of each track; of tracks that are none of the `MOST_TRACKS` largest it may lack.

    `effects` has the strongest tracks of each allele. Were as many tracks stronger at the allele that a track is
    strongest at, each of these would have a larger score than it.
    """
    of_statistic = run.effects.filter(pl.col("statistic") == statistic)
    deepest = of_statistic.select(pl.col("rank").max()).collect().item()
    if deepest is None or deepest < MOST_TRACKS:
        return dict(zip(indices, _by_lists(run, statistic, len(indices)), strict=True))
    sizes = of_statistic.group_by("track").agg(pl.col("value").abs().fill_nan(0).max())
    return dict(sizes.collect().iter_rows())


def _by_lists(
    run: RunTables,
    statistic: str,
    tracks: int,
) -> Iterator[float]:
    """The same of the scores themselves, where a run keeps no such table."""
    largest = np.zeros(tracks)
    columns = ["status", "flags", statistic]
    for _, table in stored_tables(run.ledger, "scores", columns=columns):
        rows = scored_once(table)
        if rows.num_rows:
            sizes = np.nan_to_num(np.abs(list_values(rows[statistic], tracks)), posinf=0.0)
            largest = np.maximum(largest, sizes.max(axis=0))
    yield from largest.tolist()
