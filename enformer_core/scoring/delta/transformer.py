"""The transformer and heads of Enformer with the reference and differences side by side.

Layer by layer over all alts of a window, so that what the reference costs is paid once. Does not know windows or files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.attention import Attention
from enformer_core.models.blocks import AttentionLayer, TransformerTrunk
from enformer_core.models.layers import gelu, head_columns
from enformer_core.scoring.delta.attention import (
    ReferenceAttention,
    attention_difference,
    reference_attention,
    relative_keys,
    sparse_attention_difference,
)
from enformer_core.scoring.delta.fused_attention import (
    fused_attention_available,
    fused_attention_difference,
    fused_reference,
)
from enformer_core.scoring.delta.layer_rules import (
    batch_norm_difference,
    gelu_difference,
    layer_norm_difference,
    relu_difference,
    softplus_difference,
)
from enformer_core.scoring.delta.matmul import apply_linear, linear
from enformer_core.scoring.precision import Arithmetic

FUSED_ALTS = 8
"""Alts that one call of the fused kernel serves: its product by distance takes 75 MB for each in 16 bits."""
NEAR_TOKENS = 32
"""Most tokens that count as a small change."""

Reference = Float[Tensor, "tokens channels"]
Differences = Float[Tensor, "alts tokens channels"]


class LinearDifference:
    """A linear map without its bias, in the number format of differences."""

    def __init__(self, weight: Float[Tensor, "outputs inputs"], delta: torch.dtype) -> None:
        self._weight = weight.to(delta)

    @property
    def dtype(self) -> torch.dtype:
        """The number format of differences."""
        return self._weight.dtype

    def __call__(self, d: Float[Tensor, "*rows inputs"]) -> Float[Tensor, "*rows outputs"]:
        """W d, in the number format of differences."""
        return d.to(self._weight.dtype) @ self._weight.T

    def transposed(self, d: Float[Tensor, "rows inputs"]) -> Float[Tensor, "outputs rows"]:
        """(W d)ᵀ."""
        return self._weight @ d.to(self._weight.dtype).T


@dataclass(frozen=True)
class AttentionBlock:
    """LayerNorm and attention of one layer, prepared for differences."""

    norm: nn.LayerNorm
    attention: Attention
    relative: tuple[Float[Tensor, "heads distances keys"], Float[Tensor, "heads distances keys"]]
    to_q: LinearDifference
    to_k: LinearDifference
    to_v: LinearDifference
    to_out: LinearDifference

    def advance(
        self, x: Reference, d: Differences, near: Sequence[range], queries: range, *, first: bool
    ) -> tuple[Float[Tensor, "queries channels"], Float[Tensor, "alts queries channels"]]:
        """x and d after the block, for the queries asked for, where d is changed in place.

        In the first block, d is 0 for all but the tokens `near`.
        """
        normed, fused = self.norm(x), fused_attention_available(x.device)
        reference = reference_attention(
            self.attention, normed, self.relative, queries, keep_logits=fused
        )
        asked = slice(queries.start, queries.stop)
        if fused:
            self._add_fused(reference, x, normed, d)
        for alt in range(0 if fused else len(d)):
            if first and near[alt]:
                gathered = self._gathered_sparsely(reference, x, normed, d[alt], near[alt])
            else:
                gathered = self._gathered(
                    reference, layer_norm_difference(self.norm, x, normed, d[alt]), near[alt]
                )
            d[alt, asked] += self.to_out(gathered)
        gathered = reference.gathered.transpose(0, 1).flatten(1)
        return x[asked] + apply_linear(self.attention.to_out, gathered), d[:, asked]

    def _gathered(
        self, reference: ReferenceAttention, dn: Float[Tensor, "tokens channels"], near: range
    ) -> Float[Tensor, "queries channels"]:
        """Change of what all heads gather for one alt, in the number format of differences."""
        low, split = dn.to(self.to_q.dtype), self.attention.split
        dv = self.to_v.transposed(low).unflatten(0, (self.attention.heads, -1))
        return attention_difference(
            reference, split(self.to_q(low)), split(self.to_k(low)), dv, near
        ).flatten(1)

    def _gathered_sparsely(
        self,
        reference: ReferenceAttention,
        x: Reference,
        normed: Reference,
        d: Reference,
        near: range,
    ) -> Float[Tensor, "queries channels"]:
        """The same where only the tokens `near` differ, in the reference's number format."""
        rows, attention = slice(near.start, near.stop), self.attention
        dn = layer_norm_difference(self.norm, x[rows], normed[rows], d[rows])
        dq, dk, dv = (
            attention.split(functional.linear(dn, project.weight))
            for project in (attention.to_q, attention.to_k, attention.to_v)
        )
        dq = dq * attention.key_channels**-0.5
        return sparse_attention_difference(reference, near, dq, dk, dv).flatten(1)

    def _add_fused(
        self,
        reference: ReferenceAttention,
        x: Reference,
        normed: Reference,
        d: Differences,
    ) -> None:
        """The same for all alts by the fused kernel, a few at a time."""
        assert reference.logits is not None
        shared = fused_reference(
            content=reference.content,
            k=reference.k,
            v=reference.v.mT,
            relative=reference.relative,
            logits=reference.logits,
            gathered=reference.gathered,
            queries=reference.queries,
            delta=self.to_q.dtype,
        )
        split, asked = self.attention.split, slice(reference.queries.start, reference.queries.stop)
        for first in range(0, len(d), FUSED_ALTS):
            alts = slice(first, first + FUSED_ALTS)
            dn = layer_norm_difference(self.norm, x, normed, d[alts]).to(self.to_q.dtype)
            dq, dk, dv = (split(linear(dn)) for linear in (self.to_q, self.to_k, self.to_v))
            gathered = fused_attention_difference(shared, dq, dk, dv).transpose(1, 2).flatten(2)
            d[alts, asked] += self.to_out(gathered)


@dataclass(frozen=True)
class PerceptronBlock:
    """LayerNorm and two-layer perceptron of one layer, prepared for differences."""

    norm: nn.LayerNorm
    first: nn.Linear
    second: nn.Linear
    d_first: LinearDifference
    d_second: LinearDifference

    def advance(self, x: Reference, d: Differences) -> tuple[Reference, Differences]:
        """x and d after the block."""
        normed = self.norm(x)
        hidden = apply_linear(self.first, normed)
        negative, less_positive = (
            part.to(self.d_first.dtype) for part in (hidden.clamp(max=0), -hidden.clamp(min=0))
        )
        for alt in range(len(d)):
            dn = layer_norm_difference(self.norm, x, normed, d[alt])
            d[alt] += self.d_second(relu_difference(negative, less_positive, self.d_first(dn)))
        return x + apply_linear(self.second, functional.relu(hidden)), d


class DeltaTransformer:
    """Transformer, final block and one head, for differences.

    Args:
        trunk: with its parameters in the reference's number format.
        head: which head.
        tracks: its columns, or None for all.
        arithmetic: number formats.
    """

    def __init__(
        self, trunk: TransformerTrunk, head: str, tracks: Tensor | None, arithmetic: Arithmetic
    ) -> None:
        self._geometry = trunk.geometry
        self._delta = arithmetic.delta
        self._layers = [self._prepare(layer) for layer in trunk.layers]
        self._final_norm = trunk.final.norm
        self._final = trunk.final.conv
        self._d_final = LinearDifference(self._final.weight[..., 0], self._delta)
        self._head = head_columns(trunk.heads[head], tracks)
        self._d_head = LinearDifference(self._head[0], self._delta)

    def _prepare(self, layer: AttentionLayer) -> tuple[AttentionBlock, PerceptronBlock]:
        delta = self._delta
        attention = layer.attention
        relative = relative_keys(attention, self._geometry.tokens)
        return (
            AttentionBlock(
                norm=layer.attention_norm,
                attention=attention,
                relative=(relative, relative.to(delta)),
                to_q=LinearDifference(attention.to_q.weight * attention.key_channels**-0.5, delta),
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

    def advance(
        self, x: Reference, d: Differences, bins: range
    ) -> tuple[Float[Tensor, "bins tracks"], Iterator[Float[Tensor, "bins tracks"]]]:
        """Carry reference and differences to the predictions; see `network.Trunk`."""
        geometry = self._geometry
        every = range(geometry.tokens)
        kept = range(geometry.crop_tokens + bins.start, geometry.crop_tokens + bins.stop)
        near = [_near(of_alt) for of_alt in d]
        for number, (attention, perceptron) in enumerate(self._layers):
            queries = kept if number == len(self._layers) - 1 else every
            x, d = attention.advance(x, d, near, queries, first=number == 0)
            x, d = perceptron.advance(x, d)
        reference = self._reference_head(x)
        return functional.softplus(reference.logits), (
            self._head_difference(reference, of_alt) for of_alt in d
        )

    def _reference_head(self, x: Reference) -> "_ReferenceHead":
        normed = self._final_norm(x.T[None])[0].T
        final = linear(gelu(normed), self._final.weight[..., 0], self._final.bias)
        return _ReferenceHead(normed, final, linear(gelu(final), *self._head))

    def _head_difference(
        self, reference: "_ReferenceHead", d: Float[Tensor, "bins channels"]
    ) -> Float[Tensor, "bins tracks"]:
        normed = batch_norm_difference(self._final_norm, d.T[None])[0].T
        final = self._d_final(gelu_difference(reference.normed, normed))
        logits = self._d_head(gelu_difference(reference.final, final)).to(d.dtype)
        return softplus_difference(reference.logits, logits)


def _near(d: Float[Tensor, "tokens channels"]) -> range:
    """The tokens that a small change touched; none where it touched many."""
    touched = d.any(dim=-1).nonzero().flatten()
    if not len(touched) or len(touched) > NEAR_TOKENS:
        return range(0)
    return range(int(touched[0]), int(touched[-1]) + 1)


@dataclass(frozen=True)
class _ReferenceHead:
    """The reference's activations in the final block: before each nonlinearity."""

    normed: Float[Tensor, "bins channels"]
    final: Float[Tensor, "bins embedding"]
    logits: Float[Tensor, "bins tracks"]
