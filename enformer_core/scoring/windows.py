"""Which window a variant is scored in, and the sequence of either allele there.

Knows intervals and the rules for insertions and deletions. Does not know models or statistics. Positions are 0-based
and half-open.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from jaxtyping import Int64, UInt8

from enformer_core.genome.alphabet import encode
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.conventions import Conventions, WindowRule


@dataclass(frozen=True)
class Allele:
    """One alternate allele: bases [start, start + len(ref)) of `contig` become `alt`."""

    contig: str
    start: int
    ref: str
    alt: str

    @property
    def gain_bp(self) -> int:
        """Bases that the sequence grows by; negative for a deletion."""
        return len(self.alt) - len(self.ref)


@dataclass(frozen=True)
class Window:
    """A window, and where in its prediction the bins that are used begin.

    A prediction may be stitched of several windows: each gives the bins from its own `first_bin` to the next one's.

    Attributes:
        start: first base on the genome; negative near a contig's start.
        trim_bp: bases cut off the left of a sequence that is longer than a window, after the allele is put in.
        first_bin: first output bin that is taken from it.
    """

    start: int
    trim_bp: int = 0
    first_bin: int = 0

    def moved(self, shift_bp: int) -> "Window":
        """The same window over other sequence."""
        return Window(self.start + shift_bp, self.trim_bp, self.first_bin)


Positions = TypeVar("Positions", int, Int64[np.ndarray, " alleles"])


def window_start(allele_start: Positions, conventions: Conventions) -> Positions:
    """First base of the window that an allele is scored in; negative near a contig's start.

    It depends on the allele's own place alone, never on what else is scored.

    Args:
        allele_start: first base of the allele, or of many.
        conventions: without an offset the allele's first base comes to lie at `centre_index`. With one, windows start
            at multiples of twice the offset, rounded down to whole tokens, and the nearest is taken.
    """
    centred = allele_start - conventions.centre_index
    if not conventions.max_offset_bp:
        return centred
    # With offsets up to 320 bp and tokens of 128 bp, windows start every 640 bp: starts 320 … 959 take the window at
    # 640. Whole tokens, though bins may be smaller: tokens of the tower are what such windows have in common.
    token_bp = conventions.geometry.token_bp
    step_bp = 2 * conventions.max_offset_bp // token_bp * token_bp
    return (centred + step_bp // 2) // step_bp * step_bp


def reference_windows(
    allele: Allele,
    start: int,
    rule: WindowRule,
    stitch_bin: int,
) -> tuple[Window, ...]:
    """Windows of the genome's own sequence that are held against the alternate ones.

    Args:
        allele: what changes.
        start: first base of the window around it.
        rule: `left-fixed`: the window itself. `centre-trim` (calico/basenji, vcf.py:168-236): it is read further to
            the right by a deletion's length, and half of that is cut off its left. `stitched` (calico/baskerville,
            snps.py, `--indel_stitch`): right of a deletion the bins come from a window that follows the right flank.
            `right-fixed`: the window is moved by a deletion's length, so that its right flank lies as the alternate's.
        stitch_bin: the bin where the second window takes over.
    """
    # A deletion of 6 bp, window at 1,000. left-fixed: 1,000. centre-trim: 1,003, for the alternate's 1,000 … reads 6 bp
    # further on the right. stitched: 1,000 up to the stitch, and behind it 1,006, where the right flanks lie alike.
    lost_bp = max(-allele.gain_bp, 0)
    if rule == "centre-trim":
        return (Window(start + lost_bp // 2),)
    if rule == "right-fixed":
        return (Window(start + lost_bp),)
    if rule == "stitched" and lost_bp:
        return Window(start), Window(start + lost_bp, first_bin=stitch_bin)
    return (Window(start),)


def alternate_windows(
    allele: Allele,
    start: int,
    rule: WindowRule,
    stitch_bin: int,
) -> tuple[Window, ...]:
    """Windows of the edited sequence; arguments as for `reference_windows`.

    `left-fixed`: the left flank stays, the right end is cut or extended. `centre-trim`: half of an insertion is cut off
    the left. `stitched`: right of an insertion the bins come from a window whose right flank lies as the genome's does.
    `right-fixed`: all of an insertion's length is cut off the left, so that the right flank lies as the genome's.
    """
    # An insertion of 6 bp, window at 1,000. centre-trim: 6 bp more are put together and 3 cut off the left. stitched:
    # the first window is left-fixed; behind the stitch all 6 are cut off the left, so that the right flank lies as
    # the genome's.
    gained_bp = max(allele.gain_bp, 0)
    if rule == "centre-trim":
        return (Window(start, trim_bp=gained_bp // 2),)
    if rule == "right-fixed":
        return (Window(start, trim_bp=gained_bp),)
    if rule == "stitched" and gained_bp:
        return Window(start), Window(start, trim_bp=gained_bp, first_bin=stitch_bin)
    return (Window(start),)


@dataclass(frozen=True)
class Pairing:
    """Windows of both alleles, of whose predictions statistics are made; an allele's scores are the mean over its own.

    Attributes:
        rule: by which the windows keep their length.
        references: windows of the genome's own sequence.
        alternates: those of the edited one.
    """

    rule: WindowRule
    references: tuple[Window, ...]
    alternates: tuple[Window, ...]

    def moved(self, shift_bp: int) -> "Pairing":
        """The same windows over other sequence."""
        references = tuple(window.moved(shift_bp) for window in self.references)
        alternates = tuple(window.moved(shift_bp) for window in self.alternates)
        return Pairing(self.rule, references, alternates)


def pairings(
    allele: Allele, start: int, conventions: Conventions, shift_bp: int
) -> tuple[Pairing, ...]:
    """The pairings of an allele at one of the scored shifts; one that keeps the length has a single one.

    Args:
        allele: what changes.
        start: first base of the window around it, before it is moved.
        conventions: which rules there are.
        shift_bp: by how much all windows are moved.
    """
    # compensated (calico/baskerville, snps.py:602-746), a deletion of 6 bp at shift 1, window at 1,000: references
    # 1,001 and 1,007, beside them the alternate 1,001 twice. An insertion: the reference 1,001 twice, beside it the
    # alternate 1,001 whole, and with 6 bp cut off its left.
    offset_bp = conventions.offset_bp(allele.start, start)
    stitch_bin = conventions.stitch_bin(offset_bp)
    rules = conventions.window_rules
    unmoved = (
        Pairing(
            rule,
            reference_windows(allele, start, rule, stitch_bin),
            alternate_windows(allele, start, rule, stitch_bin),
        )
        for rule in (rules if allele.gain_bp else rules[:1])
    )
    return tuple(pairing.moved(shift_bp) for pairing in unmoved)


def reference_sequence(
    genome: Genome,
    contig: str,
    window: Window,
    length_bp: int,
) -> UInt8[np.ndarray, " length"]:
    """Base codes of the genome's own sequence; N beyond the contig's ends."""
    return genome.fetch(contig, window.start, window.start + length_bp)


def alternate_sequence(
    genome: Genome,
    allele: Allele,
    window: Window,
    length_bp: int,
) -> UInt8[np.ndarray, " length"]:
    """Base codes of a window with the alternate allele put in.

    genome[start, allele.start) + ALT + genome[allele.start + len(REF), …), as long as the trim and the window together,
    then trimmed: an insertion pushes the right flank out at the end, a deletion draws real sequence in (N beyond the
    contig's end). The allele's first base must lie inside.
    """
    untrimmed_bp = length_bp + window.trim_bp
    left_bp = allele.start - window.start
    if not 0 <= left_bp < untrimmed_bp:
        raise ValueError(
            f"{allele} does not begin in the window [{window.start}, {window.start + untrimmed_bp})"
        )
    alt = encode(allele.alt)[: untrimmed_bp - left_bp]
    right_bp = untrimmed_bp - left_bp - alt.size
    right_start = allele.start + len(allele.ref)
    left_flank = genome.fetch(allele.contig, window.start, allele.start)
    right_flank = genome.fetch(allele.contig, right_start, right_start + right_bp)
    return np.concatenate([left_flank, alt, right_flank])[window.trim_bp :]


@dataclass(frozen=True)
class Comparison:
    """A reference and an alternate window whose predictions are held against each other in a run of output bins."""

    reference: Window
    alternate: Window
    bins: range


def replaced_bases(
    genome: Genome,
    allele: Allele,
    comparison: Comparison,
    window: Window,
    length_bp: int,
) -> tuple[int, UInt8[np.ndarray, " bases"]]:
    """Where an alternate window may differ from the reference window that it is compared with, and its bases there.

    Of as many bases in the place of others these are the allele's; otherwise all of the window's.

    Args:
        genome: the reference.
        allele: what is put in.
        comparison: of two windows.
        window: the alternate one, where it is read.
        length_bp: of a window.

    Returns:
        The window's first such base, and the base codes from there on.
    """
    begin_bp = allele.start - window.start
    is_in_place = allele.gain_bp == 0 and comparison.reference == comparison.alternate
    if is_in_place and window.trim_bp == 0 and 0 <= begin_bp < length_bp:
        return begin_bp, encode(allele.alt)[: length_bp - begin_bp]
    return 0, alternate_sequence(genome, allele, window, length_bp)


def compared_windows(
    references: tuple[Window, ...],
    alternates: tuple[Window, ...],
    bins: int,
) -> tuple[Comparison, ...]:
    """Cut stitched predictions where either changes its window, so that each piece compares two windows only.

    Args:
        references: windows of the reference, in order of their first bins, the first from bin 0.
        alternates: the same for the alternate sequence.
        bins: predicted bins.
    """
    # A stitched deletion: references (R from bin 0, R' from 448), alternate (A from 0), 896 bins.
    # Cuts 0, 448, 896: R against A in bins 0 … 448, R' against A in bins 448 … 896.
    first_bins = {window.first_bin for window in (*references, *alternates)}
    cuts = sorted(first_bins | {bins})
    return tuple(
        Comparison(_serving(references, first), _serving(alternates, first), range(first, last))
        for first, last in pairwise(cuts)
    )


def _serving(windows: tuple[Window, ...], first_bin: int) -> Window:
    """The window that gives the bins from `first_bin` on: the last that begins there or before."""
    return [window for window in windows if window.first_bin <= first_bin][-1]
