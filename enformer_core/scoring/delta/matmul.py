"""Products with weights in float32, by the fastest exact routine that this hardware has.

On CPUs that is oneDNN's convolution with the channels last: as exact as a plain matrix product, and up to twice as fast
as MKL's where the processor is not Intel's. On GPUs long ones go to tensor cores, see `split_convolution`. Does
not know layers.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.scoring.delta.scaling import Scale, is_scaled, largest_of_each
from enformer_core.scoring.delta.split_convolution import (
    split_convolution,
    split_convolution_serves,
    split_products,
    split_products_serve,
)

FEW_POSITIONS = 4096
"""On GPUs, convolutions of no more positions than that are matrix products: cuDNN's routines in float32 share so few
among so few of the device's processors that the weights' reading takes ten times as long as it should."""


ALIGNED_OUTPUTS = 16
"""Numbers of float32 that the processor reads at once, where it reads 64 bytes."""


def linear(
    x: Float[Tensor, "*rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "*rows outputs"]:
    """x Wᵀ + b, on several CPUs as a convolution of width 1 over the rows, which are in one dimension there."""
    if x.device.type != "cpu":
        rows = x.reshape(1, -1, x.shape[-1])
        if split_products_serve(rows, weight[None]):
            return split_products(rows, weight[None], bias).view(*x.shape[:-1], len(weight))
    if x.device.type != "cpu" or x.dtype == torch.bfloat16:
        return functional.linear(x, weight, bias)
    if torch.get_num_threads() == 1:
        return _on_one_thread(x, weight, bias)
    # [rows, inputs] as an image of one row: [1, inputs, 1, rows]. It lies in memory with the channels last already.
    image = _channels_last(x.T[None])
    return functional.conv2d(image, weight[:, :, None, None], bias)[0, :, 0].T


def _on_one_thread(
    x: Float[Tensor, "rows inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None,
) -> Float[Tensor, "rows outputs"]:
    """`linear` as torch's own product: a convolution of width 1 is not oneDNN's there, but MKL's with more copies."""
    outputs = len(weight)
    spare = -outputs % ALIGNED_OUTPUTS
    if spare == 0 or bias is not None:
        return functional.linear(x, weight, bias)
    # rows of so many outputs would begin anywhere in memory, which takes MKL twice the time
    padded = functional.pad(weight, (0, 0, 0, spare))
    return functional.linear(x, padded)[:, :outputs]


def products(
    x: Float[Tensor, "heads rows inputs"],
    y: Float[Tensor, "heads outputs inputs"],
) -> Float[Tensor, "heads rows outputs"]:
    """x yᵀ of each head, by `linear` on CPUs; all at once on GPUs."""
    if x.device.type != "cpu":
        return split_products(x, y) if split_products_serve(x, y) else x @ y.mT
    of_heads = [linear(of_x, of_y) for of_x, of_y in zip(x, y, strict=True)]
    # of one, which is the usual case, nothing is copied
    return of_heads[0][None] if len(of_heads) == 1 else torch.stack(of_heads)


def apply_linear(
    module: nn.Linear, x: Float[Tensor, "rows inputs"]
) -> Float[Tensor, "rows outputs"]:
    """`linear` with the parameters of a module."""
    return linear(x, module.weight, module.bias)


class LinearDifference:
    """A linear map without its bias, in the number format of differences.

    In float16 it multiplies what it reads by a power of two of each alt's own, see `scaling`, and gives back what
    `reads` says, without the factor.
    """

    def __init__(self, weight: Float[Tensor, "outputs inputs"], delta: torch.dtype) -> None:
        self._weight = weight.to(delta)
        self._wide = weight.dtype

    @property
    def dtype(self) -> torch.dtype:
        """The number format of differences, in which it multiplies."""
        return self._weight.dtype

    @property
    def reads(self) -> torch.dtype:
        """The number format to which whoever makes what it reads may round: where it scales, it needs all digits."""
        return self._wide if is_scaled(self.dtype) else self.dtype

    def __call__(
        self, d: Float[Tensor, "*alts rows inputs"]
    ) -> Float[Tensor, "*alts rows outputs"]:
        """W d for each row, in the format of `reads`."""
        if not is_scaled(self.dtype):
            return self.multiply(d.to(self.dtype))
        scale = Scale.of(largest_of_each(d))
        low = (d * scale.factor).to(self.dtype)
        return self.multiply(low).to(self._wide) * scale.inverse

    def multiply(self, low: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """W d for each row, of numbers that are in the number format of differences as they should be."""
        return low @ self._weight.T if low.device.type == "cpu" else linear(low, self._weight)

    def transposed(self, d: Float[Tensor, "rows inputs"]) -> Float[Tensor, "outputs rows"]:
        """(W d)ᵀ, which lies in memory as products with attention weights read values."""
        if is_scaled(self.dtype):
            return self(d).T.contiguous()
        return self._weight @ d.to(self._weight.dtype).T


def convolve(
    x: Float[Tensor, "batch inputs length"],
    kernel: Float[Tensor, "outputs inputs width"],
    bias: Float[Tensor, " outputs"] | None = None,
    *,
    padding: int = 0,
    dilation: int = 1,
) -> Float[Tensor, "batch outputs padded"]:
    """A convolution along the length; fast where channels lie together in memory, as they then do in the result."""
    if dilation == 1 and split_convolution_serves(x, kernel):
        return split_convolution(x, kernel, bias, padding)
    if x.device.type != "cpu" and dilation == 1 and x[:, 0].numel() <= FEW_POSITIONS:
        return _convolve_few(x, kernel, bias, padding)
    return functional.conv2d(
        _channels_last(x),
        kernel[:, :, None],
        bias,
        padding=(0, padding),
        dilation=(1, dilation),
    )[:, :, 0]


def _convolve_few(
    x: Float[Tensor, "batch inputs length"],
    kernel: Float[Tensor, "outputs inputs width"],
    bias: Float[Tensor, " outputs"] | None,
    padding: int,
) -> Float[Tensor, "batch outputs padded"]:
    """`convolve` as a matrix product: each position's surroundings are laid out as a row."""
    width = kernel.shape[-1]
    surroundings = functional.pad(x, (padding, padding)).unfold(2, width, 1)
    # [batch, inputs, positions, width] to rows of inputs × width
    rows = surroundings.transpose(1, 2).flatten(2)
    return functional.linear(rows, kernel.flatten(1), bias).mT


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
