"""Products with weights in float32, by the fastest exact routine that this hardware has.

On CPUs that is oneDNN's convolution with the channels last: as exact as a plain matrix product, and up to twice as fast
as MKL's where the processor is not Intel's. Does not know layers.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def linear(
    x: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "rows outputs"]:
    """x Wᵀ + b."""
    if x.device.type != "cpu" or x.dtype == torch.bfloat16:
        return functional.linear(x, weight, bias)
    return functional.conv2d(_channels_last(x.T[None]), weight[:, :, None, None], bias)[0, :, 0].T


def apply_linear(
    module: nn.Linear, x: Float[Tensor, "rows inputs"]
) -> Float[Tensor, "rows outputs"]:
    """`linear` with the parameters of a module."""
    return linear(x, module.weight, module.bias)


def convolve(
    x: Float[Tensor, "batch inputs length"],
    kernel: Float[Tensor, "outputs inputs width"],
    bias: Float[Tensor, " outputs"] | None = None,
    *,
    padding: int = 0,
    dilation: int = 1,
) -> Float[Tensor, "batch outputs padded"]:
    """A convolution along the length; fast where channels lie together in memory, as they then do in the result."""
    return functional.conv2d(
        _channels_last(x), kernel[:, :, None], bias, padding=(0, padding), dilation=(1, dilation)
    )[:, :, 0]


def _channels_last(
    x: Float[Tensor, "batch channels length"],
) -> Float[Tensor, "batch channels 1 length"]:
    """The same as an image of one row, in the layout that torch recognises; copied only where it lies otherwise."""
    batch, channels, length = x.shape
    whole = channels * length
    return x.mT.contiguous().as_strided((batch, channels, 1, length), (whole, 1, whole, channels))
