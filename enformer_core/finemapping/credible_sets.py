"""Credible sets: for each effect the fewest variants one of which is its own with a given probability.

As susieR's `susie_get_cs`. Knows probabilities and correlations. Does not know names of variants.
"""

from dataclasses import dataclass

import numpy as np

from enformer_core.finemapping.susie import Correlations, SusieFit, Variants

COVERAGE = 0.95
LEAST_PURITY = 0.5


@dataclass(frozen=True)
class CredibleSet:
    """Variants one of which is causal with at least the probability asked for.

    Attributes:
        effect: which of the fit's effects, from 0.
        members: places of its variants, the most probable first; equals in their order.
        coverage: the probability that one of them is the effect's.
        purity: the least |r| between any two of them; 1 for one alone.
    """

    effect: int
    members: tuple[int, ...]
    coverage: float
    purity: float


def credible_sets(
    fit: SusieFit,
    correlations: Correlations,
    coverage: float = COVERAGE,
    least_purity: float = LEAST_PURITY,
) -> list[CredibleSet]:
    """The sets of all effects that there are, the purest first; of equal ones the first, and none below the purity.

    Args:
        fit: of the locus.
        correlations: those that it was fitted with.
        coverage: probability that a set holds its effect's variant.
        least_purity: sets with a pair of smaller |r| spread over the locus, and say little.
    """
    every = sets_of_any_purity(fit, correlations, coverage)
    return [each for each in every if each.purity >= least_purity]


def sets_of_any_purity(
    fit: SusieFit,
    correlations: Correlations,
    coverage: float = COVERAGE,
) -> list[CredibleSet]:
    """The same, whatever their purity: what `credible_sets` leaves out is among them."""
    sets: list[CredibleSet] = []
    known: set[frozenset[int]] = set()
    for effect in np.flatnonzero(fit.is_effect):
        alpha = fit.alpha[effect]
        members = _fewest(alpha, coverage)
        variants = frozenset(members.tolist())
        if variants in known:
            continue
        known.add(variants)
        among = correlations[np.ix_(members, members)]
        above_diagonal = np.triu_indices(members.size, k=1)
        # one variant alone has no pair
        purity = float(np.abs(among[above_diagonal]).min(initial=1.0))
        held = float(alpha[members].sum())
        sets.append(
            CredibleSet(
                effect=int(effect),
                members=tuple(members.tolist()),
                coverage=held,
                purity=purity,
            )
        )
    return sorted(sets, key=lambda each: -each.purity)


def _fewest(
    alpha: Variants,
    coverage: float,
) -> np.ndarray:
    """Places of the fewest variants that hold so much: of 0.6, 0.3, 0.1 the first two hold 0.9, and 0.95 needs all."""
    order = np.argsort(-alpha, kind="stable")
    held = np.cumsum(alpha[order])
    # rounding may leave the whole a little below the coverage
    needed = min(int((held < coverage).sum()) + 1, alpha.size)
    return order[:needed]
