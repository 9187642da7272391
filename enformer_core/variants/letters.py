"""Letters of many alleles, end to end as base codes, so that all are looked at together.

Does not know what is compared, or why.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64, UInt8

from enformer_core.genome.alphabet import decode, encode
from enformer_core.variants.arrow import Numbers

Steps = Int64[np.ndarray, "rows steps"]
Codes = UInt8[np.ndarray, "rows steps"]


@dataclass(frozen=True)
class Letters:
    """Base codes of many alleles, end to end; to trim an allele is to look at less of it.

    CAC and T are the codes of C, A, C, T with first 0, 3 and bp 3, 1; without a base at the left of the first, first
    is 1, 3 and bp 2, 1.

    Attributes:
        codes: of all.
        first: index of each allele's first base.
        bp: its length.
    """

    codes: UInt8[np.ndarray, " letters"]
    first: Numbers
    bp: Numbers

    @staticmethod
    def of(texts: pa.Array) -> "Letters":
        """Alleles as read; none is null."""
        bp = np.asarray(pc.binary_length(texts), dtype=np.int64)
        end_to_end = "".join(texts.to_pylist())
        codes = encode(end_to_end)
        return Letters(codes, firsts(bp), bp)

    def to_arrow(self) -> pa.Array:
        """The alleles as a column of texts, none of them null."""
        source = ranges(self.first, self.bp)
        letters = decode(self.codes[source]).encode()
        ends = np.cumsum(self.bp)
        # of strings that are not large, offsets have 32 bits
        offsets = np.concatenate([[0], ends]).astype(np.int32)
        # no row is
        is_null = None
        buffers = [
            is_null,
            pa.py_buffer(offsets),
            pa.py_buffer(letters),
        ]
        return pa.Array.from_buffers(pa.string(), ends.size, buffers)

    def from_left(self, rows: Numbers, steps: Steps) -> Codes:
        """The letters so many steps behind each allele's first."""
        first = self.first[rows, None]
        return self.codes[first + steps]

    def from_right(self, rows: Numbers, steps: Steps) -> Codes:
        """The letters so many steps before each allele's last."""
        last = self._last_index()[rows, None]
        return self.codes[last - steps]

    def last(self) -> UInt8[np.ndarray, " rows"]:
        """The last letter of each allele, which has at least one."""
        return self.codes[self._last_index()]

    def _last_index(self) -> Numbers:
        return self.first + self.bp - 1

    def without(self, left: Numbers | int, right: Numbers | int) -> "Letters":
        """Alleles that lose so many bases at the ends."""
        bp = self.bp - left - right
        return Letters(self.codes, self.first + left, bp)

    def replaced(self, rows: Numbers, new: "Letters") -> "Letters":
        """Alleles of which these rows are others."""
        first = self.first.copy()
        bp = self.bp.copy()
        first[rows] = new.first + self.codes.size
        bp[rows] = new.bp
        # the old letters stay where they are, so that the other rows need no copy of theirs
        codes = np.concatenate([self.codes, new.codes])
        return Letters(codes, first, bp)


def firsts(size: Numbers) -> Numbers:
    """Where each of several pieces begins that lie end to end: of the sizes 3, 1, 2 at 0, 3, 4."""
    return np.cumsum(size) - size


def ranges(first: Numbers, size: Numbers) -> Int64[np.ndarray, " total"]:
    """The numbers from each first on, so many of each: of 5, 0 and sizes 2, 3 it is 5, 6, 0, 1, 2."""
    # of that example places are 0 1 2 3 4, pieces begin at 0 and 2, and shifts are 5 5 -2 -2 -2
    shift = first - firsts(size)
    place = np.arange(size.sum())
    return place + np.repeat(shift, size)
