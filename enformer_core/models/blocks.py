"""A network as a list of blocks: which layers it has, in neutral terms, without what is done with them.

A model says here how it is built (`Network.blocks`); an engine has a rule for each type of block and knows no model. So
a new model that is made of these blocks needs nothing elsewhere, and one that is not brings a block of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.attention import Attention
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import NormGeluConv, SeparableConv, SoftmaxPool
from enformer_core.models.rotary_attention import RotaryAttention


@dataclass(frozen=True)
class AttentionPooledLevel:
    """A halving of the sequence: convolution, residual pointwise block, attention pooling.

    Attributes:
        norm: BatchNorm before the convolution, followed by a GELU; None where the level reads letters as they are.
        conv: the convolution, of odd width, which keeps the length.
        pointwise: what is added to the convolution's output.
        pool: halves the length.
    """

    norm: nn.BatchNorm1d | None
    conv: nn.Conv1d
    pointwise: NormGeluConv
    pool: SoftmaxPool

    @property
    def reach(self) -> int:
        """How far the convolution sees to either side, in positions of the level's input."""
        return self.conv.kernel_size[0] // 2

    @property
    def pooled(self) -> int:
        """Positions that become one."""
        return 2


@dataclass(frozen=True)
class NormedConvolution:
    """A convolution without bias that reads the GELU of its input, and the BatchNorm behind it."""

    conv: nn.Conv1d
    norm: nn.BatchNorm1d


@dataclass(frozen=True)
class MaxPooledLevel:
    """A halving of the sequence: a normed convolution, then the larger of each pair of positions."""

    block: NormedConvolution

    @property
    def reach(self) -> int:
        """How far the convolution sees to either side, in positions of the level's input."""
        return self.block.conv.kernel_size[0] // 2

    @property
    def pooled(self) -> int:
        """Positions that become one."""
        return 2


@runtime_checkable
class HasReach(Protocol):
    """A level that pools the sequence and sees a few positions to either side of each."""

    @property
    def reach(self) -> int:
        """How far it sees to either side, in positions of its input."""
        ...

    @property
    def pooled(self) -> int:
        """Positions of its input that become one of its output."""
        ...


@dataclass(frozen=True)
class AttentionLayer:
    """A layer of a transformer: attention, then a two-layer perceptron, each normed first and added to its input."""

    attention_norm: nn.LayerNorm
    attention: Attention | RotaryAttention
    mlp_norm: nn.LayerNorm
    up: nn.Linear
    down: nn.Linear


@dataclass(frozen=True)
class TransformerTrunk:
    """From tokens to tracks: attention layers, the crop to the central bins, a final block, GELU, and the heads."""

    geometry: Geometry
    layers: tuple[AttentionLayer, ...]
    final: NormGeluConv
    heads: Mapping[str, nn.Linear]


@dataclass(frozen=True)
class DilatedResidual:
    """Two normed convolutions, the first of which is dilated; their output is added to the input."""

    gather: NormedConvolution
    widen: NormedConvolution


@dataclass(frozen=True)
class DilatedTrunk:
    """From tokens to tracks: dilated convolutions, the crop to the central bins, a final block, GELU, and the heads."""

    geometry: Geometry
    dilated: tuple[DilatedResidual, ...]
    final: NormedConvolution
    heads: Mapping[str, nn.Linear]


@dataclass(frozen=True)
class ActivatedConvolution:
    """BatchNorm, `layers.tanh_gelu`, and a convolution with a bias; the length stays."""

    norm: nn.BatchNorm1d
    conv: nn.Conv1d


@dataclass(frozen=True)
class ScaledResidual:
    """What is added to its own input: convolutions one after the other, and a factor of each channel.

    Attributes:
        convolutions: all of width 1, so that each position is by itself.
        factor: what the last one's output is multiplied by.
    """

    convolutions: tuple[ActivatedConvolution, ...]
    factor: Float[Tensor, " channels"]


@dataclass(frozen=True)
class MaxPooledConvolution:
    """A convolution with a bias, pooled by the maximum of each few positions; GELUs are `layers.tanh_gelu`.

    Attributes:
        conv: the convolution, of odd width, which keeps the length; without a bias where a norm follows it.
        pool: positions that become one.
        norm_before: BatchNorm before it, followed by a GELU; None where it reads its input as it is.
        norm_after: BatchNorm behind it.
        activated_after: whether a GELU follows, behind the norm where there is one.
        residual: what is added to all that, a function of it; it comes last, before the pooling.
    """

    conv: nn.Conv1d
    pool: int
    norm_before: nn.BatchNorm1d | None = None
    norm_after: nn.BatchNorm1d | None = None
    activated_after: bool = False
    residual: ScaledResidual | None = None

    @property
    def reach(self) -> int:
        """How far the convolution sees to either side, in positions of the level's input."""
        return self.conv.kernel_size[0] // 2

    @property
    def pooled(self) -> int:
        """Positions that become one."""
        return self.pool


@dataclass(frozen=True)
class Doubling:
    """Two paths, each normed, activated and mixed by a dense layer: the incoming one is doubled, and both are added.

    The other path is a skip, what a level gave before its pooling; see `Blocks.skip_levels`.

    Attributes:
        incoming_norm: of what is doubled.
        incoming_dense: None where that is doubled as it is.
        skip_norm: of what is added.
        skip_dense: likewise.
        separable: convolves the sum.
    """

    incoming_norm: nn.BatchNorm1d
    incoming_dense: nn.Linear | None
    skip_norm: nn.BatchNorm1d
    skip_dense: nn.Linear
    separable: SeparableConv


@dataclass(frozen=True)
class UNetTrunk:
    """From tokens to tracks: attention layers, doublings, the crop to the central bins, a final block, GELU, heads.

    Attributes:
        geometry: of the window; tokens become several bins each.
        layers: that attend.
        doublings: of the length, from tokens to bins; each reads the skip of its number.
        final_norm: before the final convolution, followed by a GELU; None where there is no final block.
        final_conv: likewise.
        heads: linear maps behind the last GELU.
    """

    geometry: Geometry
    layers: tuple[AttentionLayer, ...]
    doublings: tuple[Doubling, ...]
    final_norm: nn.BatchNorm1d | None
    final_conv: nn.Conv1d | None
    heads: Mapping[str, nn.Linear]


@dataclass(frozen=True)
class Blocks:
    """A network taken apart.

    Attributes:
        levels: from letters to tokens, each of which pools; blocks of any type that an engine has a rule for.
        trunk: from tokens to tracks; likewise.
        skip_levels: levels whose output before its pooling the trunk reads too, what they add to themselves included,
            in the order in which it reads them; the level that reads letters is 0.
    """

    # Of any type, for which an engine finds its rule by the type.
    levels: tuple[object, ...]
    trunk: object
    skip_levels: tuple[int, ...] = ()


@runtime_checkable
class HasBlocks(Protocol):
    """A model that says how it is built."""

    def blocks(self) -> Blocks:
        """Its layers by what they do."""
        ...
