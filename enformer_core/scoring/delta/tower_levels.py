"""The levels that a tower is made of, for activations and for differences.

Each level prepares, convolves, and pools. Towers differ in what stands before and behind the convolution, and in how
many positions become one; everything else about a tower is the same (see `tower`). A rule for a block of another type
is registered by `@level_of.register(TheBlock)`.
"""

from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.base import SequenceModel
from enformer_core.models.blocks import (
    AttentionPooledLevel,
    Blocks,
    HasBlocks,
    MaxPooledConvolution,
    MaxPooledLevel,
)
from enformer_core.models.layers import GELU_SLOPE, gelu
from enformer_core.scoring.delta.layer_rules import (
    batch_norm_difference,
    gelu_difference,
    max_pool_difference,
    norm_scale,
    norm_shift,
    sigmoid_difference,
    silu_difference,
)
from enformer_core.scoring.delta.matmul import convolve
from enformer_core.scoring.delta.max_pooled_convolution import DeltaMaxPooledConvolution
from enformer_core.scoring.delta.reference_convolution import ReferenceConvolution, inputs_together

Wide = Float[Tensor, "batch channels length"]

Pooled = Float[Tensor, "batch channels pooled"]


@runtime_checkable
class Level(Protocol):
    """One shortening of the sequence; its channels lie together in memory."""

    @property
    def convolution(self) -> ReferenceConvolution:
        """The level's convolution."""
        ...

    @property
    def pool(self) -> int:
        """Positions that become one."""
        ...

    def before(self, x: Wide) -> Wide:
        """What the convolution reads, from the level's input."""
        ...

    def before_difference(self, x: Wide, d: Wide) -> Wide:
        """Change of `before` when x becomes x + d."""
        ...

    def unpooled(self, convolved: Wide) -> Wide:
        """What is pooled, from the convolution's output; position by position."""
        ...

    def unpooled_difference(self, convolved: Wide, d: Wide) -> Wide:
        """Change of `unpooled` when `convolved` changes by d."""
        ...

    def pooled(self, unpooled: Wide) -> Pooled:
        """The level's output, from what `unpooled` gave."""
        ...

    def pooled_difference(self, unpooled: Wide, d: Wide) -> Pooled:
        """Change of `pooled` when `unpooled` changes by d."""
        ...


def convolved(level: Level, x: Wide) -> Float[Tensor, "batch outputs length"]:
    """The output of the level's convolution, from the level's input."""
    return level.convolution(level.before(x))


@dataclass(frozen=True)
class NormedGelu:
    """1.702 · gelu(norm(x)), in two passes over memory: silu of a scaled and shifted x.

    gelu(t) = t · sigmoid(1.702 t) = silu(1.702 t) / 1.702; who reads it divides its weights.

    Attributes:
        scale: what x is multiplied by.
        shift: what is added after that.
    """

    scale: Float[Tensor, "channels 1"]
    shift: Float[Tensor, "channels 1"]

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> "NormedGelu":
        """The function with a BatchNorm's parameters."""
        # weight (x − mean) / √(variance + ε) + bias as one multiplication and one addition
        scale = norm_scale(norm)
        shift = norm_shift(norm, scale)
        # of a channel each, for all positions
        steep_scale = GELU_SLOPE * scale[:, None]
        steep_shift = GELU_SLOPE * shift[:, None]
        return cls(steep_scale, steep_shift)

    def __call__(self, x: Wide) -> Wide:
        """1.702 · gelu(norm(x)) of every position and channel."""
        # addcmul(a, b, c) is a + b · c, in one pass over memory.
        scaled = torch.addcmul(self.shift, x, self.scale)
        return functional.silu(scaled, inplace=True)

    def difference(self, x: Wide, d: Wide) -> Wide:
        """Change of the function when x becomes x + d."""
        scaled = torch.addcmul(self.shift, x, self.scale)
        return silu_difference(scaled, d * self.scale)


@dataclass(frozen=True)
class DeltaAttentionPooled:
    """BatchNorm and GELU (not in the stem), convolution, a residual pointwise block, attention pooling.

    The kernels behind a GELU are divided by 1.702, see `NormedGelu`.
    """

    activation: NormedGelu | None
    convolution: ReferenceConvolution
    pointwise_activation: NormedGelu
    pointwise: ReferenceConvolution
    to_logits: ReferenceConvolution
    pool = 2

    def before(self, x: Wide) -> Wide:
        """BatchNorm and GELU; the stem reads letters as they are."""
        return x if self.activation is None else self.activation(x)

    def before_difference(self, x: Wide, d: Wide) -> Wide:
        """Change of `before` when x becomes x + d."""
        return d if self.activation is None else self.activation.difference(x, d)

    def unpooled(self, convolved: Wide) -> Wide:
        """The residual block."""
        inner = self.pointwise_activation(convolved)
        # In place: nobody else reads what the block adds.
        added = self.pointwise(inner)
        return added.add_(convolved)

    def unpooled_difference(self, convolved: Wide, d: Wide) -> Wide:
        """Change of `unpooled`: linear maps act on the change alone, without their bias."""
        inner = self.pointwise_activation.difference(convolved, d)
        return d + convolve(inner, self.pointwise.kernel)

    def pooled(self, unpooled: Wide) -> Pooled:
        """Each pair weighted by a softmax over two, which is a sigmoid of their difference."""
        left, right = _pairs(unpooled)
        # share · left + (1 − share) · right, with one product for both shares
        u = left - right
        gate = self.to_logits(u).sigmoid_()
        return torch.addcmul(right, gate, u)

    def pooled_difference(self, unpooled: Wide, d: Wide) -> Pooled:
        """Change of `pooled` when `unpooled` changes by d.

        With u = left − right and g = sigmoid(W u): Δ(right + g u) = Δright + g' Δu + (g' − g) u.
        """
        left, right = _pairs(unpooled)
        d_left, d_right = _pairs(d)
        u = left - right
        du = d_left - d_right
        logits = convolve(u, self.to_logits.kernel)
        d_logits = convolve(du, self.to_logits.kernel)
        gate = torch.sigmoid(logits + d_logits)
        d_gate = sigmoid_difference(torch.sigmoid(logits), gate, d_logits)
        return d_right + gate * du + d_gate * u


@dataclass(frozen=True)
class DeltaMaxPooled:
    """GELU, convolution without bias, BatchNorm, maximum of each pair."""

    convolution: ReferenceConvolution
    norm: nn.BatchNorm1d
    pool = 2

    def before(self, x: Wide) -> Wide:
        """GELU, of the letters too where the level is the stem."""
        return gelu(x)

    def before_difference(self, x: Wide, d: Wide) -> Wide:
        """Change of `before` when x becomes x + d."""
        return gelu_difference(x, d)

    def unpooled(self, convolved: Wide) -> Wide:
        """BatchNorm."""
        normed: Tensor = self.norm(convolved)
        return normed

    def unpooled_difference(self, convolved: Wide, d: Wide) -> Wide:
        """Change of `unpooled`, whatever `convolved` is."""
        del convolved
        return batch_norm_difference(self.norm, d)

    def pooled(self, unpooled: Wide) -> Pooled:
        """The larger of each pair."""
        left, right = _pairs(unpooled)
        return torch.maximum(left, right)

    def pooled_difference(self, unpooled: Wide, d: Wide) -> Pooled:
        """Change of `pooled` when `unpooled` changes by d."""
        return max_pool_difference(unpooled, d)


def _pairs(x: Wide) -> tuple[Pooled, Pooled]:
    """The left and the right position of each pair, as views: of a b c d, they are a c and b d."""
    left, right = x.unflatten(-1, (-1, 2)).unbind(-1)
    return left, right


@singledispatch
def level_of(block: object) -> Level:
    """The rules of a block of a tower, its weights prepared; call it in inference mode.

    Raises:
        TypeError: for a type of block without a rule.
    """
    raise TypeError(f"{type(block).__name__} has no rules for differences")


@level_of.register(AttentionPooledLevel)
def _attention_pooled(block: AttentionPooledLevel) -> Level:
    activation = None
    weight: Tensor = block.conv.weight
    # The stem reads letters, not what a GELU gives, so its weights stay as they are.
    if block.norm is not None:
        activation = NormedGelu.of(block.norm)
        weight = weight / GELU_SLOPE
    pointwise = block.pointwise
    return DeltaAttentionPooled(
        activation=activation,
        convolution=ReferenceConvolution(inputs_together(weight), block.conv.bias),
        pointwise_activation=NormedGelu.of(pointwise.norm),
        pointwise=ReferenceConvolution(pointwise.conv.weight / GELU_SLOPE, pointwise.conv.bias),
        to_logits=ReferenceConvolution(block.pool.to_attn_logits.weight[..., 0], None),
    )


@level_of.register(MaxPooledLevel)
def _max_pooled(block: MaxPooledLevel) -> Level:
    inner = block.block
    return DeltaMaxPooled(
        ReferenceConvolution(inputs_together(inner.conv.weight), None), inner.norm
    )


@level_of.register(MaxPooledConvolution)
def _max_pooled_convolution(block: MaxPooledConvolution) -> Level:
    return DeltaMaxPooledConvolution.of(block)


def blocks_of(model: SequenceModel) -> Blocks:
    """How a model is built.

    Raises:
        TypeError: for a model that does not say it.
    """
    if not isinstance(model, HasBlocks):
        raise TypeError(f"{type(model).__name__} has no rules for differences")
    return model.blocks()


def levels_of(model: SequenceModel) -> tuple[Level, ...]:
    """Stem and tower of a model, their weights prepared; call it in inference mode.

    Raises:
        TypeError: for a model with blocks without a rule.
    """
    return tuple(level_of(block) for block in blocks_of(model).levels)
