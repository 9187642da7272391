"""Variants that a table names twice, whose rows may say the same of them or not. Does not know where they come from."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float64

from enformer_core.finemapping.variant_names import VariantNames

Floats = Float64[np.ndarray, " rows"]


def earlier_rows(names: VariantNames, rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Rows that are a variant of an earlier one, each with the first that is.

    Args:
        names: of all rows.
        rows: which of them count, in their order.
    """
    firsts: dict[object, int] = {}
    for row in rows:
        first = firsts.setdefault(_key(names, row), row)
        if first != row:
            yield row, first


def is_same_effect(
    names: VariantNames,
    z: Floats,
    row: int,
    other: int,
) -> bool:
    """Whether two rows of one variant have one z: A/G and G/A are one variant, whose z changes its sign."""
    sign = 1 if names.effect[row] == names.effect[other] else -1
    return bool(np.isclose(z[other], sign * z[row], rtol=1e-6, atol=1e-9))


def _key(
    names: VariantNames,
    row: int,
) -> object:
    """What makes a variant: identifier, place, and its alleles in whichever order."""
    alleles = frozenset((names.effect[row], names.other[row]))
    place = (names.chrom[row], int(names.pos[row]))
    if names.pos[row] and alleles != {None}:
        return (*place, alleles)
    # without a name it can be no other's repeat
    return (names.id[row] or row, *place, alleles)
