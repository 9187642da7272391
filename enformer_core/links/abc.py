"""The ABC score: the share of an element's activity times contact in that of all elements near the gene.

Fulco et al. 2019 (Nat Genet 51:1664) and broadinstitute/ABC-Enhancer-Gene-Prediction (`predictor.py`), whose window,
power law and rule for promoters are the defaults: its own predictions come out.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

ABC_WINDOW_BP = 5_000_000
"""The program's window: sums run over the elements that are nearer to the TSS than this."""

Values = Float64[np.ndarray, " pairs"]


@dataclass(frozen=True)
class AbcScores:
    """Scores of pairs.

    Attributes:
        numerator: activity times contact.
        score: its share in the sum of the gene's pairs; 1 for self-promoters; NaN where the sum is 0.
    """

    numerator: Values
    score: Values


def abc_scores(
    activity: Values,
    contact: Values,
    gene: Int64[np.ndarray, " pairs"],
    is_self_promoter: Bool[np.ndarray, " pairs"],
) -> AbcScores:
    """The scores of whole genes.

    Args:
        activity: of each pair's element, not negative.
        contact: of each pair.
        gene: any number that pairs of the same TSS share, and no others; a TSS's pairs must all be there.
        is_self_promoter: whether the element is the gene's own promoter, which acts on it by definition; its numerator
            counts in the sum like any other.
    """
    numerator = activity * contact
    _, place = np.unique(gene, return_inverse=True)
    sums = np.bincount(place, weights=numerator)
    # 0 / 0 where no element near a gene is active: there is no share of nothing
    with np.errstate(invalid="ignore"):
        share = numerator / sums[place]
    return AbcScores(numerator, np.where(is_self_promoter, 1.0, share))
