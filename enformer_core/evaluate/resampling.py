"""Draws of items with repeats, for intervals: within classes, or whole blocks of items that belong together.

Variants beside each other, or matched to one another, are not independent: drawn one by one they make intervals that
are too narrow.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int64

from enformer_core.evaluate.average_precision import Bootstrap, Counts

Numbers = Int64[np.ndarray, " items"]


def stratified_counts(
    bootstrap: Bootstrap,
    stratum: Numbers,
) -> Iterator[Counts]:
    """Draws in which each stratum has as many items as it has.

    Args:
        bootstrap: how many draws, and which.
        stratum: of each item, from 0, without gaps.
    """
    items = stratum.size
    sizes = np.bincount(stratum)
    # of one width, so that all strata come in the same blocks
    of_strata = [
        bootstrap.counts(size, number, width=items) for number, size in enumerate(sizes.tolist())
    ]
    # items stratum by stratum: of the strata 1, 0, 1 these are 1, 0, 2
    order = np.argsort(stratum, kind="stable")
    for parts in zip(*of_strata, strict=True):
        in_order = np.concatenate(parts, axis=1)
        counts = np.empty_like(in_order)
        counts[:, order] = in_order
        yield counts


def block_counts(
    bootstrap: Bootstrap,
    block: Numbers,
    *key: int,
) -> Iterator[Counts]:
    """Draws of as many blocks as there are, each with all its items.

    Args:
        bootstrap: how many draws, and which.
        block: of each item, from 0, without gaps.
        key: further numbers that decide the draws.
    """
    blocks = int(block.max()) + 1
    for counts in bootstrap.counts(blocks, *key, width=block.size):
        yield counts[:, block]
