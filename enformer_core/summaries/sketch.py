"""The distribution of values that are seen once, a few rows at a time: exact at both ends, by bins between.

Of each track it holds the smallest and the largest values as they are, and how many values lie in each bin: those that
agree in sign, exponent and the first bits of their mantissa. So a bin is 0.8 % of its values wide wherever it lies. All
of it is integers, and values as they were: whatever the order of rows, whoever adds them, and however parts are put
together, the outcome is the same to the last bit. Knows arrays. Does not know what a track or a statistic is.

Worked example, of the floats 1.0 1.004 1.5 −0.25 and bins of 7 bits:

    bits of 1.0     0 01111111 0000000|0000000000000000
    bits of 1.004   0 01111111 0000000|1000001100010010      the same bin
    bits of 1.5     0 01111111 1000000|0000000000000000
    bits of −0.25   1 01111101 0000000|0000000000000000
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt32

BITS = 7
"""Of the mantissa, that tell bins apart: a bin's largest value is 1/128 above its smallest."""

TAIL = 512
"""Values kept as they are at either end: at the tail of 1e-5 all of them, up to 50 million values."""

_BELOW_BINS = np.uint32(23 - BITS)
"""Bits of a mantissa that tell no bins apart."""

_PLANES = 512
"""Pairs of sign and exponent that floats have."""

_ROOM = 64
"""Planes for which there is room at first; what is not used costs no memory."""

_TRACKS_AT_ONCE = 128
"""So that what is held of them stays in the processor's cache."""

Matrix = Float32[np.ndarray, "rows tracks"]
"""A value of every track for each of some rows."""

ByTrack = Float32[np.ndarray, "some rows"]
"""Values of some tracks, those of one side by side."""

Kept = Float32[np.ndarray, "tracks kept"]
Values = Float32[np.ndarray, " values"]
Counts = Int64[np.ndarray, " values"]
Floats = Float32[np.ndarray, "*shape"]
Numbers = UInt32[np.ndarray, "*shape"]


def normal(values: Floats) -> Floats:
    """The same values; 0 for −0, and for what is so small that it has no mantissa of its own, below 1e-38."""
    # NaN times 0 is NaN, and −0 + 0 is 0
    is_normal = np.abs(values) >= np.finfo(np.float32).tiny
    return values * is_normal + np.float32(0)


def bin_numbers(values: Floats) -> Numbers:
    """Sign, exponent and first bits of the mantissa, as one number of 16 bits."""
    bits: Numbers = values.view(np.uint32)
    return bits >> _BELOW_BINS


def bin_edges(numbers: Numbers) -> Floats:
    """The value of each bin that is nearest to 0."""
    bits = numbers << _BELOW_BINS
    return bits.view(np.float32)


@dataclass(frozen=True)
class Bins:
    """How many values lie in each bin of one track, of those bins that have any, in ascending order.

    Attributes:
        edges: of each bin the value nearest to 0.
        counts: its values.
    """

    edges: Values
    counts: Counts


class Sketch:
    """What was seen of each track so far.

    Args:
        tracks: how many there are.
        tail: how many values are kept at either end.

    Attributes:
        rows: that were added; each has a value of every track.
    """

    def __init__(self, tracks: int, tail: int = TAIL) -> None:
        self.rows = 0
        self._tail = tail
        self._low = np.full((tracks, tail), np.inf, np.float32)
        self._high = np.full((tracks, tail), -np.inf, np.float32)
        # a plane is a sign and an exponent; few are in use, and those alone have counts: plane, track, mantissa
        self._plane_of = np.full(_PLANES, -1, np.int64)
        self._planes_used = 0
        self._counts = np.zeros((_ROOM, tracks, 1 << BITS), np.uint32)

    @property
    def tracks(self) -> int:
        """How many tracks there are, whatever was seen of them."""
        return len(self._low)

    def add(self, rows: Matrix) -> None:
        """See more rows, all of whose values are finite."""
        for first in range(0, self.tracks, _TRACKS_AT_ONCE):
            # values of one track side by side
            some = rows[:, first : first + _TRACKS_AT_ONCE]
            values = normal(np.ascontiguousarray(some.T))
            self._count(first, values)
            self._keep(slice(first, first + len(values)), values, values)
        self.rows += len(rows)

    def merge(self, other: "Sketch") -> None:
        """See what another one, of the same tracks, has seen."""
        for plane in np.flatnonzero(other._plane_of >= 0):
            self._make_room(np.array([plane]))
            self._counts[self._plane_of[plane]] += other._counts[other._plane_of[plane]]
        for first in range(0, self.tracks, _TRACKS_AT_ONCE):
            part = slice(first, first + _TRACKS_AT_ONCE)
            self._keep(part, other._low[part], other._high[part])
        self.rows += other.rows

    def smallest(self) -> Kept:
        """The smallest values of each track, ascending; fewer than `tail` where fewer were seen."""
        return np.sort(self._low, axis=1)[:, : self.rows]

    def largest(self) -> Kept:
        """The largest values of each track, ascending."""
        kept = min(self._tail, self.rows)
        return np.sort(self._high, axis=1)[:, self._tail - kept :]

    def bins(self, track: int) -> Bins:
        """Bins of all values of a track, those at the ends among them."""
        planes = np.flatnonzero(self._plane_of >= 0)
        counts = self._counts[self._plane_of[planes], track]
        plane, mantissa = np.nonzero(counts)
        numbers = (planes[plane] << BITS) + mantissa
        edges = bin_edges(numbers.astype(np.uint32))
        order = np.argsort(edges, kind="stable")
        found = counts[plane, mantissa].astype(np.int64)
        return Bins(edges[order], found[order])

    def _count(self, first: int, values: ByTrack) -> None:
        numbers = bin_numbers(values)
        planes = numbers >> np.uint32(BITS)
        used = np.bincount(planes.ravel(), minlength=_PLANES)
        self._make_room(np.flatnonzero(used))
        # plane 2, track 5, mantissa 3 of counts with 4,096 tracks: (2 * 4096 + 5) * 128 + 3
        tracks = np.arange(first, first + len(values))[:, None]
        places = self._plane_of[planes] * self.tracks + tracks
        places <<= BITS
        places += numbers & np.uint32((1 << BITS) - 1)
        np.add.at(self._counts.reshape(-1), places.reshape(-1), np.uint32(1))

    def _make_room(self, planes: Counts) -> None:
        new = planes[self._plane_of[planes] < 0]
        used = self._planes_used
        self._plane_of[new] = used + np.arange(len(new))
        self._planes_used += len(new)
        room = len(self._counts)
        if self._planes_used > room:
            # twice as much each time, or the counts would be copied for every exponent that is new
            larger = max(2 * room, self._planes_used)
            counts = np.zeros((larger, *self._counts.shape[1:]), np.uint32)
            counts[:used] = self._counts[:used]
            self._counts = counts

    def __getstate__(self) -> dict[str, object]:
        """What is sent to another process: counts without the room that is left."""
        return {**self.__dict__, "_counts": self._counts[: self._planes_used]}

    def _keep(
        self,
        tracks: slice,
        low: Float32[np.ndarray, "some more"],
        high: Float32[np.ndarray, "some more"],
    ) -> None:
        """Take what is smaller, or larger, than what is kept; in no order."""
        tail = self._tail
        smaller = np.concatenate([self._low[tracks], low], axis=1)
        smaller.partition(tail - 1, axis=1)
        self._low[tracks] = smaller[:, :tail]
        larger = np.concatenate([self._high[tracks], high], axis=1)
        larger.partition(larger.shape[1] - tail, axis=1)
        self._high[tracks] = larger[:, -tail:]
