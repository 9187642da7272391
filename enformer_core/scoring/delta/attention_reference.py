"""A layer's attention on the reference, kept for the alts that are carried beside it.

Keys and values are kept without what all tokens have in common, which no difference sees: a softmax does not change
when a query's logits all rise alike, and changes of its weights sum to 0. Rounded to 16 bits with it, they would lose
the digits that count.

Does not know differences.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.models.attention import Attention
from enformer_core.scoring.delta.matmul import apply_linear, products
from enformer_core.scoring.delta.spans import as_slice

# Of one head. Values are transposed: that is how products with attention weights read them.
Keys = Float[Tensor, "tokens keys"]
Values = Float[Tensor, "values tokens"]
Distances = Float[Tensor, "distances keys"]
Logits = Float[Tensor, "queries tokens"]

# Of all heads.
KeysByHead = Float[Tensor, "heads tokens keys"]
ValuesByHead = Float[Tensor, "heads values tokens"]
DistancesByHead = Float[Tensor, "heads distances keys"]
LogitsByHead = Float[Tensor, "heads queries tokens"]
AttendedByHead = Float[Tensor, "heads queries values"]


@dataclass(frozen=True)
class ReferenceAttention:
    """What a layer's attention makes of the reference, for some of its queries: all, or in the last layer fewer.

    The fused kernel reads the same in another form, see `fused_attention.FusedReference`.

    Attributes:
        content: q / √key + content bias, for every token.
        position: q / √key + position bias, for every token.
        k: keys, less their mean over tokens.
        v: values, likewise, transposed.
        mean_v: that mean of the values.
        relative: keys of the relative distances −(tokens − 1) … tokens − 1.
        weights: attention weights of the queries.
        attended: weights · v.
        queries: which queries, a run of tokens.
        low_k: `k` in the number format of differences.
        low_relative: `relative` in that format.
        low_weights: `weights` in that format.
        logits: what `weights` is the softmax of; None where they are not kept.
    """

    content: KeysByHead
    position: KeysByHead
    k: KeysByHead
    v: ValuesByHead
    mean_v: Float[Tensor, "heads values"]
    relative: DistancesByHead
    weights: LogitsByHead
    attended: AttendedByHead
    queries: range
    low_k: KeysByHead
    low_relative: DistancesByHead
    low_weights: LogitsByHead
    logits: LogitsByHead | None = None

    def attended_with_mean(self) -> Float[Tensor, "queries values_of_heads"]:
        """What the output projection reads of the reference: what the queries attend to, its common part included."""
        # weights sum to 1
        whole = self.attended + self.mean_v[:, None]
        return whole.transpose(0, 1).flatten(1)


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
) -> ReferenceAttention:
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
    for some in _heads_together(heads, normed.device):
        logits = products(content[some, as_slice(queries)], k[some])
        logits += relative_logits(position[some], exact_relative[some], queries)
        torch.softmax(logits, dim=-1, out=weights[some])
        attended[some] = products(weights[some], v[some])
        if kept_logits is not None:
            kept_logits[some] = logits

    return ReferenceAttention(
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


def _heads_together(heads: int, device: torch.device) -> list[slice]:
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
