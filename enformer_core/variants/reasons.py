"""Why alleles have no scores, in words: one sentence for each allele, its contig, position and letters in it.

The sentences of a run's column `reason`, of a plan's notes and of Python's refusals are these. Works on columns, of
those alleles alone that are not scored. Does not know files.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.genome.fasta import Genome
from enformer_core.genome.reference_match import by_contig
from enformer_core.variants.allele_checks import Alleles, symbolic, why_bad
from enformer_core.variants.arrow import Mask, Numbers, in_full, sentence
from enformer_core.variants.letters import Letters
from enformer_core.variants.table import Status

_SHOWN_BP = 20  # of an allele, which may be thousands of bases long

IT_HAS_ALT = ". It has ALT: exchange the two and turn the scores' sign (score: --allow-swapped)"
"""What is said further where the genome has ALT in the place of REF."""


def reasons_of(
    status: Status,
    alleles: Alleles,
    genome: Genome,
    *,
    max_allele_bp: int,
    allow_swapped: bool = False,
    looks_swapped: Mask | None = None,
) -> pa.Array:
    """Why alleles of one status have no scores, a text for each.

    Args:
        status: one of those that are found in alleles and genome, not by a reader.
        alleles: those of this status alone, in full.
        genome: in which they were looked up.
        max_allele_bp: longest REF or ALT that is scored.
        allow_swapped: whether ALT was looked up too where REF is declared.
        looks_swapped: of mismatches, whether the genome has ALT; none has by default.
    """
    fixed = {
        Status.NO_ALT: "there is no ALT",
        Status.TOO_LONG: f"REF or ALT is longer than {max_allele_bp:,} bases (--max-allele-bp)",
    }
    if status in fixed:
        return pa.repeat(fixed[status], alleles.start.size)
    if status != Status.REF_MISMATCH:
        return _OF_STATUS[status](alleles)
    mismatch = _mismatch(alleles, genome, allow_swapped=allow_swapped)
    if looks_swapped is None or not looks_swapped.any():
        return mismatch
    advice = pc.if_else(pa.array(looks_swapped), IT_HAS_ALT, "")
    return sentence(mismatch, advice)


def _unknown_contig(alleles: Alleles) -> pa.Array:
    written = in_full(alleles.raw, "input_chrom")
    return sentence("the genome has no contig '", written, "'")


def _out_of_bounds(alleles: Alleles) -> pa.Array:
    """On which side of its contig each allele lies; positions count from 1."""
    pos = pa.array(alleles.start + 1)
    # from 1 and with the last base: the same number as from 0 and without it
    ends_at = pa.array(alleles.start + alleles.least_bp())
    length = pa.array(alleles.length_bp)
    begins_before = pc.less(pos, 1)
    begins_behind = pc.greater(pos, length)
    before = sentence("there is no base ", pos, ": bases count from 1")
    behind = sentence(alleles.chrom, " of the genome ends at base ", length)
    # of alleles whose order is open either may be REF
    which = pc.if_else(pa.array(alleles.declared), "REF", "the shorter allele")
    across = sentence(
        which,
        " ends at base ",
        ends_at,
        ", and ",
        alleles.chrom,
        " of the genome at base ",
        length,
    )
    unless_before = pc.if_else(begins_behind, behind, across)
    return pc.if_else(begins_before, before, unless_before)


def _symbolic(alleles: Alleles) -> pa.Array:
    in_alt = pa.array(symbolic(alleles.alt))
    name = pc.if_else(in_alt, "ALT ", "REF ")
    written = pc.if_else(in_alt, alleles.alt, alleles.ref)
    shown = _beginning(written)
    return sentence(name, shown, " names no sequence")


def _beginning(texts: pa.Array) -> pa.Array:
    """Texts as they are; of long ones the beginning."""
    is_long = pc.greater(pc.utf8_length(texts), _SHOWN_BP)
    cut = pc.utf8_slice_codeunits(texts, 0, _SHOWN_BP)
    shortened = sentence(cut, "…")
    return pc.if_else(is_long, shortened, texts)


def _bad(alleles: Alleles) -> pa.Array:
    # one after another: what is wrong with an allele is found letter by letter, and few are wrong
    refs = alleles.ref.to_pylist()
    alts = alleles.alt.to_pylist()
    why = list(map(why_bad, refs, alts))
    return pa.array(why, pa.string())


_OF_STATUS: Mapping[Status, Callable[[Alleles], pa.Array]] = {
    Status.UNKNOWN_CONTIG: _unknown_contig,
    Status.OUT_OF_BOUNDS: _out_of_bounds,
    Status.SYMBOLIC: _symbolic,
    Status.BAD_ALLELE: _bad,
}
"""What is said of each status that takes no look at the genome's letters."""


def _mismatch(alleles: Alleles, genome: Genome, *, allow_swapped: bool) -> pa.Array:
    """What the genome has in the place of REF, or of both alleles where either might have been its own."""
    # where either may be REF, as many bases are shown as the longer one has
    is_either = ~alleles.declared | allow_swapped
    longer_bp = np.maximum(alleles.ref_bp, alleles.alt_bp)
    looked_at_bp = np.where(is_either, longer_bp, alleles.ref_bp)
    there = _letters_there(alleles, looked_at_bp, genome)
    ref = _with_length(alleles.ref, alleles.ref_bp)
    expected = sentence("not ", ref)
    if is_either.any():
        alt = _with_length(alleles.alt, alleles.alt_bp)
        neither = sentence("neither ", ref, " nor ", alt)
        expected = pc.if_else(pa.array(is_either), neither, expected)
    return sentence("the genome has ", there, " here, ", expected)


def _letters_there(alleles: Alleles, bp: Numbers, genome: Genome) -> pa.Array:
    """The genome's letters from each allele's start on, so many of each; none behind the contig's end.

    Pieces are taken contig by contig, and brought to the order of the rows: of rows on chr2, chr1, chr2 the pieces are
    of rows 1, 0, 2, and their places in this order are 1, 0, 2.
    """
    to_the_end_bp = alleles.length_bp - alleles.start
    inside_bp = np.minimum(bp, to_the_end_bp)
    shown_bp = np.minimum(inside_bp, _SHOWN_BP)
    order = []
    pieces = []
    # contigs are large and mapped: each is opened once
    for contig, rows in by_contig(alleles.chrom):
        order.append(rows)
        codes = genome.codes(contig)
        letters = Letters(codes, alleles.start[rows], shown_bp[rows])
        pieces.append(letters.to_arrow())
    rows_of_pieces = np.concatenate(order)
    place_in_pieces = np.argsort(rows_of_pieces)
    in_pieces = pa.concat_arrays(pieces)
    in_order = in_pieces.take(pa.array(place_in_pieces))
    return _with_length(in_order, inside_bp)


def _with_length(letters: pa.Array, bp: Numbers) -> pa.Array:
    """Letters; of long alleles the beginning and the length, as ACGTACGTACGTACGTACGT… (25 bp)."""
    is_long = bp > _SHOWN_BP
    if not is_long.any():
        return letters
    cut = pc.utf8_slice_codeunits(letters, 0, _SHOWN_BP)
    length = sentence("… (", pa.array(bp), " bp)")
    length_if_long = pc.if_else(pa.array(is_long), length, "")
    return sentence(cut, length_if_long)
