"""Attention with rotary positions for differences: what turns queries and keys is linear, and turns changes as well.

Keys are centred when they are turned: one vector less for all of them moves a query's logits all alike. What the keys
had in common before turns with them, and is left where it turns fast.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.rotary_attention import RotaryAttention, Rotation, rotation
from enformer_core.scoring.delta.attention_block import AttentionBlock, Near, Normed
from enformer_core.scoring.delta.attention_reference import (
    KeysByHead,
    ReferenceAttention,
    SharedKeys,
    SharedValues,
    centred,
    heads_together,
)
from enformer_core.scoring.delta.matmul import LinearDifference, apply_linear, products
from enformer_core.scoring.delta.spans import as_slice


@dataclass(frozen=True)
class RotaryBlock(AttentionBlock):
    """LayerNorm and rotary attention of one layer, prepared for differences.

    Attributes:
        attention: the layer's own, for the reference.
        turned: how positions turn channels, in the reference's number format.
    """

    attention: RotaryAttention
    turned: Rotation

    @classmethod
    def of(
        cls, norm: nn.LayerNorm, attention: RotaryAttention, tokens: int, delta: torch.dtype
    ) -> "RotaryBlock":
        """Of a layer's modules, their parameters in the reference's number format."""
        weight = attention.to_qkv.weight
        q, k, v = weight.split(attention.widths)
        return cls(
            norm=norm,
            out=attention.to_out,
            # in the model's own format, so that the factor is not rounded by itself
            to_q=LinearDifference(q * attention.key_channels**-0.5, delta),
            to_k=LinearDifference(k, delta),
            to_v=LinearDifference(v, delta),
            to_out=LinearDifference(attention.to_out.weight, delta),
            attention=attention,
            turned=rotation(
                tokens, attention.rotated_channels, attention.base, weight.dtype, weight.device
            ),
        )

    def reference(self, normed: Normed, queries: range) -> ReferenceAttention:
        """Queries and keys turned, and what the queries attend to."""
        layer = self.attention
        q, k, v = apply_linear(layer.to_qkv, normed).split(layer.widths, dim=-1)
        content = self.turned.turn(layer.split(q)) * layer.key_channels**-0.5
        turned_k, _ = centred(self.turned.turn(layer.split(k)), dim=1)
        centred_v, mean_v = centred(layer.split(v).mT.contiguous(), dim=2)

        sharing = layer.heads // layer.key_heads
        keys, values = (one.repeat_interleave(sharing, dim=0) for one in (turned_k, centred_v))
        weights = normed.new_empty(layer.heads, len(queries), len(normed))
        attended = normed.new_empty(layer.heads, len(queries), layer.key_channels)
        for some in heads_together(layer.heads, normed.device):
            logits = products(content[some, as_slice(queries)], keys[some])
            torch.softmax(logits, dim=-1, out=weights[some])
            attended[some] = products(weights[some], values[some])

        delta = self.to_q.dtype
        return ReferenceAttention(
            content=content,
            k=turned_k,
            v=centred_v,
            mean_v=mean_v[..., 0],
            weights=weights,
            attended=attended,
            queries=queries,
            low_k=turned_k.to(delta),
            low_weights=weights.to(delta),
        )

    def changes(self, dn: Normed) -> tuple[KeysByHead, SharedKeys, SharedValues]:
        """Changes of queries and keys, turned, and of values."""
        dv = self.to_v.transposed(dn).unflatten(0, (self.attention.key_heads, -1))
        return self._turned(self.to_q(dn)), self._turned(self.to_k(dn)), dv

    def _turned(self, d: Float[Tensor, "tokens wide"]) -> Float[Tensor, "heads tokens narrow"]:
        """What is turned, in the number format in which it came; angles and sums are in the reference's."""
        by_head = self.attention.split(d).to(self.turned.cosine.dtype)
        return self.turned.turn(by_head).to(d.dtype)

    def changes_near(
        self, dn: Near, near: range
    ) -> tuple[
        Float[Tensor, "heads near keys"],
        Float[Tensor, "key_heads near keys"],
        Float[Tensor, "key_heads near values"],
    ]:
        """`changes` of a few tokens, in the reference's number format."""
        layer = self.attention
        turned = self.turned.of(as_slice(near))
        # without the bias, which does not change
        changed = functional.linear(dn, layer.to_qkv.weight).split(layer.widths, dim=-1)
        dq, dk, dv = [layer.split(one) for one in changed]
        return turned.turn(dq) * layer.key_channels**-0.5, turned.turn(dk), dv
