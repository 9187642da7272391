"""Pearson's and Spearman's correlation of pairs of numbers, and of draws in which some pairs are several times.

Spearman's is Pearson's of the ranks; equal numbers have the mean of the ranks that they take up. Does not know what
the numbers are.
"""

import numpy as np
from jaxtyping import Bool, Float64

from enformer_core.evaluate.average_precision import Counts

Values = Float64[np.ndarray, " items"]
OfDraws = Float64[np.ndarray, " draws"]
Sizes = Float64[np.ndarray, "*draws items"]
OfItems = Float64[np.ndarray, "draws items"]


def pearsons(
    one: Values,
    other: Values,
    counts: Counts,
) -> OfDraws:
    """Pearson's correlation of each draw; NaN where either has one value only."""
    in_each = counts.shape
    return _correlation(
        np.broadcast_to(_near_one(one), in_each),
        np.broadcast_to(_near_one(other), in_each),
        counts,
    )


def spearmans(
    one: Values,
    other: Values,
    counts: Counts,
) -> OfDraws:
    """Spearman's correlation of each draw; NaN where either has one value only."""
    return _correlation(
        ranks(one, counts),
        ranks(other, counts),
        counts,
    )


def ranks(
    values: Values,
    counts: Counts,
) -> OfItems:
    """The rank of each item in each draw, from 1 for the lowest; of those that are not drawn it means nothing.

    Of 5, 2, 2 drawn 1, 2 and 1 times: the three 2 take up the ranks 1, 2 and 3 and have 2, the 5 has 4.
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    changes_behind = ordered[1:] != ordered[:-1]
    is_last = np.append(changes_behind, True)
    last = np.flatnonzero(is_last)
    # of each place the number of its value, from 0 for the lowest: of 2, 2, 5 they are 0, 0, 1
    changes_before = np.cumsum(changes_behind)
    value_of_place = np.insert(changes_before, 0, 0)
    value_of_item = np.empty_like(order)
    value_of_item[order] = value_of_place
    in_order = counts[:, order]
    drawn_by_place = np.cumsum(in_order, axis=1)
    drawn_by_value = drawn_by_place[:, last]
    of_value = np.diff(drawn_by_value, axis=1, prepend=0)
    middle = (of_value - 1) / 2
    mean_rank = drawn_by_value - middle
    return mean_rank[:, value_of_item]


def _correlation(
    one: OfItems,
    other: OfItems,
    counts: Counts,
) -> OfDraws:
    # differences from means, not means of squares: large numbers that differ little keep their digits
    one_off = _near_one(_off_the_mean(one, counts))
    other_off = _near_one(_off_the_mean(other, counts))
    together = _total(one_off * other_off, counts)
    one_squares = _total(one_off**2, counts)
    other_squares = _total(other_off**2, counts)
    spread = np.sqrt(one_squares) * np.sqrt(other_squares)
    has_none = _is_constant(one, counts) | _is_constant(other, counts)
    spread[has_none] = np.nan
    # rounding may leave a perfect one a little beyond 1
    return np.clip(together / spread, -1, 1)


def _near_one(values: Sizes) -> Sizes:
    """Numbers times the power of 2, one for each draw, that brings their largest size to between ½ and 1.

    No correlation changes by that, nor any of its digits, and squares of 1e200 or 1e-200 are numbers: 12 and -3 are
    0.75 · 2⁴ and -0.1875 · 2⁴, and become 0.75 and -0.1875.
    """
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
    _, exponent = np.frexp(largest)
    scaled: Sizes = np.ldexp(values, -exponent)
    return scaled


def _total(
    values: OfItems,
    counts: Counts,
) -> OfDraws:
    """The sum over the items of each draw."""
    drawn = counts * values
    total: OfDraws = drawn.sum(axis=1)
    return total


def _off_the_mean(
    values: OfItems,
    counts: Counts,
) -> OfItems:
    """How far each item is off the mean of its draw."""
    mean = _total(values, counts) / counts.sum(axis=1)
    off = values - mean[:, np.newaxis]
    # what is not drawn says nothing of how large the others are
    return np.where(counts > 0, off, 0.0)


def _is_constant(
    values: OfItems,
    counts: Counts,
) -> Bool[np.ndarray, " draws"]:
    # by comparison: rounding leaves a spread where there is none
    is_drawn = counts > 0
    least = np.where(is_drawn, values, np.inf)
    most = np.where(is_drawn, values, -np.inf)
    return least.min(axis=1) >= most.max(axis=1)
