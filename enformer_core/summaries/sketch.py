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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int64, UInt32

BITS = 7
"""Of the mantissa, that tell bins apart: a bin's largest value is 1/128 above its smallest."""

TAIL = 512
"""Values kept as they are at either end: at the tail of 1e-5 all of them, up to 50 million values."""

_BITS = np.uint32(BITS)
_BINS_OF_PLANE = 1 << BITS

_MANTISSA = np.uint32(_BINS_OF_PLANE - 1)
"""Of a bin's number the bits that are of the mantissa."""

_BELOW_BINS = np.uint32(23 - BITS)
"""Bits of a mantissa that tell no bins apart."""

_PLANES = 512
"""Pairs of sign and exponent that floats have."""

_ROOM = 64
"""Planes for which there is room at first; what is not used costs no memory."""

_TRACKS_AT_ONCE = 128
"""So that what is held of them stays in the processor's cache."""

_CODEC = "zstd"

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


@dataclass(frozen=True)
class PackedSketch:
    """A sketch on its way to another process, compressed; most of what it holds are bins without a value.

    Attributes:
        rows: that were added.
        low: the smallest values of each track, in no order.
        high: the largest.
        planes: counts of those planes that have any, by number.
    """

    rows: int
    low: bytes
    high: bytes
    planes: Mapping[int, bytes]


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
        self._counts = np.zeros((_ROOM, tracks, _BINS_OF_PLANE), np.uint32)

    @property
    def tracks(self) -> int:
        """How many tracks there are, whatever was seen of them."""
        return len(self._low)

    def add(self, rows: Matrix) -> None:
        """See more rows, all of whose values are finite."""
        for part in self._some_tracks():
            # values of one track side by side
            some = np.ascontiguousarray(rows[:, part].T)
            values = normal(some)
            self._count(part.start, values)
            self._keep(part, values, values)
        self.rows += len(rows)

    def packed(self) -> PackedSketch:
        """What was seen so far, for `merge` of another one."""
        planes = {}
        for plane in self._planes():
            place = self._plane_of[plane]
            planes[int(plane)] = _packed(self._counts[place])
        return PackedSketch(
            self.rows,
            _packed(self._low),
            _packed(self._high),
            planes,
        )

    def merge(self, other: PackedSketch) -> None:
        """See what another one, of the same tracks and tail, has seen."""
        numbers = np.array(list(other.planes), np.int64)
        self._make_room(numbers)
        # unpacked one at a time: together they would be as large as this sketch
        for plane, packed in other.planes.items():
            counts = self._counts[self._plane_of[plane]]
            counts += _unpacked(packed, counts)
        low = _unpacked(other.low, self._low)
        high = _unpacked(other.high, self._high)
        for part in self._some_tracks():
            self._keep(part, low[part], high[part])
        self.rows += other.rows

    def smallest(self) -> Kept:
        """The smallest values of each track, ascending; fewer than `tail` where fewer were seen."""
        ascending = np.sort(self._low, axis=1)
        return ascending[:, : self.rows]

    def largest(self) -> Kept:
        """The largest values of each track, ascending."""
        kept = min(self._tail, self.rows)
        ascending = np.sort(self._high, axis=1)
        return ascending[:, self._tail - kept :]

    def bins(self, track: int) -> Bins:
        """Bins of all values of a track, those at the ends among them."""
        planes = self._planes()
        places = self._plane_of[planes]
        counts = self._counts[places, track]
        plane, mantissa = np.nonzero(counts)
        numbers = (planes[plane] << BITS) + mantissa
        edges = bin_edges(numbers.astype(np.uint32))
        found = counts[plane, mantissa].astype(np.int64)
        order = np.argsort(edges, kind="stable")
        return Bins(edges[order], found[order])

    def _some_tracks(self) -> Iterator[slice]:
        for first in range(0, self.tracks, _TRACKS_AT_ONCE):
            yield slice(first, min(first + _TRACKS_AT_ONCE, self.tracks))

    def _planes(self) -> Counts:
        """The planes in use, ascending."""
        return np.flatnonzero(self._plane_of >= 0)

    def _count(self, first: int, values: ByTrack) -> None:
        """Count values into their bins; the first of them are of the track with the number `first`."""
        numbers = bin_numbers(values)
        planes = numbers >> _BITS
        used = np.bincount(planes.ravel(), minlength=_PLANES)
        self._make_room(np.flatnonzero(used))
        # plane 2, track 5, mantissa 3 of counts with 4,096 tracks: (2 * 4096 + 5) * 128 + 3
        tracks = np.arange(first, first + len(values))
        places = self._plane_of[planes] * self.tracks
        places += tracks[:, None]
        places <<= BITS
        places += numbers & _MANTISSA
        every_count = self._counts.reshape(-1)
        np.add.at(every_count, places.reshape(-1), np.uint32(1))

    def _make_room(self, planes: Counts) -> None:
        """See to it that these planes have counts."""
        is_new = self._plane_of[planes] < 0
        new = planes[is_new]
        used = self._planes_used
        self._plane_of[new] = used + np.arange(len(new))
        self._planes_used += len(new)
        room = len(self._counts)
        if self._planes_used <= room:
            return
        # twice as much each time, or the counts would be copied for every exponent that is new
        more = max(2 * room, self._planes_used)
        shape = (more, self.tracks, _BINS_OF_PLANE)
        counts = np.zeros(shape, np.uint32)
        counts[:used] = self._counts[:used]
        self._counts = counts

    def _keep(self, tracks: slice, low: ByTrack, high: ByTrack) -> None:
        """Take what is smaller, or larger, than what is kept; in no order."""
        tail = self._tail
        smaller = _beside(self._low[tracks], low)
        smaller.partition(tail - 1, axis=1)
        self._low[tracks] = smaller[:, :tail]
        larger = _beside(self._high[tracks], high)
        # the largest stand behind all others
        larger.partition(-tail, axis=1)
        self._high[tracks] = larger[:, -tail:]


def _beside(kept: Kept, more: ByTrack) -> Float32[np.ndarray, "tracks both"]:
    """Both, those of each track side by side."""
    return np.concatenate([kept, more], axis=1)


def _packed(values: np.ndarray) -> bytes:
    packed: bytes = pa.compress(values.tobytes(), codec=_CODEC, asbytes=True)
    return packed


def _unpacked(packed: bytes, like: np.ndarray) -> np.ndarray:
    """What was packed of an array; it has the shape and the type of `like`."""
    content = pa.decompress(packed, like.nbytes, codec=_CODEC, asbytes=True)
    return np.frombuffer(content, like.dtype).reshape(like.shape)
