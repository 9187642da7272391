"""Alleles trimmed and left-aligned against the genome, so that one change is written in one way.

Gives what `bcftools norm -m-any` gives (Tan, Abecasis and Kang 2015, Unified representation of genetic variants): split
alleles lose the bases they share at the right, indels are shifted to the left as far as they go, and bases shared at
the left go but for one. MNVs stay whole. One difference: an indel is not shifted onto an N. Positions are 0-based.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64, UInt8

from enformer_core.bases import N_CODE, decode

_STEP_BP = 64  # letters that are looked at together on the way to the left
_MOST_STEP_BP = 1 << 16


@dataclass(frozen=True)
class Normalised:
    """Columns of alleles in their normal form."""

    start: Int64[np.ndarray, " rows"]
    ref: pa.Array
    alt: pa.Array


def normalise(
    start: Int64[np.ndarray, " rows"], ref: pa.Array, alt: pa.Array, codes: UInt8[np.ndarray, " length"]
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
    genome = _Leftwards(codes)
    pairs = zip(start[rows].tolist(), ref.take(index).to_pylist(), alt.take(index).to_pylist(), strict=True)
    forms = [_normal_form(genome, *each) for each in pairs]
    changed = np.zeros(start.size, dtype=bool)
    changed[rows] = True
    moved = start.copy()
    moved[rows] = [form[0] for form in forms]
    mask = pa.array(changed)
    return Normalised(
        moved,
        pc.replace_with_mask(ref, mask, pa.array([form[1] for form in forms], pa.string())),
        pc.replace_with_mask(alt, mask, pa.array([form[2] for form in forms], pa.string())),
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


class _Leftwards:
    """Letters of a contig, by position, fetched in pieces on the way to the left."""

    def __init__(self, codes: UInt8[np.ndarray, " length"]) -> None:
        self._codes = codes
        self._first, self._letters, self._step = 0, "", _STEP_BP

    def begin(self) -> None:
        """Take small pieces again."""
        self._step = _STEP_BP

    def letter(self, position: int) -> str:
        """The letter there."""
        if not 0 <= position - self._first < len(self._letters):
            self._first = max(position + 1 - self._step, 0)
            self._letters = decode(np.asarray(self._codes[self._first : position + 1]))
            self._step = min(self._step * 4, _MOST_STEP_BP)
        return self._letters[position - self._first]

    def between(self, start: int, end: int) -> str:
        """The letters of [start, end)."""
        return decode(np.asarray(self._codes[start:end]))

    def is_known(self, position: int) -> bool:
        """Whether there is a base, and it is no N."""
        return position >= 0 and bool(self._codes[position] != N_CODE)


def _normal_form(genome: _Leftwards, start: int, ref: str, alt: str) -> tuple[int, str, str]:
    right = _shared(ref[::-1], alt[::-1], min(len(ref), len(alt)) - 1)
    if right:
        ref, alt = ref[:-right], alt[:-right]
    if ref[-1] == alt[-1]:  # one of them has a single base left
        start, ref, alt = _shifted(genome, start, ref, alt)
    left = _shared(ref, alt, min(len(ref), len(alt)) - 1)
    return start + left, ref[left:], alt[left:]


def _shifted(genome: _Leftwards, start: int, ref: str, alt: str) -> tuple[int, str, str]:
    """An allele of one base, and a longer one that ends in it, moved to the left while that stays so."""
    longer = max(ref, alt, key=len)
    size, by = len(longer), 0
    short_last = long_last = longer[-1]
    genome.begin()
    while short_last == long_last and genome.is_known(start - by - 1):
        by += 1
        short_last = genome.letter(start - by)
        # After `by` steps the longer allele is the genome's `by` letters before it and its own first ones.
        long_last = longer[size - 1 - by] if by < size else genome.letter(start - by + size - 1)
    moved = (genome.between(start - by, start) + longer)[:size]
    pair = (moved, moved[0]) if len(ref) == size else (moved[0], moved)
    if not by:
        return start, ref, alt
    return start - by, *pair


def _shared(one: str, other: str, most: int) -> int:
    """How many of the first letters are the same; `most` at most."""
    count = 0
    while count < most and one[count] == other[count]:
        count += 1
    return count
