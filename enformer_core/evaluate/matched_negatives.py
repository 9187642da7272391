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

Numbers = Float64[np.ndarray, " rows"]
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
    order = np.random.default_rng(matching.seed).permutation(is_positive.size)
    groups = np.full(is_positive.size, NO_GROUP, dtype=np.int64)
    numbers = [each for each in features if each.dtype.is_float()]
    next_group = 0
    for rows in _alike(order, features):
        scaled = np.stack([_scaled(each, rows) for each in numbers], axis=1) if numbers else None
        chosen_by = is_positive[rows]
        free = ~chosen_by
        for place in np.flatnonzero(chosen_by):
            if free.sum() < matching.negatives:
                break
            away = _away(scaled, int(place), rows.size)
            away[~free] = np.inf
            # stable: of negatives equally near those that the seed put first
            nearest = np.argsort(away, kind="stable")[: matching.negatives]
            free[nearest] = False
            groups[rows[[place, *nearest]]] = next_group
            next_group += 1
    return groups


def _alike(order: Rows, features: Sequence[pl.Series]) -> Iterator[Rows]:
    """Rows whose words agree and of which nothing is missing, each in the order that the seed gave."""
    table = pl.DataFrame([each.alias(str(place)) for place, each in enumerate(features)])
    is_whole = ~pl.any_horizontal(pl.all().is_null())
    in_order = table.with_row_index("row")[order].filter(is_whole)
    words = [name for name, kind in table.schema.items() if not kind.is_float()]
    # without words to be parted by, all are alike
    parts = in_order.partition_by(words, maintain_order=True) if words else [in_order]
    for part in parts:
        yield part["row"].to_numpy().astype(np.int64)


def _scaled(values: pl.Series, rows: Rows) -> Numbers:
    """Numbers of some rows by their median and interquartile range; a range of 0 leaves them as they are."""
    here = values.to_numpy()[rows]
    low, middle, high = np.quantile(here, [0.25, 0.5, 0.75])
    spread = high - low
    return (here - middle) / (spread if spread > 0 else 1)


def _away(
    scaled: Float64[np.ndarray, "rows features"] | None,
    place: int,
    rows: int,
) -> Numbers:
    """How far each row is from one of them; without numbers all are equally near."""
    if scaled is None:
        return np.zeros(rows)
    return np.sqrt(((scaled - scaled[place]) ** 2).sum(axis=1))
