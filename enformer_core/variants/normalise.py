"""Alleles trimmed and left-aligned against the genome, so that one change is written in one way.

Gives what `bcftools norm -m-any` gives (Tan, Abecasis and Kang 2015, Unified representation of genetic variants): split
alleles lose the bases they share at the right, indels are shifted to the left as far as they go, and bases shared at
the left go but for one. MNVs stay whole. One difference: an indel is not shifted onto an N. Positions are 0-based.

    genome  G A C A C T        the deletion of one AC, written at 2 as CACT/CT
            0 1 2 3 4 5
    CACT/CT -> CAC/C           T is shared at the right
    CAC/C -> ACA/A -> GAC/G    both end in the same base, and the genome has A, then G before them: shifted by 2
    GAC/G                      at 0; nothing is shared at the left but for one base

All alleles of a batch are looked at together, some letters of each at a time, for as long as they agree.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, UInt8

from enformer_core.genome.alphabet import N_CODE
from enformer_core.variants.arrow import Mask, Numbers
from enformer_core.variants.letters import Codes, Letters, Steps, firsts, ranges

# Letters that are looked at together: four at first, since most alleles disagree soon; four times as many of those that
# agree in all, up to a bound, so that a long repeat takes few rounds; and of all alleles together no more than fits.
_FIRST_STEPS = 4
_MORE_STEPS = 4
_MOST_STEPS = 1 << 16
_MOST_LETTERS = 1 << 20

Contig = UInt8[np.ndarray, " length"]
StepMask = Bool[np.ndarray, "rows steps"]
Agrees = Callable[[Numbers, Steps], StepMask]
"""Whether, of these alleles, what is so many steps away agrees."""


@dataclass(frozen=True)
class Normalised:
    """Columns of alleles in their normal form."""

    start: Numbers
    ref: pa.Array
    alt: pa.Array


def normalise(
    start: Numbers,
    ref: pa.Array,
    alt: pa.Array,
    codes: Contig,
) -> Normalised:
    """Normal forms of alleles on one contig.

    Args:
        start: first base of REF.
        ref: upper-case letters A, C, G, T, which the contig has at `start`.
        alt: likewise letters; not equal to `ref`.
        codes: base codes of the contig.
    """
    can_change = _can_change(ref, alt)
    rows = np.flatnonzero(can_change)
    if not rows.size:
        return Normalised(start, ref, alt)
    # only these are taken apart into base codes
    index = pa.array(rows)
    refs = Letters.of(ref.take(index))
    alts = Letters.of(alt.take(index))
    new_start, new_refs, new_alts = _normal_forms(start[rows], refs, alts, codes)
    moved = start.copy()
    moved[rows] = new_start
    mask = pa.array(can_change)
    all_refs = pc.replace_with_mask(ref, mask, new_refs.to_arrow())
    all_alts = pc.replace_with_mask(alt, mask, new_alts.to_arrow())
    return Normalised(moved, all_refs, all_alts)


def trimmed_bp(ref: str, alt: str) -> int:
    """Length of the longer allele without the bases that both share at the ends, but for one."""
    right = _shared_bp(ref[::-1], alt[::-1])
    ref = ref[: len(ref) - right]
    alt = alt[: len(alt) - right]
    left = _shared_bp(ref, alt)
    return max(len(ref), len(alt)) - left


def _shared_bp(one: str, other: str) -> int:
    """How many of the first letters are the same; one of the shorter stays."""
    most = min(len(one), len(other)) - 1
    count = 0
    while count < most and one[count] == other[count]:
        count += 1
    return count


def _can_change(ref: pa.Array, alt: pa.Array) -> Mask:
    """Whether alleles may have another normal form: the last letters are the same, or the first are and there are more.

    Of the rows of a large file few do; the others are never taken apart.
    """
    ref_bp = np.asarray(pc.binary_length(ref))
    alt_bp = np.asarray(pc.binary_length(alt))
    can_change = np.zeros(len(ref), dtype=bool)
    # a single base for another is in its normal form
    rows = np.flatnonzero((ref_bp > 1) | (alt_bp > 1))
    if not rows.size:
        return can_change
    index = pa.array(rows)
    ref = ref.take(index)
    alt = alt.take(index)
    same_first = _same_letter(ref, alt, 0, 1)
    same_last = _same_letter(ref, alt, -1, None)
    shorter_bp = np.minimum(ref_bp, alt_bp)
    have_more = shorter_bp[rows] > 1
    # A/AC begin alike, and the shared base is the one that stays
    can_lose_first = same_first & have_more
    can_change[rows] = same_last | can_lose_first
    return can_change


def _same_letter(
    ref: pa.Array,
    alt: pa.Array,
    begin: int,
    end: int | None,
) -> Mask:
    of_ref = pc.utf8_slice_codeunits(ref, begin, end)
    of_alt = pc.utf8_slice_codeunits(alt, begin, end)
    return np.asarray(pc.equal(of_ref, of_alt))


def _normal_forms(
    start: Numbers,
    ref: Letters,
    alt: Letters,
    codes: Contig,
) -> tuple[Numbers, Letters, Letters]:
    """The three steps of the normal form: trim the right, shift to the left, trim the left."""

    def ends_alike(rows: Numbers, steps: Steps) -> StepMask:
        of_ref = ref.from_right(rows, steps)
        of_alt = alt.from_right(rows, steps)
        return of_ref == of_alt

    right = _how_far(ends_alike, most=_trimmable_bp(ref, alt))
    ref_to_shift = ref.without(0, right)
    alt_to_shift = alt.without(0, right)
    start, shifted_ref, shifted_alt = _shifted(start, ref_to_shift, alt_to_shift, codes)

    def begins_alike(rows: Numbers, steps: Steps) -> StepMask:
        of_ref = shifted_ref.from_left(rows, steps)
        of_alt = shifted_alt.from_left(rows, steps)
        return of_ref == of_alt

    left = _how_far(begins_alike, most=_trimmable_bp(shifted_ref, shifted_alt))
    final_ref = shifted_ref.without(left, 0)
    final_alt = shifted_alt.without(left, 0)
    return start + left, final_ref, final_alt


def _trimmable_bp(ref: Letters, alt: Letters) -> Numbers:
    """Bases that an end can lose at most: one of the shorter allele stays."""
    return np.minimum(ref.bp, alt.bp) - 1


@dataclass(frozen=True)
class _Indels:
    """Insertions and deletions that end in the base that is the other allele: CAC/C, or C/CAC.

    A place is counted from the longer allele's first base; before it, at negative places, is the genome. After s steps
    to the left the longer allele is what stands at the places -s to bp - s - 1, and the other is at -s:

        genome G A, then C A C     places -2 -1 0 1 2
        0 steps: places 0 to 2, CAC/C;  1 step: -1 to 1, ACA/A;  2 steps: -2 to 0, GAC/G

    Attributes:
        start: of the genome, where the alleles are.
        longer: letters of the longer allele.
        codes: base codes of the contig.
    """

    start: Numbers
    longer: Letters
    codes: Contig

    def letters(self, rows: Numbers, places: Steps) -> Codes:
        """What stands at these places; none is behind the allele's last base."""
        is_own = places >= 0
        in_allele = self.longer.first[rows, None] + places
        in_genome = self.start[rows, None] + places
        # both are looked up everywhere, at 0 where the other is meant
        index_in_allele = np.where(is_own, in_allele, 0)
        index_in_genome = np.where(is_own, 0, in_genome)
        own = self.longer.codes[index_in_allele]
        genome = self.codes[index_in_genome]
        return np.where(is_own, own, genome)

    def can_step(self, rows: Numbers, steps: Steps) -> StepMask:
        """Whether alleles that have gone so many steps can go one more: both end alike, and no N is before them.

        Steps are fewer than `start`, so that there is a base before them.
        """
        last_place = self.longer.bp[rows, None] - 1 - steps
        last_of_other = self.letters(rows, -steps)
        last_of_longer = self.letters(rows, last_place)
        ends_alike = last_of_other == last_of_longer
        # place 0 is the longer allele's first base, which the other allele need not be before the first step; but they
        # are known to end alike there
        ends_alike |= steps == 0
        before = self.start[rows, None] - 1 - steps
        is_known = self.codes[before] != N_CODE
        return ends_alike & is_known

    def moved(self, rows: Numbers, by: Numbers) -> Letters:
        """The longer alleles of these rows, so many steps to the left."""
        bp = self.longer.bp[rows]
        places = ranges(-by, bp)
        # as if each letter were an allele of which one place is asked
        row_of_each = np.repeat(rows, bp)
        letters = self.letters(row_of_each, places[:, None])
        return Letters(letters[:, 0], firsts(bp), bp)


def _shifted(
    start: Numbers,
    ref: Letters,
    alt: Letters,
    codes: Contig,
) -> tuple[Numbers, Letters, Letters]:
    """Indels moved left while both alleles end in the same base; after the trimming, one of both is that base alone."""
    rows = np.flatnonzero(ref.last() == alt.last())
    ref_is_longer = ref.bp[rows] > alt.bp[rows]
    longer = _chosen(ref_is_longer, ref, alt, rows)
    indels = _Indels(start[rows], longer, codes)
    # the contig begins `start` bases before
    by = _how_far(indels.can_step, most=start[rows])
    moving = np.flatnonzero(by)
    by = by[moving]
    rows = rows[moving]
    ref_is_longer = ref_is_longer[moving]
    longer = indels.moved(moving, by)
    # the other allele is the base that both begin with
    ref = ref.replaced(rows, _only_first(longer, where=~ref_is_longer))
    alt = alt.replaced(rows, _only_first(longer, where=ref_is_longer))
    start = start.copy()
    start[rows] -= by
    return start, ref, alt


def _chosen(
    is_ref: Mask,
    ref: Letters,
    alt: Letters,
    rows: Numbers,
) -> Letters:
    """Of each of these rows one allele, REF where that is wanted."""
    # letters of both end to end: ALT's begin behind REF's
    codes = np.concatenate([ref.codes, alt.codes])
    alt_first = alt.first[rows] + ref.codes.size
    first = np.where(is_ref, ref.first[rows], alt_first)
    bp = np.where(is_ref, ref.bp[rows], alt.bp[rows])
    return Letters(codes, first, bp)


def _only_first(letters: Letters, *, where: Mask) -> Letters:
    """The alleles, of these rows their first base alone."""
    bp = np.where(where, 1, letters.bp)
    return Letters(letters.codes, letters.first, bp)


def _how_far(agrees: Agrees, most: Numbers) -> Numbers:
    """How many steps agree, of each row, from the first on; `most` at most.

    All rows take 4 steps at a time, those that agree in all 4 the next 16, those that agree again 64. Rows that agree
    in 2, 4 + 3 and all 6 steps with most 9, 9, 6 are at 2, 4, 4 after the first round, and at 2, 7, 6 after the second.
    """
    agreed = np.zeros(most.size, dtype=np.int64)
    going = np.flatnonzero(most > 0)
    step = _FIRST_STEPS
    while going.size:
        at_once = max(_MOST_LETTERS // step, 1)
        still_going = []
        # in parts, so that alleles times steps stay within memory
        for begin in range(0, going.size, at_once):
            rows = going[begin : begin + at_once]
            steps = agreed[rows, None] + np.arange(step)
            is_inside = steps < most[rows, None]
            # steps beyond the most may lie outside the letters: they look at the first instead, and do not count
            safe_steps = np.where(is_inside, steps, 0)
            same = is_inside & agrees(rows, safe_steps)
            all_same = same.all(axis=1)
            # of True True False True the first False is at 2, and so many agree
            first_other = same.argmin(axis=1)
            agreed[rows] += np.where(all_same, step, first_other)
            still_going.append(rows[all_same])
        going = np.concatenate(still_going)
        step = min(step * _MORE_STEPS, _MOST_STEPS)
    return agreed
