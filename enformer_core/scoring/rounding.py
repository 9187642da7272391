"""Stored scores keep as many bits as the arithmetic that made them can answer for; the rest would not compress.

Does not know which statistic a value is of.
"""

from math import log2

import numpy as np
from jaxtyping import Float, Float32

from enformer_core.scoring.conventions import Engine, Policy

WHOLE_BITS = 23
"""Explicit bits of a float32's mantissa."""

RATIO_ROUNDING = log2(1 + 1e-6)
"""What two passes in float32 cannot tell of log2((1 + Σ alt) / (1 + Σ ref)) from 0: a millionth of the prediction."""

FAST_BITS = 11
"""Error at most 2^-12 of a value, far below that of 16-bit differences; files of half the size."""


def default_mantissa_bits(engine: Engine, policy: Policy) -> int:
    """Rounded where differences are carried in 16 bits, whole where they are not."""
    return FAST_BITS if engine == "delta" and policy == "fast" else WHOLE_BITS


def stored_values(values: Float[np.ndarray, "*shape"], bits: int) -> Float32[np.ndarray, "*shape"]:
    """Values as tables have them: in float32, with `bits` explicit bits of mantissa."""
    return round_mantissa(np.asarray(values, dtype=np.float32), bits)


def round_mantissa(
    values: Float32[np.ndarray, "*shape"], bits: int
) -> Float32[np.ndarray, "*shape"]:
    """The nearest floats with `bits` explicit bits of mantissa, ties to even; 0 ≤ bits ≤ 23.

    Values of any size keep the same relative precision. What is not finite stays as it is, and so does what would be
    rounded up to infinity.
    """
    dropped = WHOLE_BITS - bits
    if not dropped:
        return values
    # Floats of one sign are ordered as the integers of their bits, and a carry out of the mantissa raises the exponent.
    # Three bits dropped, step 8: add 3, or 4 where the last kept bit is 1, and clear what is dropped.
    #     …0 100 + 011 → …0 000 (a tie goes down to even)      …1 100 + 100 → …10 000 (a tie goes up to even)
    raw = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    step = np.uint32(1 << dropped)
    last_kept = (raw >> np.uint32(dropped)) & np.uint32(1)
    nearest = (raw + (step // 2 - 1) + last_kept) & ~(step - 1)
    rounded = nearest.view(np.float32)
    return np.where(np.isfinite(values) & np.isfinite(rounded), rounded, values)
