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

_FEWEST_DRAWS = 20
"""Of fewer the middle 95 % is all of them, from the least to the largest."""

_MOST_DRAWS = 1_000_000
"""Far more than intervals need, and few enough that their precisions fit into memory."""


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
    changes_behind = ordered[1:] != ordered[:-1]
    is_last = np.append(changes_behind, True)
    return Ranking(order, np.flatnonzero(is_last))


def average_precision(is_positive: Positives, score: Scores) -> float:
    """The average precision of the items; NaN where none of them is positive."""
    if not is_positive.size:
        return float("nan")
    # one draw, in which each item is once
    counts = np.ones((1, is_positive.size), dtype=np.int64)
    of_draws = average_precisions(ranking(score), is_positive, counts)
    return float(of_draws[0])


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
    drawn, hits = counted_by_rank(ranked, is_positive, counts)
    # the first ranks of a draw may be empty
    precision = hits / np.maximum(drawn, 1)
    gained = np.diff(hits, axis=1, prepend=0)
    total = (precision * gained).sum(axis=1)
    # of a draw without a positive 0 / 0, which is NaN
    with np.errstate(invalid="ignore"):
        return total / hits[:, -1]


def counted_by_rank(
    ranked: Ranking,
    is_positive: Positives,
    counts: Counts,
) -> tuple[Int64[np.ndarray, "draws ranks"], Int64[np.ndarray, "draws ranks"]]:
    """How many items of each draw stand down to each rank, and how many positives among them."""
    in_order = counts[:, ranked.order]
    drawn_by_place = np.cumsum(in_order, axis=1)
    positive = in_order * is_positive[ranked.order]
    hits_by_place = np.cumsum(positive, axis=1)
    return drawn_by_place[:, ranked.last], hits_by_place[:, ranked.last]


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
        given = {"--bootstrap": self.draws, "--seed": self.seed}
        for name, value in given.items():
            if value < 0:
                raise InputError(f"{name} {value}: must be at least 0")
        if self.draws > _MOST_DRAWS:
            raise InputError(
                f"--bootstrap {self.draws}: must be at most {_MOST_DRAWS:,}; intervals of more are the same"
            )

    @staticmethod
    def asked(
        draws: int,
        seed: int,
    ) -> "Bootstrap":
        """What a user asks for.

        Raises:
            InputError: for so few draws that they have no interval.
        """
        if 0 < draws < _FEWEST_DRAWS:
            raise InputError(
                f"--bootstrap {draws}: of so few draws 95 % are all; give {_FEWEST_DRAWS} at least, better 1000, or 0 "
                "for no intervals"
            )
        return Bootstrap(draws, seed)

    def counts(self, items: int, *key: int, width: int | None = None) -> Iterator[Counts]:
        """The draws, in blocks that memory holds.

        Args:
            items: how many there are.
            key: further numbers that decide the draws, beside the seed.
            width: numbers that each draw becomes, where these are more; they decide how many draws a block has.
        """
        rng = np.random.default_rng([self.seed, *key])
        at_once = max(1, _NUMBERS_AT_ONCE // max(1, width or items))
        for begin in range(0, self.draws, at_once):
            draws = min(at_once, self.draws - begin)
            drawn = rng.integers(items, size=(draws, items))
            # items of the second draw are counted behind those of the first
            number = np.arange(draws)[:, np.newaxis]
            drawn += items * number
            numbers = drawn.ravel()
            counted = np.bincount(numbers, minlength=draws * items)
            yield counted.reshape(draws, items)

    def interval(self, values: Float64[np.ndarray, " draws"]) -> tuple[float, float]:
        """Between which values the middle part of the draws lies; draws without a positive have none."""
        known = values[~np.isnan(values)]
        if not known.size:
            return float("nan"), float("nan")
        # as much of the draws lies below as above
        outside = (1 - self.level) / 2
        low, high = np.quantile(known, [outside, 1 - outside])
        return float(low), float(high)
