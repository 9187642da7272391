"""Average precision of a ranking, and how far it would vary if other pairs had been tested.

The mean, over the positives, of the precision at the rank of each; items of equal score share a rank, so that their
order in a file counts for nothing. This is scikit-learn's `average_precision_score`: no interpolation.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from enformer_core.errors import InputError

Scores = Float64[np.ndarray, " items"]
Positives = Bool[np.ndarray, " items"]
Counts = Int64[np.ndarray, "draws items"]
"""How often each item is in each draw."""

_NUMBERS_AT_ONCE = 1 << 21  # of one array of draws and items: 16 MB


@dataclass(frozen=True)
class Ranking:
    """Items from the highest score to the lowest.

    Attributes:
        order: the item at each place.
        last: of each run of equal scores, the place of its last item: 3, 2, 2, 1 gives 0, 2, 3.
    """

    order: Int64[np.ndarray, " items"]
    last: Int64[np.ndarray, " ranks"]


def ranking(score: Scores) -> Ranking:
    """The ranking by a score, which may be infinite and must not be NaN."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)
    return Ranking(order, np.flatnonzero(is_last))


def average_precision(is_positive: Positives, score: Scores) -> float:
    """The average precision of the items; NaN where none of them is positive."""
    if not is_positive.size:
        return float("nan")
    once = np.ones((1, is_positive.size), dtype=np.int64)
    return float(average_precisions(ranking(score), is_positive, once)[0])


def average_precisions(
    ranked: Ranking,
    is_positive: Positives,
    counts: Counts,
) -> Float64[np.ndarray, " draws"]:
    """The average precision of each draw of the items, some of which are in it several times, some not at all.

    Positive are the first and the third of the places, and each item counts once:
        drawn      1    2    3      items down to each rank
        hits       1    1    2      positives among them
        precision  1   1/2  2/3
        gained     1    0    1      positives of this rank; (1 + 2/3) / 2 is the average
    """
    in_order = counts[:, ranked.order]
    drawn = np.cumsum(in_order, axis=1)[:, ranked.last]
    positive = in_order * is_positive[ranked.order]
    hits = np.cumsum(positive, axis=1)[:, ranked.last]
    # the first ranks of a draw may be empty
    precision = hits / np.maximum(drawn, 1)
    gained = np.diff(hits, axis=1, prepend=0)
    with np.errstate(invalid="ignore"):
        return (precision * gained).sum(axis=1) / hits[:, -1]


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn.

    Attributes:
        draws: how many times as many items are drawn anew, with repeats; 0 for no intervals.
        seed: which draws they are.
        level: the part of the draws that lies in the interval.
    """

    draws: int = 1_000
    seed: int = 0
    level: float = 0.95

    def __post_init__(self) -> None:
        for name, value in (("--bootstrap", self.draws), ("--seed", self.seed)):
            if value < 0:
                raise InputError(f"{name} {value}: must be at least 0")

    def counts(self, items: int, *key: int) -> Iterator[Counts]:
        """The draws, in blocks that memory holds.

        Args:
            items: how many there are.
            key: further numbers that decide the draws, beside the seed.
        """
        rng = np.random.default_rng([self.seed, *key])
        at_once = max(1, _NUMBERS_AT_ONCE // max(1, items))
        for begin in range(0, self.draws, at_once):
            draws = min(at_once, self.draws - begin)
            drawn = rng.integers(items, size=(draws, items))
            # items of the second draw are counted behind those of the first
            drawn += items * np.arange(draws)[:, np.newaxis]
            counted = np.bincount(drawn.ravel(), minlength=draws * items)
            yield counted.reshape(draws, items)

    def interval(self, values: Float64[np.ndarray, " draws"]) -> tuple[float, float]:
        """Between which values the middle part of the draws lies; draws without a positive have none."""
        known = values[~np.isnan(values)]
        if not known.size:
            return float("nan"), float("nan")
        outside = (1 - self.level) / 2
        low, high = np.quantile(known, [outside, 1 - outside])
        return float(low), float(high)
