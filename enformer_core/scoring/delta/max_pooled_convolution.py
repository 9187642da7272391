"""A level that pools by the maximum: a convolution with a bias, and GELUs with a tanh.

Does not know towers, nor other levels.
"""

from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.blocks import MaxPooledConvolution, ScaledResidual
from enformer_core.models.layers import tanh_gelu
from enformer_core.scoring.delta.layer_rules import (
    max_pool_difference,
    norm_scale,
    norm_shift,
    tanh_gelu_difference,
)
from enformer_core.scoring.delta.matmul import convolve
from enformer_core.scoring.delta.reference_convolution import ReferenceConvolution, inputs_together

Wide = Float[Tensor, "batch channels length"]

Pooled = Float[Tensor, "batch channels pooled"]


@dataclass(frozen=True)
class NormedTanhGelu:
    """A BatchNorm, as a scale and a shift, and the GELU with a tanh.

    Attributes:
        scale: what x is multiplied by.
        shift: what is added after that.
    """

    scale: Float[Tensor, "channels 1"]
    shift: Float[Tensor, "channels 1"]

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> "NormedTanhGelu":
        """The function with a BatchNorm's parameters."""
        scale = norm_scale(norm)
        return cls(scale[:, None], norm_shift(norm, scale)[:, None])

    def __call__(self, x: Wide) -> Wide:
        """The function of every position and channel."""
        return tanh_gelu(torch.addcmul(self.shift, x, self.scale))

    def difference(self, x: Wide, d: Wide) -> Wide:
        """Change of the function when x becomes x + d."""
        scaled = torch.addcmul(self.shift, x, self.scale)
        return tanh_gelu_difference(scaled, d * self.scale)


@dataclass(frozen=True)
class DeltaMaxPooledConvolution:
    """BatchNorm and GELU, convolution, GELU, a residual of width 1, the maximum of each few positions.

    A norm behind the convolution is part of its weights, a residual's factor of its last convolution's.

    Attributes:
        activation: None where letters are read as they are.
        convolution: with its bias.
        activated_after: whether a GELU follows it.
        residual: convolutions of width 1 one after the other, and what stands before each; none where nothing is added.
        pool: positions that become one.
    """

    activation: NormedTanhGelu | None
    convolution: ReferenceConvolution
    activated_after: bool
    residual: tuple[tuple[NormedTanhGelu, ReferenceConvolution], ...]
    pool: int

    @classmethod
    def of(cls, block: MaxPooledConvolution) -> "DeltaMaxPooledConvolution":
        """The rules of a block, its weights prepared; call it in inference mode."""
        before = block.norm_before
        return cls(
            activation=None if before is None else NormedTanhGelu.of(before),
            convolution=_convolution(block.conv, block.norm_after),
            activated_after=block.activated_after,
            residual=() if block.residual is None else _residual(block.residual),
            pool=block.pool,
        )

    def before(self, x: Wide) -> Wide:
        """BatchNorm and GELU; letters are read as they are."""
        return x if self.activation is None else self.activation(x)

    def before_difference(self, x: Wide, d: Wide) -> Wide:
        """Change of `before` when x becomes x + d."""
        return d if self.activation is None else self.activation.difference(x, d)

    def unpooled(self, convolved: Wide) -> Wide:
        """GELU and residual."""
        x = tanh_gelu(convolved) if self.activated_after else convolved
        if not self.residual:
            return x
        added = x
        for activation, convolution in self.residual:
            added = convolution(activation(added))
        # In place: nobody else reads what is added.
        return added.add_(x)

    def unpooled_difference(self, convolved: Wide, d: Wide) -> Wide:
        """Change of `unpooled` when `convolved` changes by d."""
        x = convolved
        if self.activated_after:
            x = tanh_gelu(convolved)
            d = tanh_gelu_difference(convolved, d)
        inner = x
        moved = d
        for activation, convolution in self.residual:
            moved = convolve(activation.difference(inner, moved), convolution.kernel)
            inner = convolution(activation(inner))
        return d + moved if self.residual else d

    def pooled(self, unpooled: Wide) -> Pooled:
        """The largest of each few positions."""
        # of views, one after the other, so that channels still lie together
        return reduce(torch.maximum, unpooled.unflatten(-1, (-1, self.pool)).unbind(-1))

    def pooled_difference(self, unpooled: Wide, d: Wide) -> Pooled:
        """Change of `pooled` when `unpooled` changes by d."""
        return max_pool_difference(unpooled, d, self.pool)


def _convolution(conv: nn.Conv1d, norm: nn.BatchNorm1d | None) -> ReferenceConvolution:
    """A convolution with the norm behind it, which scales and shifts each of its outputs."""
    weight: Tensor = conv.weight
    bias = conv.bias
    if norm is not None:
        scale = norm_scale(norm)
        shift = norm_shift(norm, scale)
        weight = weight * scale[:, None, None]
        bias = shift if bias is None else torch.addcmul(shift, bias, scale)
    return ReferenceConvolution(inputs_together(weight), bias)


def _residual(block: ScaledResidual) -> tuple[tuple[NormedTanhGelu, ReferenceConvolution], ...]:
    """Its convolutions, of which the last is multiplied by the factor."""
    made = []
    last = len(block.convolutions) - 1
    for number, one in enumerate(block.convolutions):
        weight: Tensor = one.conv.weight
        bias = one.conv.bias
        if number == last:
            weight = weight * block.factor[:, None, None]
            bias = None if bias is None else bias * block.factor
        made.append((NormedTanhGelu.of(one.norm), ReferenceConvolution(weight, bias)))
    return tuple(made)
