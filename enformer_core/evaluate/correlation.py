"""Pearson's and Spearman's correlation of pairs of numbers, and of draws in which some pairs are several times.

Spearman's is Pearson's of the ranks; equal numbers have the mean of the ranks that they take up. Does not know what
the numbers are.
"""

import numpy as np
from jaxtyping import Float64

from enformer_core.evaluate.average_precision import Counts

Values = Float64[np.ndarray, " items"]
OfDraws = Float64[np.ndarray, " draws"]
OfItems = Float64[np.ndarray, "draws items"]


def pearsons(one: Values, other: Values, counts: Counts) -> OfDraws:
    """Pearson's correlation of each draw; NaN where either has one value only."""
    shape = counts.shape
    return _correlation(
        np.broadcast_to(one, shape),
        np.broadcast_to(other, shape),
        counts,
    )


def spearmans(one: Values, other: Values, counts: Counts) -> OfDraws:
    """Spearman's correlation of each draw; NaN where either has one value only."""
    return _correlation(ranks(one, counts), ranks(other, counts), counts)


def ranks(values: Values, counts: Counts) -> OfItems:
    """The rank of each item in each draw, from 1 for the lowest; of those that are not drawn it means nothing.

    Of 5, 2, 2 drawn 1, 2 and 1 times: the three 2 take up the ranks 1, 2 and 3 and have 2, the 5 has 4.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    changes_behind = ordered[1:] != ordered[:-1]
    last = np.flatnonzero(np.append(changes_behind, True))
    # of each item the number of its value, counted from the lowest
    value_of_place = np.concatenate([[0], np.cumsum(changes_behind)])
    value_of_item = np.empty(values.size, dtype=np.int64)
    value_of_item[order] = value_of_place
    drawn_by_place = np.cumsum(counts[:, order], axis=1)
    down_to = drawn_by_place[:, last]
    of_value = np.diff(down_to, axis=1, prepend=0)
    mean_rank = down_to - (of_value - 1) / 2
    return mean_rank[:, value_of_item]


def _correlation(one: OfItems, other: OfItems, counts: Counts) -> OfDraws:
    drawn = counts.sum(axis=1, keepdims=True)
    # differences of means, not means of squares: large numbers that differ little keep their digits
    one_off = one - (counts * one).sum(axis=1, keepdims=True) / drawn
    other_off = other - (counts * other).sum(axis=1, keepdims=True) / drawn
    together = (counts * one_off * other_off).sum(axis=1)
    one_spread = np.sqrt((counts * one_off**2).sum(axis=1))
    other_spread = np.sqrt((counts * other_off**2).sum(axis=1))
    has_none = _is_constant(one, counts) | _is_constant(other, counts)
    spread = np.where(has_none, np.nan, one_spread * other_spread)
    # rounding may leave a perfect one a little beyond 1
    return np.clip(together / spread, -1, 1)


def _is_constant(values: OfItems, counts: Counts) -> np.ndarray:
    # by comparison: rounding leaves a spread where there is none
    is_drawn = counts > 0
    least = np.where(is_drawn, values, np.inf).min(axis=1)
    most = np.where(is_drawn, values, -np.inf).max(axis=1)
    return least >= most
