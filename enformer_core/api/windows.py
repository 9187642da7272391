"""The window that a region or a bare sequence stands for, and the base codes in it.

Knows regions, sequences and lengths. Does not know variants or models.
"""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import N_CODE, Codes, encode
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import find_region
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.windows import Window, reference_sequence
from enformer_core.words import counted

_ONE_BASE = re.compile(r"(?P<contig>.+):(?P<base>[\d,]+)")
_LONGEST_NAME = (
    30  # of a contig that the genome does not have; more letters without a colon are a sequence
)


@dataclass(frozen=True)
class GenomeWindow:
    """A window of the genome; `start` is negative where it begins before the contig."""

    genome: Genome
    contig: str
    start: int
    window_bp: int

    def codes(self, window: Window) -> UInt8[np.ndarray, " length"]:
        """Base codes of the window, wherever it was moved to; N beyond the contig's ends."""
        return reference_sequence(self.genome, self.contig, window, self.window_bp)


@dataclass(frozen=True)
class SequenceWindow:
    """A bare sequence, as long as a window, which therefore begins at its base 0."""

    letters: Codes
    contig: None = None
    start: int = 0

    def codes(self, window: Window) -> UInt8[np.ndarray, " length"]:
        """Base codes of the window, wherever it was moved to; N beyond the sequence's ends."""
        # moved by 2, ACGT reads GTNN; by -2, NNAC
        size = self.letters.size
        moved = np.full(size, N_CODE, dtype=np.uint8)
        first = max(-window.start, 0)
        inside = self.letters[max(window.start, 0) : max(window.start + size, 0)]
        moved[first : first + inside.size] = inside
        return moved


def find_window(where: object, genome: Genome, geometry: Geometry) -> GenomeWindow | SequenceWindow:
    """The window of a region, whose middle it has, or of a sequence.

    Args:
        where: a text of either, or anything else that a user gives for one.
        genome: that has the region.
        geometry: of the model.

    Raises:
        InputError: for a region that the genome does not have or no window holds; a sequence of another length.
    """
    if not isinstance(where, str):
        raise InputError(
            f"{where!r}: neither a region nor a sequence. Give text: 'chr20:4,600,000-4,796,608', or the letters of a "
            "whole window"
        )
    text = "".join(where.split())
    if ":" in text or len(text) <= _LONGEST_NAME or text in genome.contigs:
        return _region(text, genome, geometry)
    return _sequence(text, geometry)


def _sequence(letters: str, geometry: Geometry) -> SequenceWindow:
    try:
        codes = encode(letters)
    except ValueError as error:
        raise InputError(f"a sequence of {counted(len(letters), 'letters')}: {error}") from error
    if codes.size != geometry.window_bp:
        raise InputError(
            f"a sequence of {counted(codes.size, 'bases')}: the model reads {geometry.window_bp:,} and predicts "
            f"the middle {geometry.output_bp:,}. Cut it, or put as many N on either side."
        )
    return SequenceWindow(codes)


def _region(text: str, genome: Genome, geometry: Geometry) -> GenomeWindow:
    if (base := _ONE_BASE.fullmatch(text)) and text not in genome.contigs:
        text = f"{base['contig']}:{base['base']}-{base['base']}"
    contig, start, end = find_region(text, genome)
    # `1,000-2,000` is 1,001 bases with both ends; who writes a window so means the bases from 1,000 on
    longest_bp = geometry.window_bp + 1
    if end - start > longest_bp:
        raise InputError(
            f"{text}: {end - start:,} bases; one window is {geometry.window_bp:,}, of which the middle "
            f"{geometry.output_bp:,} are predicted. Give a shorter region, or ask for several; "
            "`enformer-ray tiles --regions` predicts regions of any length."
        )
    # A region of 1 base at 100 and a window of 6 begin at 98: the base is the last of the left half, where a variant is
    # put too. A region of 7, [97, 104), begins at 98, its first base left out.
    beyond_bp = end - start - geometry.window_bp
    return GenomeWindow(genome, contig, start + (beyond_bp + 1) // 2, geometry.window_bp)
