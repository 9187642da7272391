"""Empty alleles, written `-`, given a base of the genome on both sides, as a VCF writes insertions and deletions.

Of TGG at the third base, with ALT `-`, come ATGG and A at the second, where the genome has A there. Works on columns.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.genome.alphabet import LETTER_OF_CODE, N_CODE
from enformer_core.genome.fasta import Genome
from enformer_core.genome.reference_match import by_contig
from enformer_core.variants.allele_checks import Alleles
from enformer_core.variants.arrow import Mask, Numbers, are, bools, has_match, ints, sentence
from enformer_core.variants.formats.identifiers import EMPTY_ALLELE
from enformer_core.variants.lookup import has_letters

_BASES = "^[ACGTNacgtn]+$"

_LETTERS = np.array([chr(letter) for letter in LETTER_OF_CODE])


def with_anchors(alleles: Alleles, genome: Genome) -> Alleles:
    """The alleles, those with an empty one begun by the base before, or ended by the base behind at a contig's start.

    Where REF is not declared the allele that is not empty must be the genome's at this place: for a position says which
    base is deleted, not between which two something is inserted. What cannot be placed stays as it is, a bad allele.
    """
    no_ref = are(alleles.ref, EMPTY_ALLELE)
    no_alt = are(alleles.alt, EMPTY_ALLELE)
    # of two empty alleles nothing changes, and nothing can be said
    has_one_empty = no_ref ^ no_alt
    has_contig = bools(pc.is_valid(alleles.chrom))
    rows = has_one_empty & has_contig
    rows &= alleles.start >= 0
    # in a VCF a dash is no allele at all
    rows &= alleles.is_marked("dash_is_empty")
    if not rows.any():
        return alleles
    letters = pc.if_else(pa.array(no_ref), alleles.alt, alleles.ref)
    undeclared = rows & ~alleles.declared
    if undeclared.any():
        # what is no base is in no genome, and cannot be looked up
        are_bases = bools(has_match(letters, _BASES))
        are_there = has_letters(alleles, letters, undeclared & are_bases, genome)
        rows &= alleles.declared | are_there
    is_insertion = no_ref & alleles.declared
    letters_bp = ints(pc.utf8_length(letters), 0)
    # an insertion takes no base of the genome: it ends where it begins
    taken_bp = np.where(is_insertion, 0, letters_bp)
    end = alleles.start + taken_bp
    rows &= end <= alleles.length_bp
    before, behind = _bases_around(alleles, rows, end, genome)
    # N is no base, nor is there one before a contig's first
    has_none_before = before == "N"
    is_first = rows & has_none_before
    anchor = np.where(is_first, behind, before)
    rows &= anchor != "N"
    anchored = _anchored(alleles, rows, anchor, at_end=is_first)
    return replace(anchored, is_deletion=rows & ~alleles.declared)


def _anchored(
    alleles: Alleles,
    rows: Mask,
    anchor: np.ndarray,
    *,
    at_end: Mask,
) -> Alleles:
    base = pa.array(anchor.astype(object), pa.string())
    is_changed = pa.array(rows)
    is_behind = pa.array(at_end)
    both = []
    for allele in (alleles.ref, alleles.alt):
        longer = _with_base(allele, base, is_behind)
        both.append(pc.if_else(is_changed, longer, allele))
    # a base before the allele moves its start; one behind does not
    moved = rows & ~at_end
    start = alleles.start - moved
    return alleles.changed(start, *both)


def _with_base(
    allele: pa.Array,
    base: pa.Array,
    is_behind: pa.Array,
) -> pa.Array:
    is_empty = pc.equal(allele, EMPTY_ALLELE)
    bare = pc.if_else(is_empty, "", allele)
    begun = sentence(base, bare)
    ended = sentence(bare, base)
    return pc.if_else(is_behind, ended, begun)


def _bases_around(
    alleles: Alleles,
    rows: Mask,
    end: Numbers,
    genome: Genome,
) -> tuple[np.ndarray, np.ndarray]:
    """The letter before each row's start and the one at its end; N beyond a contig's ends and of other rows."""
    before = np.full(rows.size, "N")
    behind = np.full(rows.size, "N")
    chosen = np.flatnonzero(rows)
    for contig, among in by_contig(alleles.chrom.take(pa.array(chosen))):
        here = chosen[among]
        codes = genome.codes(contig)
        before[here] = _letters_at(codes, alleles.start[here] - 1)
        behind[here] = _letters_at(codes, end[here])
    return before, behind


def _letters_at(codes: np.ndarray, places: Numbers) -> np.ndarray:
    is_inside = (places >= 0) & (places < codes.size)
    # -1 would be the contig's last base
    safe_places = np.where(is_inside, places, 0)
    found = codes[safe_places]
    code = np.where(is_inside, found, N_CODE)
    return _LETTERS[code]
