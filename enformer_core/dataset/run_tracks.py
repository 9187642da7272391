"""What a run has values of: its tracks, of which an export may be asked for some, and its statistics."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import DatasetError, InputError
from enformer_core.models.registry import SPECS
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import TRACKS_SCHEMA, HeadLayout, Track, Tracks
from enformer_core.variants.table import Flag, Status, has_flag

MOST_TRACKS = 100
"""That are written unasked where each is a file of its own, or a number in every line of text."""


class ChosenTracks:
    """Some tracks of a run, and where their values stand in its lists.

    Args:
        tracks: those that are chosen, in ascending order.
        places: items of a list that are theirs, from 0.
        of: how many the run has.
    """

    def __init__(
        self,
        tracks: Tracks,
        places: Int64[np.ndarray, " chosen"],
        of: int,
    ) -> None:
        self.tracks = tracks
        self._places = places
        self._of = of

    def __len__(self) -> int:
        return len(self.tracks)

    @property
    def are_all(self) -> bool:
        """Whether none of the run's tracks is left out."""
        return len(self) == self._of

    def of_indices(self, indices: Sequence[int]) -> "ChosenTracks":
        """Those of them that are these columns of the head, all of which must be there; in ascending order."""
        place_of = dict(zip(self.tracks.indices(), self._places.tolist(), strict=True))
        wanted = set(indices)
        rows = tuple(track for track in self.tracks.rows if track.index in wanted)
        places = np.array([place_of[track.index] for track in rows], dtype=np.int64)
        return ChosenTracks(replace(self.tracks, rows=rows), places, self._of)

    def values(self, lists: pa.ChunkedArray) -> Float32[np.ndarray, "rows chosen"]:
        """The chosen values of rows that all have a list."""
        items = np.asarray(lists.combine_chunks().flatten(), dtype=np.float32)
        matrix = items.reshape(len(lists), self._of)
        return matrix if self.are_all else matrix[:, self._places]


def check_scores(ledger: Ledger) -> Sequence[str]:
    """The statistics of a run that scored variants.

    Raises:
        InputError: for a run of another kind, naming what it has.
    """
    run_type = ledger.run_type
    for table in run_type.value_tables:
        if table.name == "scores":
            return run_type.value_columns(table, ledger.run)
    raise InputError(
        f"{ledger.store.location}: a run of {run_type.unit} with the tables {', '.join(run_type.tables)}; "
        "scores of variants come from `enformer-ray score`"
    )


def chosen_tracks(ledger: Ledger, selector: str | None) -> ChosenTracks:
    """The tracks that a selector names, or all of a run's.

    Raises:
        InputError: for a selector that names none.
        DatasetError: where the run's table of tracks is missing or damaged.
    """
    content = ledger.store.get(TRACKS_KEY)
    if content is None:
        raise DatasetError(
            f"{TRACKS_KEY}: missing; `enformer-ray verify {ledger.store.location}` says more"
        )
    rows = from_parquet(content, TRACKS_KEY)[0]
    # what else a later release may put there is nothing to choose by
    known = [
        name
        for name in TRACKS_SCHEMA.names
        if name in rows.column_names and name != "list_position"
    ]
    named = tuple(Track(**row) for row in rows.select(known).to_pylist())
    model = ledger.run.typed_identity.model
    every = tracks_of_head(model.name, model.head, named)
    chosen, _ = select_tracks(every, selector)
    place_of = {track.index: place for place, track in enumerate(named)}
    places = np.array([place_of[index] for index in chosen.indices()], dtype=np.int64)
    if not len(chosen):
        raise InputError(f"--tracks {selector}: names none of the run's {len(named):,} tracks")
    return ChosenTracks(chosen, places, len(named))


def tracks_of_head(model: str, head: str, rows: tuple[Track, ...]) -> Tracks:
    """Tracks with what is known of their head, so that a selector means what it means to `score`.

    Args:
        model: that has the head, by its name.
        head: of the tracks.
        rows: at least one.
    """
    size = max(track.index for track in rows) + 1
    # a model of another release, or of somebody's own, may not be known here
    if model not in SPECS:
        return Tracks(head, size, rows)
    spec = SPECS[model]
    size = max(size, spec.config.output_tracks.get(head, 0))
    layout = spec.heads.get(head, HeadLayout())
    return Tracks(head, size, rows, layout=layout)


def few_or_chosen(ledger: Ledger, selector: str | None, come_to: str) -> ChosenTracks:
    """As `chosen_tracks`, where many tracks come to so much that nobody writes them unasked.

    Args:
        ledger: of the run.
        selector: None for all, if they are few.
        come_to: what so many tracks are, for the message.

    Raises:
        InputError: for many tracks of which none are chosen; as `chosen_tracks`.
    """
    chosen = chosen_tracks(ledger, selector)
    if selector is None and len(chosen) > MOST_TRACKS:
        last = chosen.tracks.rows[-1].index
        raise InputError(
            f"{len(chosen):,} tracks are {come_to}; choose some by --tracks, or all by --tracks 0-{last}"
        )
    return chosen


def scored_once(scores: pa.Table) -> pa.Table:
    """The rows of `scores` that have values, each allele once."""
    is_ok = pc.equal(scores["status"], Status.OK)
    is_repeat = has_flag(scores, Flag.DUPLICATE)
    return scores.filter(pc.and_not(is_ok, is_repeat))


def track_name(track: Track) -> str:
    """What people call a track: its description, else its identifier, else nothing."""
    return track.description or track.identifier or ""
