"""Which of an allele's two sequences the genome has.

Works on columns. Does not know files, nor what becomes of alleles.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from enformer_core.genome import Genome
from enformer_core.variants.alleles import Alleles, bools
from enformer_core.variants.fitting import genome_has

_PALINDROMES = ("AT", "TA", "CG", "GC")


@dataclass(frozen=True)
class Order:
    """Which of both alleles the genome has, of the rows that can be looked up; False elsewhere.

    Attributes:
        ref_fits: the genome has REF.
        swapped: it has ALT and not REF.
        ambiguous: it has both, and the input does not say which is REF.
        strand: a pair that looks the same on the other strand, likewise.
        looks_swapped: the genome has all of ALT, and not REF, which was declared: no proof, but worth saying.
    """

    ref_fits: Bool[np.ndarray, " rows"]
    swapped: Bool[np.ndarray, " rows"]
    ambiguous: Bool[np.ndarray, " rows"]
    strand: Bool[np.ndarray, " rows"]
    looks_swapped: Bool[np.ndarray, " rows"]

    @staticmethod
    def of(alleles: Alleles, open_rows: Bool[np.ndarray, " rows"], genome: Genome, *, allow_swapped: bool) -> "Order":
        """Look the alleles up."""
        ref_fits = has_letters(alleles, alleles.ref, open_rows, genome)
        free = open_rows & ~alleles.declared
        longer = free & ref_fits & (alleles.ref_bp != alleles.alt_bp)
        alt_fits = has_letters(alleles, alleles.alt, (open_rows & ~ref_fits) | longer, genome)
        may_swap = ~ref_fits & (~alleles.declared | allow_swapped)
        strand = free & (alleles.ref_bp == 1) & (alleles.alt_bp == 1)
        if strand.any():
            pairs = pc.binary_join_element_wise(alleles.ref, alleles.alt, "")
            strand &= bools(pc.is_in(pairs, pa.array(_PALINDROMES)))
        looks_swapped = alt_fits & ~ref_fits & ~may_swap & (alleles.alt_bp >= alleles.ref_bp)
        return Order(ref_fits, alt_fits & may_swap, longer & alt_fits, strand, looks_swapped)


def has_letters(
    alleles: Alleles, letters: pa.Array, rows: Bool[np.ndarray, " rows"], genome: Genome
) -> Bool[np.ndarray, " rows"]:
    """Whether the genome has these letters, of the chosen rows; False elsewhere."""
    found = np.zeros(rows.size, dtype=bool)
    if rows.any():
        mask = pa.array(rows)
        found[rows] = genome_has(genome, alleles.chrom.filter(mask), alleles.start[rows], letters.filter(mask))
    return found
