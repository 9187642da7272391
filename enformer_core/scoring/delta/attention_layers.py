"""Layers of attention and perceptrons with the reference and differences side by side.

Layer by layer over all alts of a window, so that what the reference costs is paid once. Each type of attention has its
rules, registered by `@attention_block.register(TheAttention)`. Does not know what stands behind the layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.attention import Attention
from enformer_core.models.blocks import AttentionLayer
from enformer_core.models.rotary_attention import RotaryAttention
from enformer_core.scoring.delta.alts_together import add_moved, alts_together, fused_scale
from enformer_core.scoring.delta.attention_block import (
    AttentionBlock,
    Differences,
    Queried,
    Tokens,
)
from enformer_core.scoring.delta.fused_rules import (
    fused_layer_norm_difference,
    fused_relu_difference,
)
from enformer_core.scoring.delta.kernel_trial import kernels_serve
from enformer_core.scoring.delta.layer_rules import (
    NormInput,
    layer_norm_difference,
    relu_difference,
)
from enformer_core.scoring.delta.matmul import LinearDifference, apply_linear
from enformer_core.scoring.delta.relative_block import RelativeBlock
from enformer_core.scoring.delta.rotary_block import RotaryBlock
from enformer_core.scoring.delta.spans import as_slice

NEAR_TOKENS = 32
"""Most tokens that count as a small change."""


@singledispatch
def attention_block(
    attention: object,
    norm: nn.LayerNorm,
    tokens: int,
    delta: torch.dtype,
) -> AttentionBlock:
    """The rules of a layer's attention, its weights prepared.

    Args:
        attention: with its parameters in the reference's number format.
        norm: what it reads through, likewise.
        tokens: of a window.
        delta: number format of differences.

    Raises:
        TypeError: for a type of attention without rules.
    """
    del norm, tokens, delta
    raise TypeError(f"{type(attention).__name__} has no rules for differences")


@attention_block.register(Attention)
def _relative(
    attention: Attention, norm: nn.LayerNorm, tokens: int, delta: torch.dtype
) -> AttentionBlock:
    return RelativeBlock.of(norm, attention, tokens, delta)


@attention_block.register(RotaryAttention)
def _rotary(
    attention: RotaryAttention, norm: nn.LayerNorm, tokens: int, delta: torch.dtype
) -> AttentionBlock:
    return RotaryBlock.of(norm, attention, tokens, delta)


@dataclass(frozen=True)
class PerceptronBlock:
    """LayerNorm and two-layer perceptron of one layer, prepared for differences.

    Attributes:
        norm: what the perceptron reads through.
        first: its first layer, in front of the ReLU, for the reference.
        second: its second.
        d_first: the first, for differences.
        d_second: the second.
    """

    norm: nn.LayerNorm
    first: nn.Linear
    second: nn.Linear
    d_first: LinearDifference
    d_second: LinearDifference

    def propagate(self, x: Tokens, d: Differences) -> Tokens:
        """The reference after the block; d is changed in place to what it is then."""
        norm_input = NormInput.of(self.norm, x)
        hidden = apply_linear(self.first, norm_input.normed(self.norm))
        if kernels_serve(self.d_first.dtype, x.device):
            self._add_fused(x, hidden, d)
        else:
            self._add_each(norm_input, hidden, d)
        return x + apply_linear(self.second, functional.relu(hidden))

    def _add_each(
        self,
        x: NormInput,
        hidden: Float[Tensor, "tokens hidden"],
        d: Differences,
    ) -> None:
        """Add the change of the block's output to d, a few alts at a time."""
        delta = self.d_first.reads
        # Once for all alts, and apart: in 16 bits, x + d would cost a small d beside a large x all of its digits.
        negative = hidden.clamp(max=0).to(delta)
        less_positive = (-hidden.clamp(min=0)).to(delta)
        for alts in alts_together(d):
            dn = layer_norm_difference(self.norm, x, d[alts], delta)
            d_hidden = relu_difference(negative, less_positive, self.d_first(dn))
            d[alts] += self.d_second(d_hidden)

    def _add_fused(
        self,
        x: Tokens,
        hidden: Float[Tensor, "tokens hidden"],
        d: Differences,
    ) -> None:
        """`_add_each` by kernels that pass over memory once."""
        for alts in alts_together(d):
            scale = fused_scale(self.norm, x, d[alts], self.d_first.dtype)
            dn = fused_layer_norm_difference(self.norm, x, d[alts], self.d_first.dtype, scale)
            d_hidden = fused_relu_difference(hidden, self.d_first.multiply(dn), scale)
            add_moved(d[alts], self.d_second.multiply(d_hidden), scale)


class DeltaLayers:
    """A stack of layers, for differences.

    Args:
        layers: with their parameters in the reference's number format.
        tokens: of a window.
        delta: number format of differences.
    """

    def __init__(
        self,
        layers: Sequence[AttentionLayer],
        tokens: int,
        delta: torch.dtype,
    ) -> None:
        self._tokens = tokens
        self._delta = delta
        self._layers = [self._prepare(layer) for layer in layers]

    def _prepare(self, layer: AttentionLayer) -> tuple[AttentionBlock, PerceptronBlock]:
        delta = self._delta
        return (
            attention_block(layer.attention, layer.attention_norm, self._tokens, delta),
            PerceptronBlock(
                norm=layer.mlp_norm,
                first=layer.up,
                second=layer.down,
                d_first=LinearDifference(layer.up.weight, delta),
                d_second=LinearDifference(layer.down.weight, delta),
            ),
        )

    def propagate(
        self, x: Tokens, d: Differences, kept: range
    ) -> tuple[Queried, Float[Tensor, "alts queries channels"]]:
        """Carry reference and differences through all layers.

        Args:
            x: the reference's tokens.
            d: the alts' differences from them; overwritten.
            kept: the tokens that are read afterwards.

        Returns:
            The reference and the differences in those tokens; the latter in the memory of d.
        """
        every = range(self._tokens)
        # the fused kernel asks for none, and to look would wait for the GPU
        near = [range(0)] * len(d)
        if not kernels_serve(self._delta, d.device):
            near = [_near(of_alt) for of_alt in d]
        last = len(self._layers) - 1
        for number, (attention, perceptron) in enumerate(self._layers):
            # no token reads another behind the last attention: only those that are read are carried on
            queries = kept if number == last else every
            # both blocks write their changes into d; cutting it to the queries is a view of the same memory
            x = attention.propagate(x, d, near, queries, first=number == 0)
            d = d[:, as_slice(queries)]
            x = perceptron.propagate(x, d)
        return x, d


def _near(d: Float[Tensor, "tokens channels"]) -> range:
    """The tokens that a small change touched; none where it touched many."""
    touched = d.any(dim=-1).nonzero().flatten()
    if not 0 < len(touched) <= NEAR_TOKENS:
        return range(0)
    first = int(touched[0])
    last = int(touched[-1])
    return range(first, last + 1)
