"""Differences in float16: each alt's are multiplied by a power of two, to lie where float16 has all its digits.

Float16 keeps 11 bits where bfloat16 keeps 8, but only from 6e-5 to 65,504. A linear map carries a factor through
exactly, and a power of two rounds nothing: d · s in, (W d) · s out. What is not linear takes it away and puts it on
again, in float32.

A change of 3e-7 beside others of at most 1e-6: 1e-6 lies between 2^-20 and 2^-19, so that all are multiplied by 2^23
and are then 2.5 and 8.4.

Does not know layers.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

TOP_EXPONENT = 3
"""The largest number is brought to 8 … 16: sums over channels grow 4,000-fold before they leave float16, and what is a
millionth of the largest still has 8 bits."""

_BIAS = 127  # of a float32's exponent
_MANTISSA_BITS = 23
_MOST = 100  # beyond such a factor, its inverse or a product with it would leave float32


def is_scaled(delta: torch.dtype) -> bool:
    """Whether differences in a number format need a factor: bfloat16 has float32's range."""
    return delta == torch.float16


@dataclass(frozen=True)
class Scale:
    """Powers of two in float32, on the device where they are used.

    Attributes:
        factor: what each is multiplied by.
        inverse: what takes it away again.
    """

    factor: Float[Tensor, "*each"]
    inverse: Float[Tensor, "*each"]

    @classmethod
    def none(cls, count: int, device: torch.device) -> "Scale":
        """Factors of 1."""
        ones = torch.ones(count, device=device)
        return cls(ones, ones)

    @classmethod
    def of(
        cls, largest: Float[Tensor, "*each"], top_exponent: int = TOP_EXPONENT, step: int = 1
    ) -> "Scale":
        """The powers of two that bring `largest`, each positive or 0, to 2^top_exponent … 2^(top_exponent + 1).

        With a step, only every so many powers are used, so that what is much the same gets the same factor: `largest`
        then comes to lie between 2^(top_exponent + 1 − step) and 2^(top_exponent + 1).
        """
        # taken from the bits, for a logarithm may round up to the next whole number: 0 has the lowest exponent
        bits = largest.float().contiguous().view(torch.int32)
        exponent = (bits >> _MANTISSA_BITS) - _BIAS
        # with steps of 8, exponents 0 … 7 count as 7
        exponent = exponent.div(step, rounding_mode="floor") * step + step - 1
        exponent = (top_exponent - exponent).clamp(-_MOST, _MOST)
        return cls(_power_of_two(exponent), _power_of_two(-exponent))


def _power_of_two(exponent: Tensor) -> Tensor:
    """2 to whole numbers, exactly, as float32."""
    return ((exponent + _BIAS) << _MANTISSA_BITS).to(torch.int32).view(torch.float32)


def largest_of_each(d: Float[Tensor, "*each rows columns"]) -> Float[Tensor, "*each 1 1"]:
    """The largest size among the last two dimensions."""
    return torch.linalg.vector_norm(d, ord=float("inf"), dim=(-2, -1), keepdim=True)
