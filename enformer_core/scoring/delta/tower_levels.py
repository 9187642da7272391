"""The halvings that a tower is made of, for activations and for differences.

Each level prepares, convolves, and pools pairs. Enformer and Basenji2 differ in what stands before and after the
convolution; everything else about a tower is the same (see `tower`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.base import SequenceModel
from enformer_core.models.basenji2 import Basenji2, ConvBlock
from enformer_core.models.enformer import Enformer
from enformer_core.models.layers import GELU_SLOPE, SoftmaxPool, gelu
from enformer_core.scoring.delta.layer_rules import (
    batch_norm_difference,
    gelu_difference,
    max_pool_difference,
    norm_scale,
)
from enformer_core.scoring.delta.matmul import convolve

Wide = Float[Tensor, "batch channels length"]

Halved = Float[Tensor, "batch channels half"]


@runtime_checkable
class Level(Protocol):
    """One halving of the sequence; its channels lie together in memory."""

    @property
    def kernel(self) -> Float[Tensor, "outputs inputs width"]:
        """Kernel of the convolution; its width is odd, and zeros at both ends keep the length."""
        ...

    @property
    def bias(self) -> Float[Tensor, " outputs"] | None:
        """What the convolution adds."""
        ...

    def before(self, x: Wide) -> Wide:
        """What the convolution reads."""
        ...

    def before_difference(self, x: Wide, d: Wide) -> Wide:
        """Change of `before` when x becomes x + d."""
        ...

    def after(self, convolved: Wide) -> Halved:
        """The level's output, from the convolution's."""
        ...

    def after_difference(self, convolved: Wide, d: Wide) -> Halved:
        """Change of `after` when `convolved` changes by d."""
        ...


def reach(level: Level) -> int:
    """How far the level's convolution sees to either side, in its own positions."""
    return level.kernel.shape[-1] // 2


def convolved(level: Level, x: Wide) -> Float[Tensor, "batch outputs length"]:
    """The output of the level's convolution."""
    return convolve(level.before(x), level.kernel, level.bias, padding=reach(level))


@dataclass(frozen=True)
class NormedGelu:
    """1.702 · gelu(norm(x)), in two passes over memory: silu of a scaled and shifted x.

    gelu(t) = t · sigmoid(1.702 t) = silu(1.702 t) / 1.702; who reads it divides its weights.

    Attributes:
        scale: of x.
        shift: added after that.
    """

    scale: Float[Tensor, "channels 1"]
    shift: Float[Tensor, "channels 1"]

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> "NormedGelu":
        """The same with a BatchNorm's parameters."""
        assert norm.running_mean is not None
        scale = norm_scale(norm)
        shift = norm.bias - norm.running_mean * scale
        return cls(GELU_SLOPE * scale[:, None], GELU_SLOPE * shift[:, None])

    def __call__(self, x: Wide) -> Wide:
        """1.702 · gelu(norm(x))."""
        return functional.silu(torch.addcmul(self.shift, x, self.scale), inplace=True)

    def difference(self, x: Wide, d: Wide) -> Wide:
        """Its change when x becomes x + d."""
        scaled = torch.addcmul(self.shift, x, self.scale)
        return functional.silu(torch.addcmul(scaled, d, self.scale)) - functional.silu(scaled)


@dataclass(frozen=True)
class EnformerLevel:
    """BatchNorm and GELU (not in the stem), convolution, a residual pointwise block, attention pooling.

    The kernels behind a GELU are divided by 1.702, see `NormedGelu`.
    """

    activation: NormedGelu | None
    kernel: Float[Tensor, "outputs inputs width"]
    bias: Float[Tensor, " outputs"] | None
    pointwise_activation: NormedGelu
    pointwise_kernel: Float[Tensor, "outputs outputs 1"]
    pointwise_bias: Float[Tensor, " outputs"] | None
    pool_kernel: Float[Tensor, "outputs outputs 1"]

    def before(self, x: Wide) -> Wide:
        """BatchNorm and GELU; the stem reads letters."""
        return x if self.activation is None else self.activation(x)

    def before_difference(self, x: Wide, d: Wide) -> Wide:
        """Change of `before`."""
        return d if self.activation is None else self.activation.difference(x, d)

    def _residual(self, convolved: Wide) -> Wide:
        inner = convolve(
            self.pointwise_activation(convolved), self.pointwise_kernel, self.pointwise_bias
        )
        return inner.add_(convolved)

    def after(self, convolved: Wide) -> Halved:
        """Residual block and pooling: a softmax over two is a sigmoid of their difference."""
        left, right = self._residual(convolved).unflatten(-1, (-1, 2)).unbind(-1)
        u = left - right
        return torch.addcmul(right, convolve(u, self.pool_kernel).sigmoid_(), u)

    def after_difference(self, convolved: Wide, d: Wide) -> Halved:
        """Change of `after`.

        With u = left − right and g = sigmoid(W u): Δ(right + g u) = Δright + g' Δu + (g' − g) u.
        """
        inner = self.pointwise_activation.difference(convolved, d)
        d = d + convolve(inner, self.pointwise_kernel)
        left, right = self._residual(convolved).unflatten(-1, (-1, 2)).unbind(-1)
        d_left, d_right = d.unflatten(-1, (-1, 2)).unbind(-1)
        u, du = left - right, d_left - d_right
        logits = convolve(u, self.pool_kernel)
        gate = torch.sigmoid(logits + convolve(du, self.pool_kernel))
        return d_right + gate * du + (gate - torch.sigmoid(logits)) * u


@dataclass(frozen=True)
class Basenji2Level:
    """GELU, convolution without bias, BatchNorm, maximum of each pair."""

    kernel: Float[Tensor, "outputs inputs width"]
    norm: nn.BatchNorm1d
    bias: None = None

    def before(self, x: Wide) -> Wide:
        """GELU, of the letters too."""
        return gelu(x)

    def before_difference(self, x: Wide, d: Wide) -> Wide:
        """Change of `before`."""
        return gelu_difference(x, d)

    def after(self, convolved: Wide) -> Halved:
        """BatchNorm and pooling."""
        left, right = self.norm(convolved).unflatten(-1, (-1, 2)).unbind(-1)
        return torch.maximum(left, right)

    def after_difference(self, convolved: Wide, d: Wide) -> Halved:
        """Change of `after`."""
        return max_pool_difference(self.norm(convolved), batch_norm_difference(self.norm, d))


def levels_of(model: SequenceModel) -> tuple[Level, ...]:
    """Stem and tower of a model, their weights prepared; call it in inference mode.

    Raises:
        TypeError: for a model whose layers are not known here.
    """
    if isinstance(model, Enformer):
        return _enformer_levels(model)
    if isinstance(model, Basenji2):
        blocks = cast(Sequence[ConvBlock], (model.stem, *model.tower))
        return tuple(
            Basenji2Level(_channels_last(block.conv.weight), block.norm) for block in blocks
        )
    raise TypeError(f"{type(model).__name__} has no rules for differences")


def _enformer_levels(model: Enformer) -> tuple[Level, ...]:
    stem = ("stem.0", None, "stem.1.fn", "stem.2")
    names = [f"conv_tower.{level}" for level in range(len(model.conv_tower))]
    return tuple(
        _enformer_level(model, *parts)
        for parts in (stem, *((f"{at}.0.2", f"{at}.0.0", f"{at}.1.fn", f"{at}.2") for at in names))
    )


def _enformer_level(
    model: Enformer, convolution: str, norm: str | None, residual: str, pool: str
) -> EnformerLevel:
    conv, pointwise = (
        cast(nn.Conv1d, model.get_submodule(name)) for name in (convolution, f"{residual}.2")
    )
    return EnformerLevel(
        activation=None
        if norm is None
        else NormedGelu.of(cast(nn.BatchNorm1d, model.get_submodule(norm))),
        kernel=_channels_last(conv.weight if norm is None else conv.weight / GELU_SLOPE),
        bias=conv.bias,
        pointwise_activation=NormedGelu.of(
            cast(nn.BatchNorm1d, model.get_submodule(f"{residual}.0"))
        ),
        pointwise_kernel=pointwise.weight / GELU_SLOPE,
        pointwise_bias=pointwise.bias,
        pool_kernel=cast(SoftmaxPool, model.get_submodule(pool)).to_attn_logits.weight[..., 0],
    )


def _channels_last(
    kernel: Float[Tensor, "outputs inputs width"],
) -> Float[Tensor, "outputs inputs width"]:
    return kernel.mT.contiguous().mT
