"""In which output bins bases of the genome lie, in the reference's profile and in the alternate's.

An insertion or deletion moves bases within the alternate window, or within both, as the rule for indels has it. Where
windows are averaged over shifts, bins are those of the one that is not shifted. Knows alleles and windows as columns.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from enformer_core.scoring.conventions import Conventions, WindowRule
from enformer_core.scoring.windows import Allele

Pairs = Int64[np.ndarray, " pairs"]
"""One number for each pair of an allele and a base."""

PairMask = Bool[np.ndarray, " pairs"]


@dataclass(frozen=True)
class Placements:
    """Alleles as columns, each with the window that it is scored in.

    Attributes:
        start: first base of each allele.
        ref_bp: bases of REF.
        alt_bp: bases of ALT.
        window: first base of its window.
    """

    start: Pairs
    ref_bp: Pairs
    alt_bp: Pairs
    window: Pairs

    @classmethod
    def of(cls, allele: Allele, window: int) -> "Placements":
        """A single allele, as columns of one row."""
        return cls(
            start=np.array([allele.start]),
            ref_bp=np.array([len(allele.ref)]),
            alt_bp=np.array([len(allele.alt)]),
            window=np.array([window]),
        )

    @property
    def gain_bp(self) -> Pairs:
        """Bases by which each sequence grows; negative for deletions."""
        return self.alt_bp - self.ref_bp

    def take(self, rows: Pairs) -> "Placements":
        """Some alleles, in any order, as often as they are named."""
        return Placements(
            start=self.start[rows],
            ref_bp=self.ref_bp[rows],
            alt_bp=self.alt_bp[rows],
            window=self.window[rows],
        )


@dataclass(frozen=True)
class BaseBins:
    """The bins of some bases in both profiles; below 0 or beyond the last where nothing is predicted.

    Attributes:
        reference: bins of the reference's profile.
        alternate: bins of the alternate's.
        count: how many bins are predicted.
    """

    reference: Pairs
    alternate: Pairs
    count: int

    @property
    def is_predicted(self) -> PairMask:
        """Whether a base lies in the output of both."""
        lowest = np.minimum(self.reference, self.alternate)
        highest = np.maximum(self.reference, self.alternate)
        return (lowest >= 0) & (highest < self.count)

    def take(self, chosen: PairMask) -> "BaseBins":
        """Those of some bases."""
        return BaseBins(self.reference[chosen], self.alternate[chosen], self.count)


def bins_of_bases(
    placements: Placements,
    positions: Pairs,
    conventions: Conventions,
    rule: WindowRule,
) -> BaseBins:
    """Where bases lie, in both profiles of the allele of each.

    Args:
        placements: an allele for each base.
        positions: of the bases on the genome.
        conventions: of what model, and how it is asked.
        rule: by which an indel keeps the window's length.
    """
    # `stitched` takes another window from the base after the variant's first on
    is_right = positions > placements.start
    moved_bp, trimmed_bp = _cut_off(rule, placements.gain_bp, is_right)
    in_reference = positions - placements.window - moved_bp
    edited = _edited(placements, positions)
    in_alternate = edited - placements.window - trimmed_bp
    reference = _output_bins(in_reference, conventions)
    alternate = _output_bins(in_alternate, conventions)
    if rule == "stitched":
        # of a deletion the reference's profile is made of two windows, of an insertion the alternate's
        after_first = placements.start - placements.window + 1
        stitch = _output_bins(after_first, conventions)
        own_reference = _in_own_half(reference, stitch, is_right)
        own_alternate = _in_own_half(alternate, stitch, is_right)
        reference = np.where(placements.gain_bp < 0, own_reference, reference)
        alternate = np.where(placements.gain_bp > 0, own_alternate, alternate)
    return BaseBins(reference, alternate, conventions.geometry.bins)


def predicted_in_both(
    allele: Allele,
    window: int,
    conventions: Conventions,
    rule: WindowRule,
) -> tuple[int, int]:
    """The bases that lie in the output of both sequences: the first, and the one after the last."""
    left = window + conventions.geometry.crop_bp
    right = left + conventions.geometry.output_bp
    # either end is no further away than bases are moved
    moved_bp = abs(allele.gain_bp)
    near = np.arange(-moved_bp - 1, moved_bp + 1)
    positions = np.concatenate([left + near, right + near])
    bins = bins_of_allele(allele, window, positions, conventions, rule)
    inside = positions[bins.is_predicted]
    return int(inside.min()), int(inside.max()) + 1


def bins_of_allele(
    allele: Allele,
    window: int,
    positions: Pairs,
    conventions: Conventions,
    rule: WindowRule,
) -> BaseBins:
    """As `bins_of_bases`, for bases of one allele."""
    # the allele beside each of its bases, as its row is taken again and again
    row = np.zeros(positions.size, dtype=np.int64)
    placements = Placements.of(allele, window).take(row)
    return bins_of_bases(placements, positions, conventions, rule)


def _output_bins(index: Pairs, conventions: Conventions) -> Pairs:
    geometry = conventions.geometry
    # rounded down, also below 0: what lies before the output must not come to lie in its first bin
    in_output_bp = index - geometry.crop_bp
    return in_output_bp // geometry.bin_bp


def _cut_off(
    rule: WindowRule,
    gain_bp: Pairs,
    is_right: PairMask,
) -> tuple[Pairs, Pairs]:
    """By how much the reference window begins further right, and what is cut off the alternate's left: `windows`."""
    lost_bp = np.maximum(-gain_bp, 0)
    gained_bp = np.maximum(gain_bp, 0)
    if rule == "centre-trim":
        return lost_bp // 2, gained_bp // 2
    if rule == "right-fixed":
        return lost_bp, gained_bp
    if rule == "stitched":
        moved_bp = np.where(is_right, lost_bp, 0)
        trimmed_bp = np.where(is_right, gained_bp, 0)
        return moved_bp, trimmed_bp
    # `left-fixed`: both sequences begin with the same base
    nothing = np.zeros_like(gain_bp)
    return nothing, nothing


def _edited(placements: Placements, positions: Pairs) -> Pairs:
    """Where bases of the genome lie once the allele is put in; left of it where they always lay."""
    # ACGT becomes AG at 10: bases 9 … 14 come to lie at 9 10 11 11 11 12, the deleted ones with the last that is left.
    within = positions - placements.start
    last_left = placements.alt_bp - 1
    replaced = placements.start + np.minimum(within, last_left)
    behind = positions + placements.gain_bp
    edited = np.where(within >= placements.ref_bp, behind, replaced)
    return np.where(within < 0, positions, edited)


def _in_own_half(bins: Pairs, stitch: Pairs, is_right: PairMask) -> Pairs:
    """A half of a stitched profile has the bins up to the stitch, or from it on, and no other."""
    from_stitch = np.maximum(bins, stitch)
    up_to_stitch = np.minimum(bins, stitch - 1)
    return np.where(is_right, from_stitch, up_to_stitch)
