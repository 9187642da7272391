"""A layer's attention on the reference, kept for the alts that are carried beside it.

Keys and values are kept without what all tokens have in common, which no difference sees: a softmax does not change
when a query's logits all rise alike, and changes of its weights sum to 0. Rounded to 16 bits with it, they would lose
the digits that count.

Does not know differences.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from enformer_core.models.attention import Attention
from enformer_core.scoring.delta.matmul import apply_linear, products
from enformer_core.scoring.delta.spans import as_slice

# Of one head. Values are transposed: that is how products with attention weights read them.
Keys = Float[Tensor, "tokens keys"]
Values = Float[Tensor, "values tokens"]
Distances = Float[Tensor, "distances keys"]
Logits = Float[Tensor, "queries tokens"]
RowLogits = Float[Tensor, "rows tokens"]
Rows = Int[Tensor, " rows"]
"""Some of the queries, counted from the first."""

# Of all heads.
KeysByHead = Float[Tensor, "heads tokens keys"]
DistancesByHead = Float[Tensor, "heads distances keys"]
LogitsByHead = Float[Tensor, "heads queries tokens"]
AttendedByHead = Float[Tensor, "heads queries values"]

# Of keys and values, each of which several heads of queries may share.
SharedKeys = Float[Tensor, "key_heads tokens keys"]
SharedValues = Float[Tensor, "key_heads values tokens"]


@dataclass(frozen=True, kw_only=True)
class ReferenceAttention:
    """What a layer's attention makes of the reference, for some of its queries: all, or in the last layer fewer.

    Its logits are content · k, to which an attention that sees distances adds a part of its own.

    Attributes:
        content: what of the queries is multiplied with the keys, for every token.
        k: keys, less their mean over tokens.
        v: values, likewise, transposed.
        mean_v: that mean of the values.
        weights: attention weights of the queries.
        attended: weights · v.
        queries: which queries, a run of tokens.
        low_k: `k` in the number format of differences.
        low_weights: `weights` in that format.
    """

    content: KeysByHead
    k: SharedKeys
    v: SharedValues
    mean_v: Float[Tensor, "key_heads values"]
    weights: LogitsByHead
    attended: AttendedByHead
    queries: range
    low_k: SharedKeys
    low_weights: LogitsByHead

    def add_low_by_distance(self, logits: Logits, head: int, q: Keys, queries: range) -> None:
        """Add what a head's logits of some queries see of distances, in the number format of differences: nothing."""

    def add_by_distance(
        self, logits: RowLogits, head: int, of_rows: Float[Tensor, "rows keys"], rows: Rows
    ) -> None:
        """Add what some rows of logits see of distances, in the reference's number format: nothing."""

    def add_positions(
        self, logits: RowLogits, head: int, rows: Rows, of_rows: Float[Tensor, "rows keys"]
    ) -> None:
        """The same of the reference itself, whose q have changed by `of_rows`."""

    @property
    def sharing(self) -> int:
        """How many heads of queries, which lie together, share the keys and values of one."""
        return len(self.content) // len(self.k)

    def for_queries(
        self, x: Float[Tensor, "key_heads first *rest"]
    ) -> Float[Tensor, "heads first *rest"]:
        """What each head of keys or values has, once for every head of queries that shares it."""
        return x if self.sharing == 1 else x.repeat_interleave(self.sharing, dim=0)

    def attended_with_mean(self) -> Float[Tensor, "queries values_of_heads"]:
        """What the output projection reads of the reference: what the queries attend to, its common part included."""
        # weights sum to 1
        whole = self.attended + self.for_queries(self.mean_v)[:, None]
        return whole.transpose(0, 1).flatten(1)


@dataclass(frozen=True, kw_only=True)
class DistanceReference(ReferenceAttention):
    """That of an attention whose logits see the distance between tokens: with position · relative keys.

    The fused kernel reads the same in another form, see `fused_attention.FusedReference`.

    Attributes:
        content: q / √key + content bias.
        position: q / √key + position bias, for every token.
        relative: keys of the relative distances −(tokens − 1) … tokens − 1.
        low_relative: `relative` in the number format of differences.
        logits: what `weights` is the softmax of; None where they are not kept.
    """

    position: KeysByHead
    relative: DistancesByHead
    low_relative: DistancesByHead
    logits: LogitsByHead | None = None

    def add_low_by_distance(self, logits: Logits, head: int, q: Keys, queries: range) -> None:
        """Add the products of `queries` with the relative keys, in the number format of differences.

        Args:
            logits: of those queries.
            head: whose.
            q: of all tokens; its change, say.
            queries: a run of tokens.
        """
        logits += relative_logits(q[None], self.low_relative[head][None], queries)[0]

    def add_by_distance(
        self, logits: RowLogits, head: int, of_rows: Float[Tensor, "rows keys"], rows: Rows
    ) -> None:
        """Add the products of some rows with the relative keys, each with all tokens by their distance."""
        product = of_rows @ self.relative[head].mT
        logits += product.gather(1, _distance_columns(rows, logits.shape[1]))

    def add_positions(
        self, logits: RowLogits, head: int, rows: Rows, of_rows: Float[Tensor, "rows keys"]
    ) -> None:
        """The same of the reference itself, whose q have changed by `of_rows`."""
        self.add_by_distance(logits, head, self.position[head, rows] + of_rows, rows)


def relative_keys(layer: Attention, tokens: int) -> DistancesByHead:
    """W_r · features of the distances: the same for every input."""
    weight = layer.to_rel_k.weight
    features = layer.features_of(tokens, layer.positional_features, weight.dtype, weight.device)
    return layer.split(layer.to_rel_k(features)).contiguous()


def reference_attention(
    layer: Attention,
    normed: Float[Tensor, "tokens channels"],
    relative: tuple[DistancesByHead, DistancesByHead],
    queries: range,
    *,
    keep_logits: bool = False,
) -> DistanceReference:
    """Run a layer's attention on the reference and keep what differences need.

    Args:
        layer: the attention.
        normed: what it reads.
        relative: `relative_keys` in the reference's number format and in that of differences.
        queries: the tokens that attend.
        keep_logits: beside the weights, for the fused kernel.
    """
    exact_relative, low_relative = relative
    q = layer.split(apply_linear(layer.to_q, normed)) * layer.key_channels**-0.5
    k, _ = centred(layer.split(apply_linear(layer.to_k, normed)).contiguous(), dim=1)
    v, mean_v = centred(layer.split(apply_linear(layer.to_v, normed)).mT.contiguous(), dim=2)
    content = q + layer.rel_content_bias[0]
    position = q + layer.rel_pos_bias[0]

    heads, values, tokens = v.shape
    weights = normed.new_empty(heads, len(queries), tokens)
    attended = normed.new_empty(heads, len(queries), values)
    kept_logits = torch.empty_like(weights) if keep_logits else None
    for some in heads_together(heads, normed.device):
        logits = products(content[some, as_slice(queries)], k[some])
        logits += relative_logits(position[some], exact_relative[some], queries)
        torch.softmax(logits, dim=-1, out=weights[some])
        attended[some] = products(weights[some], v[some])
        if kept_logits is not None:
            kept_logits[some] = logits

    return DistanceReference(
        content=content,
        position=position,
        k=k,
        v=v,
        mean_v=mean_v[..., 0],
        relative=exact_relative,
        weights=weights,
        attended=attended,
        queries=queries,
        low_k=k.to(low_relative.dtype),
        low_relative=low_relative,
        low_weights=weights.to(low_relative.dtype),
        logits=kept_logits,
    )


def centred(
    x: Float[Tensor, "*shape"], dim: int
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*mean"]]:
    """x less its mean along a dimension, and the mean, whose length is 1 there."""
    mean = x.mean(dim, keepdim=True)
    return x - mean, mean


def heads_together(heads: int, device: torch.device) -> list[slice]:
    """Which heads are computed at once: one on CPUs, whose caches hold no more; all on GPUs, which small steps keep."""
    if device.type != "cpu":
        return [slice(0, heads)]
    return [slice(head, head + 1) for head in range(heads)]


def relative_logits(q: KeysByHead, relative: DistancesByHead, queries: range) -> LogitsByHead:
    """q · relative keys for a run of queries: of each query with all tokens, by their distance."""
    heads, tokens, _ = q.shape
    first = tokens - queries.stop
    last = 2 * tokens - 1 - queries.start
    product = products(q[:, as_slice(queries)], relative[:, first:last])
    if product.stride(-1) != 1:
        product = product.contiguous()
    # A column of the product is a distance, and the next query's distances lie one column further left. Three queries
    # and three tokens, distances −2 … 2:
    #     a b [c d e]
    #     f [g h i] j        read as        c d e / g h i / k l m
    #     [k l m] n o
    # In memory each row begins one number earlier than the product's: a view with that stride, nothing copied.
    head_stride, row_stride, _ = product.stride()
    rows = len(queries)
    begin = product.storage_offset() + rows - 1
    return product.as_strided((heads, rows, tokens), (head_stride, row_stride - 1, 1), begin)


def _distance_columns(queries: Rows, tokens: int) -> Int[Tensor, "rows tokens"]:
    """Of some queries and all tokens, the place of their distance among −(tokens − 1) … tokens − 1."""
    # three tokens, query 2: columns 0, 1, 2 are the distances −2, −1, 0; query 0: columns 2, 3, 4
    every = torch.arange(tokens, device=queries.device)
    return tokens - 1 - queries[:, None] + every
