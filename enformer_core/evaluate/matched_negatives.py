"""Negatives drawn to be like the positives: of the same words, and near in numbers.

The rule is TraitGym's (Benegas, Eraslan and Song 2025): within rows whose words agree, numbers are scaled by median and
interquartile range, and each positive takes the nearest negatives that no other has taken. Which positive chooses
first, and which of negatives equally near is taken, the seed decides, where TraitGym takes the order of the file. Knows
columns of words and numbers. Does not know scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from enformer_core.errors import InputError

Places = Float64[np.ndarray, "rows features"]
Rows = Int64[np.ndarray, " rows"]

NO_GROUP = -1


@dataclass(frozen=True)
class Matching:
    """How negatives are drawn.

    Attributes:
        negatives: how many for each positive.
        seed: decides what else is open.
    """

    negatives: int = 9
    seed: int = 0

    def __post_init__(self) -> None:
        if self.negatives < 1:
            raise InputError(f"--negatives {self.negatives}: each positive needs at least 1")


def match_groups(
    is_positive: Bool[np.ndarray, " rows"],
    features: Sequence[pl.Series],
    matching: Matching,
) -> Rows:
    """The group of each row: a positive and its negatives; NO_GROUP for rows in none.

    Args:
        is_positive: of each row.
        features: a series for each column that is matched: text must be equal, numbers are to be near. Rows in which
            one is null are in no group.
        matching: how many are drawn, and by which seed.
    """
    rng = np.random.default_rng(matching.seed)
    order = rng.permutation(is_positive.size)
    groups = np.full(is_positive.size, NO_GROUP, dtype=np.int64)
    number = 0
    for rows in _alike(order, features):
        places = _scaled(features, rows)
        for members in _groups(is_positive[rows], places, matching.negatives):
            groups[rows[members]] = number
            number += 1
    return groups


def _groups(
    is_positive: Bool[np.ndarray, " rows"],
    places: Places,
    negatives: int,
) -> Iterator[Rows]:
    """A positive and the negatives nearest to it, one after another, until too few are free."""
    is_free = ~is_positive
    for positive in np.flatnonzero(is_positive):
        free = np.flatnonzero(is_free)
        if free.size < negatives:
            return
        # what lies very far off may have no number any more, and comes last
        with np.errstate(over="ignore", invalid="ignore"):
            off = places[free] - places[positive]
            away = np.hypot.reduce(off, axis=1)
        # stable: of negatives equally near those that the seed put first
        by_distance = np.argsort(away, kind="stable")
        nearest = free[by_distance[:negatives]]
        is_free[nearest] = False
        yield np.append(nearest, positive)


def _alike(
    order: Rows,
    features: Sequence[pl.Series],
) -> Iterator[Rows]:
    """Rows whose words agree and of which nothing is missing, each in the order that the seed gave."""
    names = list(map(str, range(len(features))))
    columns = dict(zip(names, features, strict=True))
    table = pl.DataFrame(columns).with_row_index("row")
    in_order = table[order].drop_nulls()
    words = [name for name in names if not columns[name].dtype.is_float()]
    # without words to be parted by, all are alike
    parts = in_order.partition_by(words, maintain_order=True) if words else [in_order]
    for part in parts:
        yield part["row"].to_numpy().astype(np.int64)


def _scaled(
    features: Sequence[pl.Series],
    rows: Rows,
) -> Places:
    """Numbers of some rows, off their median in interquartile ranges; a range of 0 leaves them as they are."""
    numbers = [each.to_numpy()[rows] for each in features if each.dtype.is_float()]
    # no column: all lie at one place
    places = np.zeros((rows.size, len(numbers)))
    for column, values in enumerate(numbers):
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        spread = high - low or 1.0
        with np.errstate(over="ignore"):
            places[:, column] = (values - middle) / spread
    return places
