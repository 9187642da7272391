"""Alleles trimmed and left-aligned against the genome, so that one change is written in one way.

Gives what `bcftools norm -m-any` gives (Tan, Abecasis and Kang 2015, Unified representation of genetic variants): split
alleles lose the bases they share at the right, indels are shifted to the left as far as they go, and bases shared at
the left go but for one. MNVs stay whole. One difference: an indel is not shifted onto an N. Positions are 0-based.

All alleles of a batch are looked at together, some letters of each at a time, for as long as they agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt8

from enformer_core.genome.alphabet import N_CODE, decode, encode

_STEP_BP = (
    4  # letters that are looked at together at first; four times as many where they all agree
)
_MOST_STEP_BP = 1 << 16
_MOST_LETTERS = 1 << 20  # of all alleles that are looked at together

Numbers = Int64[np.ndarray, " rows"]
Agrees = Callable[[Numbers, Int64[np.ndarray, "rows step"]], Bool[np.ndarray, "rows step"]]
"""Whether the letters of these alleles agree so many steps away."""


@dataclass(frozen=True)
class Normalised:
    """Columns of alleles in their normal form."""

    start: Int64[np.ndarray, " rows"]
    ref: pa.Array
    alt: pa.Array


def normalise(
    start: Int64[np.ndarray, " rows"],
    ref: pa.Array,
    alt: pa.Array,
    codes: UInt8[np.ndarray, " length"],
) -> Normalised:
    """Normal forms of alleles on one contig.

    Args:
        start: first base of REF.
        ref: upper-case letters A, C, G, T, which the contig has at `start`.
        alt: likewise letters; not equal to `ref`.
        codes: base codes of the contig.
    """
    rows = np.flatnonzero(_can_change(ref, alt))
    if not rows.size:
        return Normalised(start, ref, alt)
    index = pa.array(rows)
    at, refs, alts = _normal_forms(
        start[rows], _Letters.of(ref.take(index)), _Letters.of(alt.take(index)), codes
    )
    changed = np.zeros(start.size, dtype=bool)
    changed[rows] = True
    moved = start.copy()
    moved[rows] = at
    mask = pa.array(changed)
    return Normalised(
        moved,
        pc.replace_with_mask(ref, mask, refs.to_arrow()),
        pc.replace_with_mask(alt, mask, alts.to_arrow()),
    )


def trimmed_bp(ref: str, alt: str) -> int:
    """Length of the longer allele without the bases that both share at the ends, but for one."""
    right = _shared(ref[::-1], alt[::-1], min(len(ref), len(alt)) - 1)
    ref, alt = ref[: len(ref) - right], alt[: len(alt) - right]
    return max(len(ref), len(alt)) - _shared(ref, alt, min(len(ref), len(alt)) - 1)


def _can_change(ref: pa.Array, alt: pa.Array) -> Bool[np.ndarray, " rows"]:
    """The last letters are the same, or the first are and there are more."""
    ref_bp, alt_bp = (np.asarray(pc.binary_length(column)) for column in (ref, alt))
    rows = np.flatnonzero((ref_bp > 1) | (alt_bp > 1))
    can = np.zeros(len(ref), dtype=bool)
    if rows.size:
        short, long = (column.take(pa.array(rows)) for column in (ref, alt))
        last = pc.equal(pc.utf8_slice_codeunits(short, -1), pc.utf8_slice_codeunits(long, -1))
        first = pc.equal(pc.utf8_slice_codeunits(short, 0, 1), pc.utf8_slice_codeunits(long, 0, 1))
        longer = np.minimum(ref_bp[rows], alt_bp[rows]) > 1
        can[rows] = np.asarray(last) | (np.asarray(first) & longer)
    return can


@dataclass(frozen=True)
class _Letters:
    """Base codes of many alleles, end to end; to trim an allele is to look at less of it.

    Attributes:
        codes: of all.
        first: index of each allele's first base.
        bp: its length.
    """

    codes: UInt8[np.ndarray, " letters"]
    first: Numbers
    bp: Numbers

    @staticmethod
    def of(texts: pa.Array) -> "_Letters":
        """Alleles as read; none is null."""
        bp = np.asarray(pc.binary_length(texts), dtype=np.int64)
        return _Letters(encode("".join(texts.to_pylist())), np.cumsum(bp) - bp, bp)

    def to_arrow(self) -> pa.Array:
        """The alleles as texts."""
        ends = np.cumsum(self.bp)
        letters = decode(
            self.codes[np.arange(self.bp.sum()) + np.repeat(self.first - (ends - self.bp), self.bp)]
        )
        offsets = np.concatenate([[0], ends]).astype(np.int32)
        return pa.Array.from_buffers(
            pa.string(), self.bp.size, [None, pa.py_buffer(offsets), pa.py_buffer(letters.encode())]
        )

    def from_left(
        self, rows: Numbers, steps: Int64[np.ndarray, "rows step"]
    ) -> UInt8[np.ndarray, "rows step"]:
        """The letters so many steps behind each allele's first."""
        return self.codes[self.first[rows, None] + steps]

    def from_right(
        self, rows: Numbers, steps: Int64[np.ndarray, "rows step"]
    ) -> UInt8[np.ndarray, "rows step"]:
        """The letters so many steps before each allele's last."""
        return self.codes[(self.first + self.bp)[rows, None] - 1 - steps]

    def without(self, left: Numbers | int, right: Numbers | int) -> "_Letters":
        """Alleles that lose so many bases at the ends."""
        return _Letters(self.codes, self.first + left, self.bp - left - right)


def _normal_forms(
    start: Numbers, ref: _Letters, alt: _Letters, codes: UInt8[np.ndarray, " length"]
) -> tuple[Numbers, _Letters, _Letters]:
    right = _shared_bp(ref.from_right, alt.from_right, ref, alt)
    ref, alt = ref.without(0, right), alt.without(0, right)
    every, none = np.arange(start.size), np.zeros((start.size, 1), dtype=np.int64)
    ends_alike = (ref.from_right(every, none) == alt.from_right(every, none))[:, 0]
    start, ref, alt = _shifted(np.flatnonzero(ends_alike), start, ref, alt, codes)
    left = _shared_bp(ref.from_left, alt.from_left, ref, alt)
    return start + left, ref.without(left, 0), alt.without(left, 0)


def _shifted(
    rows: Int64[np.ndarray, " some"],
    start: Numbers,
    ref: _Letters,
    alt: _Letters,
    codes: UInt8[np.ndarray, " length"],
) -> tuple[Numbers, _Letters, _Letters]:
    """Of these rows one allele is one base, and the other, longer, ends in it: moved left while that stays so.

    After some steps the longer allele is as many letters of the genome before it, and its own first ones.
    """
    ref_is_longer = ref.bp[rows] > alt.bp[rows]
    bp = np.where(ref_is_longer, ref.bp[rows], alt.bp[rows])
    first = np.where(ref_is_longer, ref.first[rows], alt.first[rows] + ref.codes.size)
    own, at = np.concatenate([ref.codes, alt.codes]), start[rows]

    def letters(
        among: Numbers, place: Int64[np.ndarray, "rows step"]
    ) -> UInt8[np.ndarray, "rows step"]:
        """The genome's before the allele, where the place is negative, and the longer allele's."""
        inside = place >= 0
        of_genome = codes[np.where(inside, 0, at[among, None] + place)]
        return np.where(inside, own[np.where(inside, first[among, None] + place, 0)], of_genome)

    def can_step(
        among: Numbers, steps: Int64[np.ndarray, "rows step"]
    ) -> Bool[np.ndarray, "rows step"]:
        alike = letters(among, -steps) == letters(among, bp[among, None] - 1 - steps)
        return (alike | (steps == 0)) & (codes[at[among, None] - steps - 1] != N_CODE)

    by = _how_far(can_step, at)
    moved_rows = np.flatnonzero(by)
    rows, by, bp = rows[moved_rows], by[moved_rows], bp[moved_rows]
    ends = np.cumsum(bp)
    within = np.arange(bp.sum()) - np.repeat(ends - bp, bp) - np.repeat(by, bp)
    moved = letters(np.repeat(moved_rows, bp), within[:, None])[:, 0]
    start, longer = start.copy(), ref_is_longer[moved_rows]
    start[rows] -= by

    def put(old: _Letters, is_longer: Bool[np.ndarray, " rows"]) -> _Letters:
        new = _Letters(np.concatenate([old.codes, moved]), old.first.copy(), old.bp.copy())
        new.first[rows] = old.codes.size + ends - bp
        new.bp[rows] = np.where(is_longer, bp, 1)
        return new

    return start, put(ref, longer), put(alt, ~longer)


def _shared_bp(
    of_ref: Callable[..., UInt8[np.ndarray, "rows step"]],
    of_alt: Callable[..., UInt8[np.ndarray, "rows step"]],
    ref: _Letters,
    alt: _Letters,
) -> Numbers:
    """Bases that both alleles share at one end; one of each remains."""
    return _how_far(
        lambda rows, steps: of_ref(rows, steps) == of_alt(rows, steps),
        np.minimum(ref.bp, alt.bp) - 1,
    )


def _how_far(agrees: Agrees, most: Numbers) -> Numbers:
    """How many steps from the first on agree, of each row; `most` at most."""
    found = np.zeros(most.size, dtype=np.int64)
    going, step = np.flatnonzero(most > 0), _STEP_BP
    while going.size:
        at_once = max(_MOST_LETTERS // step, 1)
        further = []
        for begin in range(0, going.size, at_once):
            rows = going[begin : begin + at_once]
            steps = found[rows, None] + np.arange(step)
            there = steps < most[rows, None]
            same = there & agrees(rows, np.where(there, steps, 0))
            all_same = same.all(axis=1)
            found[rows] += np.where(all_same, step, same.argmin(axis=1))
            further.append(rows[all_same])
        going, step = np.concatenate(further), min(step * 4, _MOST_STEP_BP)
    return found


def _shared(one: str, other: str, most: int) -> int:
    """How many of the first letters are the same; `most` at most."""
    count = 0
    while count < most and one[count] == other[count]:
        count += 1
    return count
