"""Where values stand among those of a null distribution: twice their mid-rank, an integer, of whole matrices at once.

Of the n values of the null, `lower` are smaller than x and `upper` are smaller or equal: lower + upper is twice the
mid-rank, and x stands at the quantile (lower + upper) / 2n. Among the values that the null kept as they are at its
ends ranks are exact; between these the values of one bin are ties. Knows arrays. Does not know files.

Worked example, a null of −1 0 0 2, so that n is 4:

    x                −5    −1     0     1     2     9
    lower + upper     0     1     4     6     7     8
    from 1 to 7       1     1     4     6     7     7      beyond the null nothing has a rank that 4 values cannot give
    2 F − 1        −3/4  −3/4     0   1/2   3/4   3/4
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt32

from enformer_core.summaries.sketch import (
    BITS,
    Bins,
    ByTrack,
    Counts,
    Floats,
    Kept,
    Matrix,
    Values,
    bin_numbers,
    normal,
)

_OCTAVES = 32
"""What is 2^32 times smaller than its track's largest value, and not 0, is one bin: no rounding leaves so little."""

_BINS = _OCTAVES << BITS
_SIDE = _BINS + 2
"""Places of one sign: for what is smaller than all bins, for the bins, for what is larger."""

_SIZES = _SIDE + 1
"""Places of 0 and of one sign."""

_WIDTH = 2 * _SIDE + 1
"""Negative places, the largest sizes first; 0; positive ones."""

_NOTHING = np.int32(_SIDE)
"""The place of 0."""

_TRACKS_AT_ONCE = 128
"""So that the tables of these tracks stay in the processor's cache."""

_SIZE = np.int32(0x7FFF_FFFF)
"""All bits of a float but its sign."""

_BELOW_BINS = np.int32(23 - BITS)
"""Bits of a mantissa that tell no bins apart."""

AnyRanks = Int64[np.ndarray, "*shape"] | UInt32[np.ndarray, "*shape"]
Places = Int32[np.ndarray, "*shape"]
Bases = Int32[np.ndarray, "*#shape"] | np.int32
Flags = Bool[np.ndarray, " values"]
Tracks = Int64[np.ndarray, " values"]
"""Of each value the number of the track that it is of."""


@dataclass(frozen=True)
class NullTrack:
    """What a null holds of one track.

    Attributes:
        low: its smallest values, ascending.
        high: its largest, ascending.
        bins: of all its values.
    """

    low: Values
    high: Values
    bins: Bins


@dataclass(frozen=True)
class Standing:
    """Where the values of some rows stand; NaN stands nowhere.

    Attributes:
        quantile: of a signed statistic 2 F(x) − 1, from −1 to 1; of another one F(x), from 0 to 1.
        phred: −10 log10 of the part of the null that is as large in size, or larger.
        is_beyond: whether no value of the null lies as far out, on that side.
    """

    quantile: Matrix
    phred: Matrix
    is_beyond: Bool[np.ndarray, "rows tracks"]


@dataclass(frozen=True)
class _Found:
    """The same of some values, whatever their rows."""

    quantile: Values
    phred: Values
    is_beyond: Flags


class RankTable:
    """The null of one statistic, as it is asked.

    Where a value stands between the ends follows from its bin alone, so that it is looked up, and few values are
    searched for.

    Args:
        alleles: values of each track, n.
        tracks: in the order of the matrices' columns.
        is_signed: whether the statistic has values of either sign.
    """

    def __init__(self, alleles: int, tracks: Sequence[NullTrack], *, is_signed: bool) -> None:
        self._alleles = alleles
        self._is_signed = is_signed
        self._least = np.array([track.low[0] for track in tracks])
        self._most = np.array([track.high[-1] for track in tracks])
        # of few values `low` and `high` would have some twice: the smallest belongs to `low` in any case
        kept = len(tracks[0].high)
        from_low = max(1, min(len(tracks[0].low), alleles - kept))
        low = [track.low[:from_low] for track in tracks]
        high = [track.high for track in tracks]
        self._low = _Ends(np.stack(low))
        self._high = _Ends(np.stack(high))
        # strictly beyond these every value of the null is known
        self._last = self._high.values[:, 0]
        self._first = self._low.values[:, -1]
        if not is_signed:
            self._first = np.full_like(self._last, -np.inf)
        # up to this size neither a value nor its negative is beyond
        self._near = np.minimum(self._last, -self._first)
        bases = [_base(track.bins) for track in tracks]
        zeros = [_zeros(track.bins) for track in tracks]
        self._base = np.array(bases, np.int32)
        self._zeros = np.array(zeros)
        ranks = [self._between(*each) for each in enumerate(tracks)]
        self._ranks = np.stack(ranks)
        phreds = [self._sized(*each) for each in enumerate(ranks)]
        self._phreds = np.stack(phreds)

    def standing(self, values: Matrix) -> Standing:
        """Where rows stand, of which each has a value of every track."""
        quantile = np.empty(values.shape, np.float32)
        phred = np.empty(values.shape, np.float32)
        is_beyond = np.zeros(values.shape, np.bool_)
        for first in range(0, values.shape[1], _TRACKS_AT_ONCE):
            part = slice(first, first + _TRACKS_AT_ONCE)
            # values of one track side by side
            own = values[:, part].T
            some = np.ascontiguousarray(own)
            quantiles, phreds = self._look_up(some, part)
            is_near = np.abs(some) <= self._near[part, None]
            # few are not, so that they are told by number: of 3 rows, value 7 is that of track 2, row 1
            far = np.flatnonzero(~is_near)
            if len(far):
                track, row = np.divmod(far, some.shape[1])
                searched = normal(some[track, row])
                found = self._search(searched, track + first)
                quantiles[track, row] = found.quantile
                phreds[track, row] = found.phred
                is_beyond[row, track + first] = found.is_beyond
            quantile[:, part] = quantiles.T
            phred[:, part] = phreds.T
        return Standing(quantile, phred, is_beyond)

    def _look_up(self, values: ByTrack, part: slice) -> tuple[ByTrack, ByTrack]:
        """Quantile and PHRED of values that are beyond neither end; of others anything."""
        places = _places(values, self._base[part, None])
        # tables of these tracks stand one behind the other
        numbers = np.arange(len(values), dtype=np.int32)
        tracks = numbers[:, None]
        every_phred = self._phreds[part].reshape(-1)
        phreds = every_phred.take(places + tracks * _SIZES)
        places = _with_sign(places, values)
        places += tracks * _WIDTH + _NOTHING
        every_rank = self._ranks[part].reshape(-1)
        ranks = every_rank.take(places)
        return self._quantile(ranks), phreds

    def _search(
        self,
        values: Values,
        tracks: Tracks,
    ) -> "_Found":
        """Any values of any tracks."""
        sizes = np.abs(values)
        above = self._rank(sizes, tracks)
        below = self._rank(-sizes, tracks)
        quantile = self._quantile(np.where(values < 0, below, above))
        phred = self._phred(above, below)
        is_0 = sizes == 0
        phred[is_0] = self._phred_of_0(tracks[is_0])
        is_nan = np.isnan(values)
        quantile[is_nan] = np.nan
        phred[is_nan] = np.nan
        is_beyond = values > self._most[tracks]
        if self._is_signed:
            is_beyond |= values < self._least[tracks]
        return _Found(quantile, phred, is_beyond)

    def _rank(
        self,
        values: Values,
        tracks: Tracks,
    ) -> Counts:
        """lower + upper of each value."""
        places = _places(values, self._base[tracks])
        places = _with_sign(places, values)
        between = self._ranks[tracks, places + _NOTHING]
        ranks = between.astype(np.int64)
        is_low = values < self._first[tracks]
        ranks[is_low] = self._low.ranks(tracks[is_low], values[is_low])
        is_high = values > self._last[tracks]
        among_high = self._high.ranks(tracks[is_high], values[is_high])
        # `high` are the last of the n: all others are smaller
        others = self._alleles - self._high.each
        ranks[is_high] = among_high + 2 * others
        return ranks

    def _quantile(self, ranks: AnyRanks) -> Floats:
        doubled = 2 * self._alleles
        possible = np.clip(ranks, 1, doubled - 1)
        fractions = possible / doubled
        if self._is_signed:
            fractions *= 2
            fractions -= 1
        return fractions.astype(np.float32)

    def _phred(self, above: AnyRanks, below: AnyRanks) -> Floats:
        """Of a size that is not 0, from the ranks of the value and of its negative."""
        # larger in size is what lies above x or below −x
        doubled = 2 * self._alleles
        larger = doubled - above.astype(np.int64) + below
        at_least = np.maximum(larger, 1)
        return _phred(at_least / doubled)

    def _phred_of_0(self, tracks: Tracks) -> Values:
        # as large as 0 is everything; what is 0 itself are ties, of which half count
        doubled = 2 * self._alleles
        larger = doubled - self._zeros[tracks]
        return _phred(larger / doubled)

    def _between(self, number: int, track: NullTrack) -> UInt32[np.ndarray, " places"]:
        """lower + upper at every place of a track, for values that lie beyond neither end.

        Counts 2 3 of the bins between, with one value below them all: ranks 2·1 + 2 = 4 and 2·3 + 3 = 9.
        """
        base = self._base[number]
        counts = np.zeros(_WIDTH, np.int64)
        places = _signed_places(track.bins.edges, base)
        np.add.at(counts, places, track.bins.counts)
        # what lies beyond the ends has its exact rank, and must not be a tie of what does not
        low = self._low.values[number]
        high = self._high.values[number]
        below = low[low < self._first[number]]
        above = high[high > self._last[number]]
        for beyond in (below, above):
            places = _signed_places(beyond, base)
            np.subtract.at(counts, places, 1)
        upper = np.cumsum(counts) + len(below)
        both = 2 * upper - counts
        return both.astype(np.uint32)

    def _sized(
        self,
        number: int,
        ranks: UInt32[np.ndarray, " places"],
    ) -> Values:
        """PHRED of every place from 0 on, for both signs."""
        above = ranks[_SIDE:]
        below = ranks[_SIDE::-1]
        phreds = self._phred(above, below)
        phreds[0] = self._phred_of_0(np.array([number]))[0]
        return phreds


class _Ends:
    """Values that the null kept as they are, of all tracks, to be searched at once.

    Args:
        values: of each track, ascending.
    """

    def __init__(self, values: Kept) -> None:
        self.values = values
        self.each = values.shape[1]
        tracks = np.arange(len(values))
        keys = _keys(tracks[:, None], values)
        self._keys = keys.reshape(-1)

    def ranks(
        self,
        tracks: Tracks,
        values: Values,
    ) -> Counts:
        """Among the kept values of its track, how many are smaller than each, and how many smaller or equal, added."""
        asked = _keys(tracks, values)
        lower = np.searchsorted(self._keys, asked, side="left")
        upper = np.searchsorted(self._keys, asked, side="right")
        ranks: Counts = lower + upper - 2 * self.each * tracks
        return ranks


def _keys(tracks: Int64[np.ndarray, "*#shape"], values: Floats) -> Int64[np.ndarray, "*shape"]:
    """Numbers that are ordered as track and, of one track, value.

    Floats of one sign are ordered as their bits: 1 is 3f800000, 2 is 40000000; of negative ones the larger bits are the
    smaller value. So those are taken from zero downwards, and −0, which no value is, would stand at 0.
    """
    bits = values.view(np.int32) & _SIZE
    sizes = bits.astype(np.int64)
    ordered = np.where(values < 0, -sizes, sizes)
    # room for either sign between two tracks
    firsts = tracks.astype(np.int64) << 33
    return firsts + ordered


def _phred(part: Float64[np.ndarray, "*shape"]) -> Floats:
    """−10 log10 of a part of the null; 0 and not −0 of all of it."""
    exact = 0 - 10 * np.log10(part)
    phred: Floats = exact.astype(np.float32)
    return phred


def _places(
    values: Floats,
    base: Bases,
) -> Places:
    """Where the bins of values stand in the half of a track's table that has their sign, from 0 on.

    0 is for 0, 1 for what is smaller than all bins, then come the bins, of which `base` is the first, and behind them
    what is larger.
    """
    sizes = values.view(np.int32) & _SIZE
    sizes >>= _BELOW_BINS
    places: Places = np.clip(sizes - base, -1, _BINS)
    places += 2
    # whose exponent is the smallest, is 0 or as good as that
    places[sizes < 1 << BITS] = 0
    return places


def _with_sign(
    places: Places,
    values: Floats,
) -> Places:
    """Negative where the values are.

    The sign's bit, spread over all 32, is −1 or 0: 5 ^ −1 is −6, and −6 − −1 is −5; 5 ^ 0 − 0 is 5.
    """
    spread = values.view(np.int32) >> np.int32(31)
    signed: Places = (places ^ spread) - spread
    return signed


def _signed_places(
    values: Values,
    base: np.int32,
) -> Places:
    places = _places(values, base)
    return _with_sign(places, values) + _NOTHING


def _base(bins: Bins) -> int:
    """The number of the bin with which a track's table begins, 32 octaves below the end of its largest value's."""
    sizes = np.abs(bins.edges)
    largest = int(bin_numbers(sizes).max())
    octave = largest >> BITS
    end = (octave + 1) << BITS
    return max(end - _BINS, 0)


def _zeros(bins: Bins) -> int:
    is_0 = bins.edges == 0
    return int(bins.counts[is_0].sum())
