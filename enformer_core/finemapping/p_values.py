"""The size of z that has a P value, two-sided, however small P is. Works on logarithms, in which none is 0."""

import math

import numpy as np
from jaxtyping import Float64

Floats = Float64[np.ndarray, " rows"]

_STEPS = 12
"""Newton's method doubles the right digits in each: of float64 there are none more after these."""


def z_of_log_p(log_p: Floats) -> Floats:
    """|z| of natural logarithms of two-sided P; NaN where P is above 1, or NaN.

    Solves log(1 - Φ(z)) = log(P / 2) by Newton's method from sqrt(-2 log(P / 2)), which is above the solution, since
    1 - Φ(z) <= exp(-z²/2). The function bends downwards, so that each step stays above the solution.
    """
    # here: only tables without z and SE need it, and torch takes a while to load
    import torch  # noqa: PLC0415

    is_p = log_p <= 0
    # of what is no P any value does
    log_tail = torch.from_numpy(np.where(is_p, log_p, 0.0)) - math.log(2)
    z = torch.sqrt(-2 * log_tail)
    for _ in range(_STEPS):
        log_above = torch.special.log_ndtr(-z)
        log_density = -z * z / 2 - math.log(2 * math.pi) / 2
        z = z + (log_above - log_tail) / torch.exp(log_density - log_above)
    # P = 1 is z = 0, of which rounding may leave a little on either side
    return np.where(is_p, z.clamp(min=0.0).numpy(), np.nan)
