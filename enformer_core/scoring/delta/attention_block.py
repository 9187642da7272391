"""LayerNorm and attention of one layer with the reference and differences side by side, whatever attends.

Does not know how queries and keys see positions: that is said by a class for each attention.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.scoring.delta.attention import (
    attention_difference,
    sparse_attention_difference,
)
from enformer_core.scoring.delta.attention_reference import (
    KeysByHead,
    ReferenceAttention,
    SharedKeys,
    SharedValues,
)
from enformer_core.scoring.delta.layer_rules import NormInput, layer_norm_difference
from enformer_core.scoring.delta.matmul import LinearDifference, apply_linear
from enformer_core.scoring.delta.spans import as_slice

Tokens = Float[Tensor, "tokens channels"]
Differences = Float[Tensor, "alts tokens channels"]
Normed = Float[Tensor, "tokens channels"]

Queried = Float[Tensor, "queries channels"]
"""Rows of the tokens that attend: all, or in the last layer those that are read afterwards."""

Near = Float[Tensor, "near channels"]
"""Rows of the tokens that a small change touched."""


@dataclass(frozen=True)
class AttentionBlock(ABC):
    """LayerNorm and attention of one layer, prepared for differences.

    Attributes:
        norm: what the attention reads through.
        out: the output projection, for the reference.
        to_q: the change of what becomes queries.
        to_k: of the keys.
        to_v: of the values.
        to_out: of the block's output.
    """

    norm: nn.LayerNorm
    out: nn.Linear
    to_q: LinearDifference
    to_k: LinearDifference
    to_v: LinearDifference
    to_out: LinearDifference

    @abstractmethod
    def reference(self, normed: Normed, queries: range) -> ReferenceAttention:
        """What the attention makes of the reference, for some queries."""

    @abstractmethod
    def changes(self, dn: Normed) -> tuple[KeysByHead, SharedKeys, SharedValues]:
        """Changes of content, keys and values, from that of what the attention reads.

        In the number format of differences, as is `dn`; in the reference's where that is float16.
        """

    @abstractmethod
    def changes_near(
        self, dn: Near, near: range
    ) -> tuple[
        Float[Tensor, "heads near keys"],
        Float[Tensor, "key_heads near keys"],
        Float[Tensor, "key_heads near values"],
    ]:
        """`changes` of a few tokens, in the reference's number format; values are not transposed."""

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
        reference = self.reference(norm_input.normed(self.norm), queries)
        self._add(reference, norm_input, d, near, first=first)
        change = apply_linear(self.out, reference.attended_with_mean())
        return x[as_slice(queries)] + change

    def _add(
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
                attended = attention_difference(reference, *self.changes(dn), near[alt])
            d[alt, rows] += self.to_out(attended.flatten(1))

    def _attended_sparsely(
        self,
        reference: ReferenceAttention,
        x: NormInput,
        d: Tokens,
        near: range,
    ) -> Float[Tensor, "queries heads values"]:
        """The change of weights · v where only the tokens `near` differ, in the reference's number format.

        That costs little there.
        """
        rows = as_slice(near)
        dn = layer_norm_difference(self.norm, x.rows(rows), d[rows], d.dtype)
        return sparse_attention_difference(reference, near, *self.changes_near(dn, near))
