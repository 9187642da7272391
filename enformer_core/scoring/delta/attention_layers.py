"""Layers of attention and perceptrons with the reference and differences side by side.

Layer by layer over all alts of a window, so that what the reference costs is paid once. Does not know what stands
behind the layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.attention import Attention
from enformer_core.models.blocks import AttentionLayer
from enformer_core.scoring.delta.attention import (
    attention_difference,
    sparse_attention_difference,
)
from enformer_core.scoring.delta.attention_reference import (
    DistancesByHead,
    ReferenceAttention,
    reference_attention,
    relative_keys,
)
from enformer_core.scoring.delta.fused_attention import fused_attention_difference
from enformer_core.scoring.delta.fused_reference import FusedReference, fused_reference
from enformer_core.scoring.delta.fused_rules import (
    fused_layer_norm_difference,
    fused_layer_norm_scale,
    fused_relu_difference,
)
from enformer_core.scoring.delta.kernel_trial import kernels_serve
from enformer_core.scoring.delta.layer_rules import (
    NormInput,
    layer_norm_difference,
    relu_difference,
)
from enformer_core.scoring.delta.matmul import LinearDifference, apply_linear
from enformer_core.scoring.delta.scaling import Scale, is_scaled
from enformer_core.scoring.delta.spans import as_slice

ALTS_TOGETHER = 32
"""Alts that one step on a GPU serves: the fused kernel's products by distance take 41 MB for each in 16 bits."""
_OF_TOKENS = 1_536
"""Tokens of the windows that it is said of."""
NEAR_TOKENS = 32
"""Most tokens that count as a small change."""

Tokens = Float[Tensor, "tokens channels"]
Differences = Float[Tensor, "alts tokens channels"]

Queried = Float[Tensor, "queries channels"]
"""Rows of the tokens that attend: all, or in the last layer those of the bins."""


@dataclass(frozen=True)
class AttentionBlock:
    """LayerNorm and attention of one layer, prepared for differences.

    Attributes:
        norm: what the attention reads through.
        attention: the layer's own, for the reference.
        relative: keys of the relative distances, in the reference's number format and in that of differences.
        to_q: the change of q / √key.
        to_k: of the keys.
        to_v: of the values.
        to_out: of the block's output.
    """

    norm: nn.LayerNorm
    attention: Attention
    relative: tuple[DistancesByHead, DistancesByHead]
    to_q: LinearDifference
    to_k: LinearDifference
    to_v: LinearDifference
    to_out: LinearDifference

    def propagate(
        self,
        x: Tokens,
        d: Differences,
        near: Sequence[range],
        queries: range,
        *,
        first: bool,
    ) -> Queried:
        """The reference's `queries` after the block; the same rows of d are changed in place to what they are then.

        Args:
            x: the reference before the block.
            d: the alts' differences before it.
            near: the tokens that each alt's change touched at first.
            queries: the tokens that are read afterwards.
            first: whether this is the first block, where d is 0 for all but the tokens `near`.
        """
        norm_input = NormInput.of(self.norm, x)
        fused = kernels_serve(self.to_q.dtype, x.device)
        reference = reference_attention(
            self.attention,
            norm_input.normed(self.norm),
            self.relative,
            queries,
            # 75 MB a layer, which the other way does not read
            keep_logits=fused,
        )
        if fused:
            self._add_fused(reference, x, d)
        else:
            self._add_each(reference, norm_input, d, near, first=first)
        change = apply_linear(self.attention.to_out, reference.attended_with_mean())
        return x[as_slice(queries)] + change

    def _add_each(
        self,
        reference: ReferenceAttention,
        x: NormInput,
        d: Differences,
        near: Sequence[range],
        *,
        first: bool,
    ) -> None:
        """Add the change of the block's output to d, one alt after another."""
        rows = as_slice(reference.queries)
        for alt in range(len(d)):
            if first and near[alt]:
                # before the first attention, a small change has reached the tokens around it and no others
                attended = self._attended_sparsely(reference, x, d[alt], near[alt])
            else:
                dn = layer_norm_difference(self.norm, x, d[alt], self.to_q.reads)
                attended = self._attended(reference, dn, near[alt])
            d[alt, rows] += self.to_out(attended)

    def _attended(
        self,
        reference: ReferenceAttention,
        dn: Float[Tensor, "tokens channels"],
        near: range,
    ) -> Queried:
        """Change of all heads' weights · v for one alt, from that of what the attention reads.

        In the number format of differences, as is `dn`; in the reference's where that is float16.
        """
        dq = self.attention.split(self.to_q(dn))
        dk = self.attention.split(self.to_k(dn))
        dv = self.to_v.transposed(dn).unflatten(0, (len(dk), -1))
        return attention_difference(reference, dq, dk, dv, near).flatten(1)

    def _attended_sparsely(
        self,
        reference: ReferenceAttention,
        x: NormInput,
        d: Tokens,
        near: range,
    ) -> Queried:
        """`_attended` where only the tokens `near` differ, in the reference's number format: it costs little there."""
        attention = self.attention
        rows = as_slice(near)
        dn = layer_norm_difference(self.norm, x.rows(rows), d[rows], d.dtype)
        # without a bias: the attention's projections have none
        dq, dk, dv = [
            attention.split(functional.linear(dn, projection.weight))
            for projection in (attention.to_q, attention.to_k, attention.to_v)
        ]
        dq = dq * attention.key_channels**-0.5
        return sparse_attention_difference(reference, near, dq, dk, dv).flatten(1)

    def _add_fused(
        self,
        reference: ReferenceAttention,
        x: Tokens,
        d: Differences,
    ) -> None:
        """`_add_each` by the fused kernel, a few alts at a time; it needs no other way for the tokens `near`."""
        shared = _for_kernel(reference, self.to_q.dtype)
        split = self.attention.split
        rows = as_slice(reference.queries)
        for alts in _carried_together(d):
            scale = _scale(self.norm, x, d[alts], self.to_q.dtype)
            low = fused_layer_norm_difference(self.norm, x, d[alts], self.to_q.dtype, scale)
            dq = split(self.to_q.multiply(low))
            dk = split(self.to_k.multiply(low))
            dv = split(self.to_v.multiply(low))
            change = fused_attention_difference(shared, dq, dk, dv, scale=scale)
            # [alts, heads, queries, values] to rows of all heads' values; they lie so in memory already
            attended = change.transpose(1, 2).flatten(2)
            _add(d[alts, rows], self.to_out.multiply(attended), scale)


def _for_kernel(reference: ReferenceAttention, delta: torch.dtype) -> FusedReference:
    """The same reference in the form that the fused kernel reads: see `FusedReference` for what differs."""
    assert reference.logits is not None
    return fused_reference(
        content=reference.content,
        k=reference.k,
        v=reference.v.mT,
        relative=reference.relative,
        logits=reference.logits,
        attended=reference.attended,
        queries=reference.queries,
        delta=delta,
    )


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
        for alts in _carried_together(d):
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
        for alts in _carried_together(d):
            scale = _scale(self.norm, x, d[alts], self.d_first.dtype)
            dn = fused_layer_norm_difference(self.norm, x, d[alts], self.d_first.dtype, scale)
            d_hidden = fused_relu_difference(hidden, self.d_first.multiply(dn), scale)
            _add(d[alts], self.d_second.multiply(d_hidden), scale)


def _scale(norm: nn.LayerNorm, x: Tokens, d: Differences, delta: torch.dtype) -> Scale | None:
    """What each alt's differences are multiplied by from the LayerNorm on, where they need it."""
    return fused_layer_norm_scale(norm, x, d) if is_scaled(delta) else None


def _add(d: Differences, moved: Differences, scale: Scale | None) -> None:
    """Add a block's change of its output to d, the factor of each alt taken away."""
    if scale is None:
        d += moved
    else:
        d.addcmul_(moved, scale.inverse[:, None, None])


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
        attention = layer.attention
        if not isinstance(attention, Attention):
            raise TypeError(f"{type(attention).__name__} has no rules for differences")
        relative = relative_keys(attention, self._tokens)
        # in the model's own format, so that the factor is not rounded by itself
        scaled_q = attention.to_q.weight * attention.key_channels**-0.5
        return (
            AttentionBlock(
                norm=layer.attention_norm,
                attention=attention,
                relative=(relative, relative.to(delta)),
                to_q=LinearDifference(scaled_q, delta),
                to_k=LinearDifference(attention.to_k.weight, delta),
                to_v=LinearDifference(attention.to_v.weight, delta),
                to_out=LinearDifference(attention.to_out.weight, delta),
            ),
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


def _carried_together(d: Differences) -> list[slice]:
    """Which alts a step serves: one on CPUs, whose caches hold no more; several on GPUs, which small steps keep."""
    alts, tokens, _ = d.shape
    together = 1
    if d.device.type != "cpu":
        # what a step holds grows with the square of a window: 4 alts of 4,096 tokens
        together = max(1, min(ALTS_TOGETHER, ALTS_TOGETHER * _OF_TOKENS**2 // tokens**2))
    return [slice(first, min(first + together, alts)) for first in range(0, alts, together)]


def _near(d: Float[Tensor, "tokens channels"]) -> range:
    """The tokens that a small change touched; none where it touched many."""
    touched = d.any(dim=-1).nonzero().flatten()
    if not 0 < len(touched) <= NEAR_TOKENS:
        return range(0)
    first = int(touched[0])
    last = int(touched[-1])
    return range(first, last + 1)
