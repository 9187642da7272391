"""Whether the genome has the letters of alleles; works on columns."""

import numpy as np
import pyarrow as pa

from enformer_core.genome.fasta import Genome
from enformer_core.genome.reference_match import genome_has
from enformer_core.variants.allele_checks import Alleles
from enformer_core.variants.arrow import Mask


def has_letters(
    alleles: Alleles,
    letters: pa.Array,
    rows: Mask,
    genome: Genome,
) -> Mask:
    """Whether the genome has these letters, of the chosen rows; False elsewhere."""
    fits = np.zeros(rows.size, dtype=bool)
    if rows.any():
        mask = pa.array(rows)
        chrom = alleles.chrom.filter(mask)
        start = alleles.start[rows]
        fits[rows] = genome_has(genome, chrom, start, letters.filter(mask))
    return fits
