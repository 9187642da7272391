"""Weights of any scale as shares and means, whose sums no float64 need hold.

Weights of 1e308 add up to infinity, and those of 1e-320 lose their digits. They are multiplied by a power of 2 first,
which changes no digit of what is worked out otherwise. Does not know what is weighed.
"""

import numpy as np
from jaxtyping import Float64

Weights = Float64[np.ndarray, " items"]


def shares(weights: Weights) -> Weights:
    """The part of all that each weight is; they add up to 1.

    Of 1e308, 5e307 and 5e307, whose sum is beyond float64, they are ½, ¼ and ¼.

    Args:
        weights: finite, none negative, one at least above 0.
    """
    near_one, _ = _scaled(weights)
    return near_one / near_one.sum()


def mean_weight(weights: Weights) -> float:
    """The mean of weights, which lies between the least and the largest, be their sum infinite."""
    near_one, exponent = _scaled(weights)
    return float(np.ldexp(near_one.mean(), exponent))


def _scaled(weights: Weights) -> tuple[Weights, int]:
    """The weights times the power of 2 that brings the largest to between ½ and 1, and that power's exponent, turned.

    Of 12 and 3 the exponent is 4, as 12 = 0.75 · 2⁴: they become 0.75 and 0.1875.
    """
    _, exponent = np.frexp(weights.max())
    return np.ldexp(weights, -exponent), int(exponent)
