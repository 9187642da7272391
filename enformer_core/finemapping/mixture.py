"""The weights of a mixture of known densities under which values are most likely.

A convex problem with one best likelihood; solved by a primal-dual interior-point method (Nocedal & Wright, Numerical
Optimization, 2nd edition, chapter 19), where susieR uses mixsqp. Does not know what the densities are.
"""

import numpy as np
from jaxtyping import Float64

Densities = Float64[np.ndarray, "values components"]
Weights = Float64[np.ndarray, " components"]

_OFF = 1e-8
"""So near, for each value, do slacks come to what they are defined as."""

_GAP = 1e-10
"""The log-likelihood of a value is this near to the best, on average over values."""

_ZERO_WEIGHT = 1e-8
"""An interior point has no weight of 0; those that are smaller are meant so, as mixsqp's are."""

_MOST_STEPS = 200
_SHRINK = 0.1
_NOT_QUITE = 0.995


def best_weights(densities: Densities) -> Weights:
    """Weights, none below 0, that add up to 1 and maximise Σ log(Σ density · weight).

    Instead of the sum being held at 1, n times it is added to what is minimised: at the best point it is 1 by itself.
    There each component's slack, n − Σ density / mixture, is 0 or its weight is.

    Args:
        densities: of each value under each component; a value's row may be scaled by any number.
    """
    values, components = densities.shape
    weights = np.full(components, 1 / components)
    slack = np.full(components, float(values))
    for _ in range(_MOST_STEPS):
        gap = float(weights @ slack)
        mixture = densities @ weights
        shares = densities / mixture[:, None]
        gradient = values - shares.sum(axis=0)
        off = float(np.abs(gradient - slack).max())
        if gap < _GAP * values and off < _OFF * values:
            break
        # each weight times its slack is to be this, which falls to 0
        target = _SHRINK * gap / components
        wanted_slack = target / weights
        stiffness = slack / weights
        curvature = shares.T @ shares
        curvature[np.diag_indices(components)] += stiffness
        step = np.linalg.solve(curvature, wanted_slack - gradient)
        slack_step = wanted_slack - slack - stiffness * step
        # both stay above 0
        weights = weights + _longest(weights, step) * step
        slack = slack + _longest(slack, slack_step) * slack_step
    is_zero = weights < _ZERO_WEIGHT * weights.sum()
    weights[is_zero] = 0.0
    return weights / weights.sum()


def _longest(
    values: Weights,
    step: Weights,
) -> float:
    """How much of a step leaves all values above 0: of 4 with a step of −8 not quite a half; 1 at most."""
    falls = step < 0
    room = values[falls] / -step[falls]
    return min(1.0, _NOT_QUITE * float(room.min(initial=np.inf)))
