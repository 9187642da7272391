"""The table `track_groups`: of every allele and every group of tracks the largest value, the L2 norm and the means.

Tracks are grouped by columns of their table, such as assay and biosample. Tracks are added one after another, in the
order of lists: sums are the same to the last bit however many alleles are looked at together. Knows runs. Does not know
what a statistic is.

Worked example, values −3 and 1 of the two tracks of a group: max_abs 3, max_abs_value −3, l2 √10, mean −1, mean_abs 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import DatasetError, InputError, nearest
from enformer_core.summaries.names import GROUPS
from enformer_core.summaries.values import list_values, scored_rows, scored_statistics
from enformer_core.summaries.write import ROW, Recipe

VERSION = 1
"""Raised by every release that sums up otherwise."""

_NO_GROUPS = frozenset({"index", "list_position"})

Numbers = dict[str, np.ndarray]
"""Of some alleles the numbers of one group, by column."""

_VALUES = [
    ("track_count", pa.int32()),
    ("max_abs", pa.float32()),
    ("max_abs_value", pa.float32()),
    ("max_abs_track", pa.int32()),
    ("l2", pa.float32()),
    ("mean", pa.float32()),
    ("mean_abs", pa.float32()),
]


def group_columns(by: Sequence[str]) -> list[tuple[str, pa.DataType]]:
    """The columns of the table behind the allele's, where tracks are grouped by these of theirs."""
    return [("statistic", pa.string()), *((name, pa.string()) for name in by), *_VALUES]


def groups_by(
    ledger: Ledger,
    by: Sequence[str],
    statistics: Sequence[str] = (),
) -> Recipe:
    """The table of a run's scores summed up over groups of tracks.

    Args:
        ledger: of the run.
        by: columns of `tracks`; tracks that agree in all of them are one group.
        statistics: of the run; all by default.

    Raises:
        InputError: for columns that tracks do not have, or of which the run's say nothing.
        DatasetError: for objects that are damaged.
    """
    names = scored_statistics(ledger, statistics)
    columns = tuple(dict.fromkeys(by))
    groups = _groups(ledger, columns)
    identity = {
        "by": list(columns),
        "statistics": list(names),
        "version": VERSION,
    }
    made = Groups(groups, columns, names)
    return Recipe(GROUPS, identity, made, ["status", *names])


@dataclass(frozen=True)
class Group:
    """Tracks that agree in what they are grouped by.

    Attributes:
        values: what they agree in, column for column; None where nothing is said.
        places: of the tracks in the lists, from 0.
        tracks: their indices.
    """

    values: tuple[str | None, ...]
    places: tuple[int, ...]
    tracks: tuple[int, ...]


def _groups(ledger: Ledger, by: Sequence[str]) -> tuple[Group, ...]:
    """The groups of a run's tracks, in the order of the first track of each."""
    content = ledger.store.get(TRACKS_KEY)
    if content is None:
        raise DatasetError(
            f"{TRACKS_KEY}: missing; `enformer-ray verify {ledger.store.location}` says more"
        )
    tracks, _ = from_parquet(content, TRACKS_KEY)
    _check_columns(tracks, by, ledger.store.location)
    members: dict[tuple[str | None, ...], list[int]] = {}
    for place, row in enumerate(tracks.select(list(by)).to_pylist()):
        values = tuple(row.values())
        members.setdefault(values, []).append(place)
    indices = tracks["index"].to_pylist()
    groups = []
    for values, places in members.items():
        own = tuple(indices[place] for place in places)
        groups.append(Group(values, tuple(places), own))
    return tuple(groups)


def _check_columns(
    tracks: pa.Table,
    by: Sequence[str],
    location: str,
) -> None:
    known = [name for name in tracks.column_names if name not in _NO_GROUPS]
    if not by:
        raise InputError(f"--by: give columns of the run's tracks, of {', '.join(known)}")
    for name in by:
        if name not in known:
            raise InputError(f"--by {name}: tracks have no such column{nearest(name, known)}")
        if tracks[name].null_count == tracks.num_rows:
            raise InputError(
                f"--by {name}: the tracks of {location} say nothing of it: the run was made without "
                "their table. Score with `--targets`, the published table of the model's tracks."
            )


@dataclass(frozen=True)
class Groups:
    """Makes the rows of some alleles: of each that has values one for each statistic and group.

    Attributes:
        groups: of the run's tracks.
        by: the columns in which the tracks of a group agree.
        statistics: that are summed up.
    """

    groups: tuple[Group, ...]
    by: tuple[str, ...]
    statistics: tuple[str, ...]

    def __call__(self, scores: pa.Table) -> pa.Table:
        """Rows by allele, statistic and group, in this order."""
        scored, is_ok = scored_rows(scores)
        sums = [self._sums(scored[name]) for name in self.statistics]
        shape = (scored.num_rows, len(self.statistics), len(self.groups))
        rows, statistics, groups = np.indices(shape).reshape(3, -1)
        places = np.flatnonzero(is_ok)
        columns = {ROW: pa.array(places[rows])}
        names = pa.array(self.statistics)
        columns["statistic"] = names.take(pa.array(statistics))
        for place, name in enumerate(self.by):
            said = [group.values[place] for group in self.groups]
            every_said = pa.array(said, pa.string())
            columns[name] = every_said.take(pa.array(groups))
        for name, kind in _VALUES:
            found = np.array([[of_group[name] for of_group in of_groups] for of_groups in sums])
            # statistic, group, allele: allele first
            ordered = np.moveaxis(found, -1, 0)
            columns[name] = pa.array(ordered.reshape(-1), kind)
        return _without_nothing(pa.table(columns))

    def _sums(self, lists: pa.ChunkedArray) -> list[Numbers]:
        """Of one statistic the numbers of every group."""
        tracks = sum(len(group.places) for group in self.groups)
        values = list_values(lists, tracks)
        by_track = np.ascontiguousarray(values.T)
        return [_of_group(group, by_track) for group in self.groups]


def _without_nothing(table: pa.Table) -> pa.Table:
    """Null for what is largest where all values are NaN, of which none is."""
    is_known = pc.greater_equal(table["max_abs"], 0)
    for name in ("max_abs", "max_abs_value", "max_abs_track"):
        place = table.column_names.index(name)
        nothing = pa.scalar(None, table[name].type)
        known = pc.if_else(is_known, table[name], nothing)
        table = table.set_column(place, name, known)
    return table


def _of_group(
    group: Group,
    by_track: Float32[np.ndarray, "tracks rows"],
) -> Numbers:
    """The numbers of one group, of all rows."""
    rows = by_track.shape[1]
    largest = np.full(rows, -1, np.float32)
    value = np.zeros(rows, np.float32)
    strongest = np.zeros(rows, np.int32)
    total = np.zeros(rows)
    sizes = np.zeros(rows)
    squares = np.zeros(rows)
    for place, track in zip(group.places, group.tracks, strict=True):
        own = by_track[place]
        size = np.abs(own)
        # of equals the first
        is_larger = size > largest
        largest[is_larger] = size[is_larger]
        value[is_larger] = own[is_larger]
        strongest[is_larger] = track
        total += own
        sizes += size
        # of float32 the square is exact in float64
        squares += np.square(own, dtype=np.float64)
    count = len(group.places)
    return {
        "track_count": np.full(rows, count),
        "max_abs": largest,
        "max_abs_value": value,
        "max_abs_track": strongest,
        "l2": np.sqrt(squares),
        "mean": total / count,
        "mean_abs": sizes / count,
    }
