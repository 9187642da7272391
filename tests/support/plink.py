"""PLINK 1 file sets, written from copies of A1, for tests of what reads them."""

import numpy as np

_CODES = {2: 0b00, 1: 0b10, 0: 0b11, -1: 0b01}
"""Copies of A1; −1 is a missing genotype."""


def write_plink(prefix, copies, variants):
    """Write PREFIX.bed, .bim and .fam; gives the path of the .bed.

    Args:
        prefix: path without an ending.
        copies: of A1, people by variants; −1 where missing.
        variants: of each variant chrom, identifier, position, A1, A2.
    """
    people = copies.shape[0]
    packed = bytearray(b"\x6c\x1b\x01")
    for column in np.asarray(copies).T:
        for first in range(0, people, 4):
            codes = [_CODES[int(each)] for each in column[first : first + 4]]
            packed.append(sum(code << 2 * place for place, code in enumerate(codes)))
    bed = prefix.with_suffix(".bed")
    bed.write_bytes(packed)
    lines = [f"{chrom}\t{name}\t0\t{pos}\t{a1}\t{a2}\n" for chrom, name, pos, a1, a2 in variants]
    prefix.with_suffix(".bim").write_text("".join(lines))
    people_lines = [f"f{each} i{each} 0 0 0 -9\n" for each in range(people)]
    prefix.with_suffix(".fam").write_text("".join(people_lines))
    return bed
