"""Attention whose logits see distances, for differences; on GPUs by the fused kernel."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.attention import Attention
from enformer_core.scoring.delta.alts_together import add_moved, alts_together, fused_scale
from enformer_core.scoring.delta.attention_block import AttentionBlock, Differences, Near, Normed
from enformer_core.scoring.delta.attention_reference import (
    DistanceReference,
    DistancesByHead,
    KeysByHead,
    ReferenceAttention,
    SharedKeys,
    SharedValues,
    reference_attention,
    relative_keys,
)
from enformer_core.scoring.delta.fused_attention import fused_attention_difference
from enformer_core.scoring.delta.fused_reference import FusedReference, fused_reference
from enformer_core.scoring.delta.fused_rules import fused_layer_norm_difference
from enformer_core.scoring.delta.kernel_trial import kernels_serve
from enformer_core.scoring.delta.layer_rules import NormInput
from enformer_core.scoring.delta.matmul import LinearDifference
from enformer_core.scoring.delta.spans import as_slice


@dataclass(frozen=True)
class RelativeBlock(AttentionBlock):
    """LayerNorm and attention by distance of one layer, prepared for differences.

    Attributes:
        attention: the layer's own, for the reference.
        relative: keys of the relative distances, in the reference's number format and in that of differences.
    """

    attention: Attention
    relative: tuple[DistancesByHead, DistancesByHead]

    @classmethod
    def of(
        cls, norm: nn.LayerNorm, attention: Attention, tokens: int, delta: torch.dtype
    ) -> "RelativeBlock":
        """Of a layer's modules, their parameters in the reference's number format."""
        relative = relative_keys(attention, tokens)
        # in the model's own format, so that the factor is not rounded by itself
        scaled_q = attention.to_q.weight * attention.key_channels**-0.5
        return cls(
            norm=norm,
            out=attention.to_out,
            to_q=LinearDifference(scaled_q, delta),
            to_k=LinearDifference(attention.to_k.weight, delta),
            to_v=LinearDifference(attention.to_v.weight, delta),
            to_out=LinearDifference(attention.to_out.weight, delta),
            attention=attention,
            relative=(relative, relative.to(delta)),
        )

    def reference(self, normed: Normed, queries: range) -> DistanceReference:
        """Queries, keys and what the queries attend to."""
        return reference_attention(
            self.attention,
            normed,
            self.relative,
            queries,
            # 75 MB a layer, which the other way does not read
            keep_logits=kernels_serve(self.to_q.dtype, normed.device),
        )

    def changes(self, dn: Normed) -> tuple[KeysByHead, SharedKeys, SharedValues]:
        """Changes of q / √key, of keys and of values."""
        dq = self.attention.split(self.to_q(dn))
        dk = self.attention.split(self.to_k(dn))
        dv = self.to_v.transposed(dn).unflatten(0, (len(dk), -1))
        return dq, dk, dv

    def changes_near(
        self, dn: Near, near: range
    ) -> tuple[
        Float[Tensor, "heads near keys"],
        Float[Tensor, "key_heads near keys"],
        Float[Tensor, "key_heads near values"],
    ]:
        """`changes` of a few tokens, in the reference's number format."""
        del near  # wherever they lie
        attention = self.attention
        # without a bias: the attention's projections have none
        dq, dk, dv = [
            attention.split(functional.linear(dn, projection.weight))
            for projection in (attention.to_q, attention.to_k, attention.to_v)
        ]
        return dq * attention.key_channels**-0.5, dk, dv

    def _add(
        self,
        reference: ReferenceAttention,
        x: NormInput,
        d: Differences,
        near: Sequence[range],
        *,
        first: bool,
    ) -> None:
        if kernels_serve(self.to_q.dtype, d.device):
            assert isinstance(reference, DistanceReference)
            self._add_fused(reference, x, d)
        else:
            super()._add(reference, x, d, near, first=first)

    def _add_fused(
        self,
        reference: DistanceReference,
        x: NormInput,
        d: Differences,
    ) -> None:
        """`_add` by the fused kernel, a few alts at a time; it needs no other way for the tokens `near`."""
        shared = _for_kernel(reference, self.to_q.dtype)
        split = self.attention.split
        rows = as_slice(reference.queries)
        for alts in alts_together(d):
            scale = fused_scale(self.norm, x.x, d[alts], self.to_q.dtype)
            low = fused_layer_norm_difference(self.norm, x.x, d[alts], self.to_q.dtype, scale)
            dq = split(self.to_q.multiply(low))
            dk = split(self.to_k.multiply(low))
            dv = split(self.to_v.multiply(low))
            change = fused_attention_difference(shared, dq, dk, dv, scale=scale)
            # [alts, heads, queries, values] to rows of all heads' values; they lie so in memory already
            attended = change.transpose(1, 2).flatten(2)
            add_moved(d[alts, rows], self.to_out.multiply(attended), scale)


def _for_kernel(reference: DistanceReference, delta: torch.dtype) -> FusedReference:
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
