"""Area under the receiver operating characteristic: how often a positive has a higher score than a negative.

A pair of equal scores counts one half, which is the area under the curve with straight lines between its ranks, as
scikit-learn's `roc_auc_score` has it, and Mann and Whitney's U over the number of pairs.
"""

import numpy as np
from jaxtyping import Float64

from enformer_core.evaluate.average_precision import (
    Counts,
    Positives,
    Ranking,
    Scores,
    counted_by_rank,
    ranking,
)


def auroc(is_positive: Positives, score: Scores) -> float:
    """The area of the items; NaN without a positive or without a negative."""
    if not is_positive.size:
        return float("nan")
    # one draw, in which each item is once
    counts = np.ones((1, is_positive.size), dtype=np.int64)
    of_draws = aurocs(ranking(score), is_positive, counts)
    return float(of_draws[0])


def aurocs(
    ranked: Ranking,
    is_positive: Positives,
    counts: Counts,
) -> Float64[np.ndarray, " draws"]:
    """The area of each draw of the items, some of which are in it several times, some not at all.

    In whole numbers until the last division. Of the ranks +, (+ and -), -:
        hits          1  2  2     positives down to each rank
        gained        1  1  0     positives of this rank
        misses        0  1  1     negatives of this rank
        halves        0  3  4     of each negative two for a positive above it, one for one beside it
    and 7 of 2 × 2 × 2 halves are the area.
    """
    drawn, hits = counted_by_rank(ranked, is_positive, counts)
    gained = np.diff(hits, axis=1, prepend=0)
    of_rank = np.diff(drawn, axis=1, prepend=0)
    misses = of_rank - gained
    above = hits - gained
    halves = (misses * (2 * above + gained)).sum(axis=1)
    positives = hits[:, -1]
    negatives = drawn[:, -1] - positives
    # of a draw of one kind alone 0 / 0, which is NaN
    with np.errstate(invalid="ignore"):
        return halves / (2 * positives * negatives)
