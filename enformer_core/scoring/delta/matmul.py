"""Products with weights in float32, by the fastest exact routine that this hardware has.

On CPUs that is oneDNN's convolution with the channels last: as exact as a plain matrix product, and up to twice as fast
as MKL's where the processor is not Intel's. On GPUs with TF32 it is tensor cores, which multiply 11 bits of a number:
each number is the sum of two such, x = high + low, and

    x w = high_x high_w + high_x low_w + low_x high_w        beside low_x low_w, some 1e-7 of it

is one product of three times the length, summed in float32. Does not know layers.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

from enformer_core.scoring.precision import multiplies_tf32

_SPLIT_WEIGHTS = WeakTensorKeyDictionary()
"""What weights were split into, as long as the weights live: three times their memory, for a pass over it each time."""

_DROPPED_BITS = 13
"""Of float32's 23 bits behind the leading one, TF32 keeps 10."""


def linear(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "*rows outputs"]:
    """x Wᵀ + b, on CPUs as a convolution of width 1 over the rows, which are in one dimension there."""
    if _is_split(x):
        with _tf32():
            return functional.linear(_split(x, -1), _split_weight(weight, -1), bias)
    if x.device.type != "cpu" or x.dtype == torch.bfloat16:
        return functional.linear(x, weight, bias)
    # [rows, inputs] as an image of one row: [1, inputs, 1, rows]. It lies in memory with the channels last already.
    image = _channels_last(x.T[None])
    return functional.conv2d(image, weight[:, :, None, None], bias)[0, :, 0].T


def products(
    x: Float[Tensor, "heads rows inputs"],
    y: Float[Tensor, "heads outputs inputs"],
) -> Float[Tensor, "heads rows outputs"]:
    """x yᵀ of each head, by `linear` on CPUs; all at once on GPUs."""
    if _is_split(x):
        with _tf32():
            return _split(x, -1) @ _split(y, -1, as_weight=True).mT
    if x.device.type != "cpu":
        return x @ y.mT
    of_heads = [linear(of_x, of_y) for of_x, of_y in zip(x, y, strict=True)]
    # of one, which is the usual case, nothing is copied
    return of_heads[0][None] if len(of_heads) == 1 else torch.stack(of_heads)


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
    if _is_split(x):
        with _tf32():
            return _convolve(_split(x, 1), _split_weight(kernel, 1), bias, padding, dilation)
    return _convolve(x, kernel, bias, padding, dilation)


def _convolve(
    x: Float[Tensor, "batch inputs length"],
    kernel: Float[Tensor, "outputs inputs width"],
    bias: Float[Tensor, " outputs"] | None,
    padding: int,
    dilation: int,
) -> Float[Tensor, "batch outputs padded"]:
    return functional.conv2d(
        _channels_last(x),
        kernel[:, :, None],
        bias,
        padding=(0, padding),
        dilation=(1, dilation),
    )[:, :, 0]


def _is_split(x: Tensor) -> bool:
    """Whether products are made of three."""
    return x.dtype == torch.float32 and x.device.type == "cuda" and multiplies_tf32()


def _split_weight(weight: Float[Tensor, "*shape"], axis: int) -> Float[Tensor, "*threefold"]:
    """`_split` of a weight, kept for the next product."""
    kept: Tensor | None = _SPLIT_WEIGHTS.get(weight)
    if kept is None:
        kept = _split(weight, axis, as_weight=True)
        if weight.dim() == 3:
            # inputs together in memory, as convolutions of such sequences read them
            kept = kept.mT.contiguous().mT
        _SPLIT_WEIGHTS[weight] = kept
    return kept


def _split(
    x: Float[Tensor, "*shape"], axis: int, *, as_weight: bool = False
) -> Float[Tensor, "*threefold"]:
    """The parts of x along its inputs: high, high, low; of a weight high, low, high."""
    # to the nearest: half of what is dropped is added before
    bits = x.view(torch.int32)
    half = 1 << (_DROPPED_BITS - 1)
    high = ((bits + half) & -(1 << _DROPPED_BITS)).view(torch.float32)
    low = x - high
    parts = (high, low, high) if as_weight else (high, high, low)
    return torch.cat(parts, dim=axis)


@contextmanager
def _tf32() -> Iterator[None]:
    """Products of float32 on tensor cores, of the leading 11 bits: all that the parts of a number have."""
    matmul_precision = torch.get_float32_matmul_precision()
    allow_tf32 = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul_precision)
        torch.backends.cudnn.allow_tf32 = allow_tf32


def _channels_last(
    x: Float[Tensor, "batch channels length"],
) -> Float[Tensor, "batch channels 1 length"]:
    """The same as an image of one row, in the layout that torch recognises; copied only where it lies otherwise."""
    batch, channels, length = x.shape
    image = channels * length
    # Strides of an axis of length 1 are free, but oneDNN takes the fast path only for those of a channels-last image:
    # with 3 channels and 5 positions (15, 1, 15, 3), not what slicing would leave there.
    rows_of_channels = x.mT.contiguous()
    return rows_of_channels.as_strided((batch, channels, 1, length), (image, 1, image, channels))
