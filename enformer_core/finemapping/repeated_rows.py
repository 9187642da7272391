"""Rows of a table of variants that say again what an earlier one is. Does not know what rows say of a variant."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.variants.arrow import Column, Mask, Numbers


def are_repeats(
    chrom: pa.Array,
    pos: Numbers,
    ref: pa.Array,
    alt: pa.Array,
) -> Mask:
    """Whether an earlier row has the same place and alleles.

    A/G and G/A are one pair; C/CT and CT/C may be two variants, an insertion and a deletion.

    Args:
        chrom: as written, of each row.
        pos: likewise.
        ref: one allele of each row.
        alt: the other.
    """
    is_indel = pc.not_equal(pc.binary_length(ref), pc.binary_length(alt))
    first = pc.if_else(is_indel, ref, pc.min_element_wise(ref, alt))
    second = pc.if_else(is_indel, alt, pc.max_element_wise(ref, alt))
    place = pc.cast(pa.array(pos), pa.string())
    keys = pc.binary_join_element_wise(
        chrom,
        place,
        first,
        second,
        ":",
    )
    return ~are_firsts(keys)


def are_firsts(keys: Column) -> Mask:
    """Whether each key is the first of its kind."""
    coded = keys.dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):
        coded = coded.combine_chunks()
    number = np.asarray(coded.indices)
    _, firsts = np.unique(number, return_index=True)
    is_first = np.zeros(number.size, dtype=bool)
    is_first[firsts] = True
    return is_first
