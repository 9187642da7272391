"""How attention changes when queries, keys and values do.

With P the reference's attention weights and dl the change of its logits: e = P · expm1(dl), z = Σ e over keys, and the
new weights differ from P by (e − P z) / (1 + z). Nothing cancels while the row's sum 1 + z stays away from 0; where it
does not, or a logit rises much, the row is computed by two plain softmaxes in the reference's precision instead.

One query and three tokens, whose logits are (0, 0, ln 2), so that P = (1/4, 1/4, 1/2). The first rises by ln 2:

    dl = (ln 2, 0, 0)    expm1(dl) = (1, 0, 0)    e = (1/4, 0, 0)    z = 1/4
    (e − P z) / (1 + z) = (3/16, −1/16, −1/8) / (5/4) = (0.15, −0.05, −0.10)

which is what the new weights, (2, 1, 2) / 5, differ from P by.

Heads are computed one after another, in blocks of queries that stay in the processor's cache.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from enformer_core.models.enformer import Attention
from enformer_core.models.positional import relative_features
from enformer_core.scoring.delta.matmul import apply_linear, linear
from enformer_core.scoring.delta.spans import as_slice, clip

BLOCK_QUERIES = 512
"""Queries of a block: 512 × 1,536 logits are 3 MB in float32."""
LARGE_RISE = 4.0
"""Rise of a logit beyond which a row is computed plainly: its rounding to 16 bits would show."""
LARGE_FALL = -0.5
"""Fall of a row's sum of weights beyond which it is computed plainly: 1 + z would lose digits."""

# Where differences are rounded to 16 bits, short series serve for expm1: what they leave out is below that rounding.
_QUADRATIC_BELOW = 0.125
_CUBIC_BELOW = 0.35

PerHead = Float[Tensor, "heads tokens _"]


@dataclass(frozen=True)
class ReferenceAttention:
    """What a layer's attention makes of the reference, for some of its queries: all, or in the last layer fewer.

    The fused kernel reads the same in another form, see `fused_attention.FusedReference`.

    Attributes:
        content: q / √key + content bias, for every token.
        position: q / √key + position bias, for every token.
        k: keys.
        v: values, transposed.
        relative: keys of the relative distances −(tokens − 1) … tokens − 1.
        weights: attention weights of the queries.
        attended: weights · v.
        queries: which queries, a run of tokens.
        low_k: `k` in the number format of differences.
        low_relative: `relative` in that format.
        low_weights: `weights` in that format.
        logits: what `weights` is the softmax of; None where they are not kept.
    """

    content: PerHead
    position: PerHead
    k: PerHead
    v: Float[Tensor, "heads values tokens"]
    relative: Float[Tensor, "heads distances keys"]
    weights: Float[Tensor, "heads queries tokens"]
    attended: Float[Tensor, "heads queries values"]
    queries: range
    low_k: PerHead
    low_relative: Float[Tensor, "heads distances keys"]
    low_weights: Float[Tensor, "heads queries tokens"]
    logits: Float[Tensor, "heads queries tokens"] | None = None


def relative_keys(layer: Attention, tokens: int) -> Float[Tensor, "heads distances keys"]:
    """W_r · features of the distances: the same for every input."""
    weight = layer.to_rel_k.weight
    features = relative_features(tokens, layer.positional_features, weight.dtype, weight.device)
    return layer.split(layer.to_rel_k(features)).contiguous()


def reference_attention(
    layer: Attention,
    normed: Float[Tensor, "tokens channels"],
    relative: tuple[Float[Tensor, "heads distances keys"], Float[Tensor, "heads distances keys"]],
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
    q = layer.split(apply_linear(layer.to_q, normed)) * layer.key_channels**-0.5
    k = layer.split(apply_linear(layer.to_k, normed)).contiguous()
    v = layer.split(apply_linear(layer.to_v, normed))
    content = q + layer.rel_content_bias[0]
    position = q + layer.rel_pos_bias[0]
    v_transposed = v.mT.contiguous()

    weights = normed.new_empty(len(q), len(queries), len(normed))
    attended = normed.new_empty(len(q), len(queries), v.shape[-1])
    kept_logits = torch.empty_like(weights) if keep_logits else None
    for head in range(len(q)):
        logits = linear(content[head, as_slice(queries)], k[head])
        logits += _relative_logits(position[head], relative[0][head], queries)
        torch.softmax(logits, dim=-1, out=weights[head])
        if kept_logits is not None:
            kept_logits[head] = logits
        attended[head] = linear(weights[head], v_transposed[head])

    delta = relative[1].dtype
    return ReferenceAttention(
        content=content,
        position=position,
        k=k,
        v=v_transposed,
        relative=relative[0],
        weights=weights,
        attended=attended,
        queries=queries,
        low_k=k.to(delta),
        low_relative=relative[1],
        low_weights=weights.to(delta),
        logits=kept_logits,
    )


def _relative_logits(
    q: Float[Tensor, "tokens keys"], relative: Float[Tensor, "distances keys"], queries: range
) -> Float[Tensor, "queries tokens"]:
    """q · relative keys for a run of queries: of each query with all tokens, by their distance."""
    tokens = q.shape[0]
    count = len(queries)
    distances = slice(tokens - queries.stop, 2 * tokens - 1 - queries.start)
    product = linear(q[as_slice(queries)], relative[distances]).contiguous()
    # A column of the product is a distance, and the next query's distances lie one column further left. Three queries
    # and three tokens, distances −2 … 2:
    #     a b [c d e]
    #     f [g h i] j        read as        c d e / g h i / k l m
    #     [k l m] n o
    # In memory each row begins `columns − 1` numbers after the one before: a view with that stride, nothing copied.
    columns = product.shape[1]
    return product.as_strided((count, tokens), (columns - 1, 1), count - 1)


Changes = tuple[
    Float[Tensor, "tokens keys"], Float[Tensor, "tokens keys"], Float[Tensor, "values tokens"]
]
"""One head's changes of q / √key, of the keys, and of the values, which are transposed."""


def attention_difference(
    reference: ReferenceAttention,
    dq: PerHead,
    dk: PerHead,
    dv: Float[Tensor, "heads values tokens"],
    near: range,
) -> Float[Tensor, "queries heads values"]:
    """Change of weights · v, before the output projection.

    Args:
        reference: the layer's attention on the reference.
        dq: change of q / √key of every token, in the number format of differences, as are the next two.
        dk: change of the keys.
        dv: change of the values, transposed.
        near: tokens that a small change touched at first, and whose differences stay the largest; may be empty.
    """
    difference = dv.new_empty(len(reference.queries), *dv.shape[:2])
    for head, changes in enumerate(zip(dq, dk, dv, strict=True)):
        large = _head_difference(reference, head, changes, near, difference[:, head])
        if large.numel():
            exact = [change.to(reference.k.dtype) for change in changes]
            rows = _rows_exactly(reference, head, *exact, rows=large)
            difference[large, head] = rows.to(difference.dtype)
    return difference


class _Factors(NamedTuple):
    """Factors of one head's matrix products, in the number format of differences."""

    left: Float[Tensor, "tokens twice_keys"]
    right: Float[Tensor, "tokens twice_keys"]
    values: Float[Tensor, "values tokens"]


def _factors(reference: ReferenceAttention, head: int, changes: Changes) -> _Factors:
    """dl is (content + dq) · dk + dq · k, beside the distances' part: one product of doubled channels for both."""
    dq, dk, dv = changes
    return _Factors(
        left=torch.cat([(reference.content[head] + dq).to(dq.dtype), dq], dim=-1),
        right=torch.cat([dk, reference.low_k[head]], dim=-1),
        values=(reference.v[head] + dv).to(dv.dtype),
    )


def _head_difference(
    reference: ReferenceAttention,
    head: int,
    changes: Changes,
    near: range,
    difference: Float[Tensor, "queries values"],
) -> Int[Tensor, " large"]:
    """Write one head's change; gives back the rows for which it does not hold, whose weights change much."""
    dq, _, dv = changes
    factors = _factors(reference, head, changes)
    count = len(reference.queries)
    block = min(BLOCK_QUERIES, count)
    logits = reference.weights.new_empty(block, len(dq))  # the same memory for all blocks
    moved, carried = dv.new_empty(2, count, len(dv))
    z, rise = reference.weights.new_empty(2, count)
    for first in range(0, count, block):
        rows = slice(first, min(first + block, count))
        queries = reference.queries[rows]
        dl = logits[: len(queries)].copy_(factors.left[as_slice(queries)] @ factors.right.T)
        dl += _relative_logits(dq, reference.low_relative[head], queries)
        if dq.dtype == torch.bfloat16:
            rise[rows] = _expm1_by_series(dl, near, queries)
        else:
            rise[rows] = dl.amax(dim=-1)
            dl.expm1_()
        e = dl.mul_(reference.weights[head, rows])
        torch.sum(e, dim=-1, out=z[rows])
        torch.mm(e.to(dq.dtype), factors.values.T, out=moved[rows])
        torch.mm(reference.low_weights[head, rows], dv.T, out=carried[rows])
    difference.copy_(_normalised(moved, carried, reference.attended[head], z))
    return _is_large(rise, z).nonzero().flatten()


def _normalised(
    moved: Float[Tensor, "queries values"],
    carried: Float[Tensor, "queries values"],
    attended: Float[Tensor, "queries values"],
    z: Float[Tensor, " queries"],
) -> Float[Tensor, "queries values"]:
    """The change of weights · v, from `moved` = e · (v + dv) and `carried` = P · dv.

    (e − P z) / (1 + z) · (v + dv) + P · dv = (moved − z (attended + carried)) / (1 + z) + carried.
    """
    unmoved = attended + carried
    change = torch.addcmul(moved, unmoved, z[:, None], value=-1)
    return change.div_(1 + z[:, None]).add_(carried)


def _expm1_by_series(
    dl: Float[Tensor, "queries keys"], near: range, queries: range
) -> Float[Tensor, " queries"]:
    """Replace changes of logits by their expm1, in place; gives back how much each row's logits rise, at most.

    A short series serves for all but the tokens `near`: theirs are the large changes. The rise comes along because a
    pass over dl costs as much as a term of the series; below LARGE_RISE it is an upper bound.
    """
    columns = as_slice(near)
    rows = clip(near, within=queries)
    near_columns = dl[:, columns].clone()
    near_rows = dl[rows].clone()
    dl[:, columns] = 0
    dl[rows] = 0

    highest = dl.amax().item()
    size = max(highest, -dl.amin().item())
    rise = dl.amax(dim=-1) if highest > LARGE_RISE else dl.new_full((len(dl),), highest)
    if near:
        rise = torch.maximum(rise, near_columns.amax(dim=-1))
        rise[rows] = near_rows.amax(dim=-1)

    if size > _CUBIC_BELOW:
        dl.expm1_()
    else:
        # x + x²/2, and x³/6 where it shows: (x² + x³/3) / 2
        square = dl.square()
        if size > _QUADRATIC_BELOW:
            square.addcmul_(square, dl, value=1 / 3)
        dl.add_(square, alpha=0.5)
    dl[:, columns] = near_columns.expm1_()
    dl[rows] = near_rows.expm1_()
    return rise


def sparse_attention_difference(
    reference: ReferenceAttention,
    near: range,
    dq: Float[Tensor, "heads near keys"],
    dk: Float[Tensor, "heads near keys"],
    dv: Float[Tensor, "heads near values"],
) -> Float[Tensor, "queries heads values"]:
    """`attention_difference` where only the tokens `near` have changed, as in the first layer behind a small change.

    Then only their columns of weights change, and all columns in their own rows alone.

    Args:
        reference: the layer's attention on the reference.
        near: the changed tokens.
        dq: their changes of q / √key, in the reference's number format, as are the next two.
        dk: of their keys.
        dv: of their values.
    """
    tokens = reference.k.shape[1]
    dl = reference.content[:, as_slice(reference.queries)] @ dk.mT
    difference, z = _columns_difference(reference, near, dl, dv)
    large = _is_large(dl.amax(dim=-1), z)
    for head in range(len(dq)):
        rows = _rows_beyond_columns(reference.queries, near, large[head])
        of_q = _spread(dq[head], near, tokens)
        of_k = _spread(dk[head], near, tokens)
        of_v = _spread(dv[head], near, tokens)
        difference[rows, head] = _rows_exactly(reference, head, of_q, of_k, of_v.T, rows=rows)
    return difference


def _columns_difference(
    reference: ReferenceAttention,
    near: range,
    dl: Float[Tensor, "heads queries near"],
    dv: Float[Tensor, "heads near values"],
) -> tuple[Float[Tensor, "queries heads values"], Float[Tensor, "heads queries"]]:
    """Change of weights · v when the logits of a few columns change by dl; and z, of every row."""
    columns = as_slice(near)
    weights = reference.weights[..., columns]
    e = weights * torch.expm1(dl)
    z = e.sum(dim=-1, keepdim=True)
    carried = weights @ dv
    moved = e @ (reference.v[..., columns].mT + dv) - z * (reference.attended + carried)
    difference = moved / (1 + z) + carried
    return difference.transpose(0, 1), z[..., 0]


def _rows_beyond_columns(
    queries: range, near: range, large: Bool[Tensor, " queries"]
) -> Int[Tensor, " rows"]:
    """The rows that need more than their changed columns: the changed tokens' own, and those that change much."""
    own = torch.arange(near.start, near.stop, device=large.device) - queries.start
    inside = (own >= 0) & (own < len(queries))
    return torch.cat([own[inside], large.nonzero().flatten()]).unique()


def _spread(
    change: Float[Tensor, "near channels"], near: range, tokens: int
) -> Float[Tensor, "tokens channels"]:
    """A change of few tokens as one of all, zeros elsewhere."""
    spread = change.new_zeros(tokens, change.shape[-1])
    spread[as_slice(near)] = change
    return spread


def _rows_exactly(
    reference: ReferenceAttention,
    head: int,
    dq: Float[Tensor, "tokens keys"],
    dk: Float[Tensor, "tokens keys"],
    dv: Float[Tensor, "values tokens"],
    *,
    rows: Int[Tensor, " rows"],
) -> Float[Tensor, "rows values"]:
    """Some rows in the reference's precision: where their weights change much, both softmaxes, subtracted."""
    tokens = dq.shape[0]
    queries = reference.queries.start + rows
    content = reference.content[head, queries]
    position = reference.position[head, queries]
    relative = reference.relative[head]
    # column of each token's distance to each query, among the distances −(tokens − 1) … tokens − 1
    distances = tokens - 1 - queries[:, None] + torch.arange(tokens, device=rows.device)

    dl = (content + dq[queries]) @ dk.mT + dq[queries] @ reference.k[head].mT
    dl = dl + (dq[queries] @ relative.mT).gather(1, distances)
    before = reference.weights[head, rows]
    e = before * torch.expm1(dl)
    z = e.sum(dim=-1, keepdim=True)
    change = (e - before * z) / (1 + z)
    large = _is_large(dl.amax(dim=-1), z[:, 0])
    if large.any():
        logits = content @ reference.k[head].mT + (position @ relative.mT).gather(1, distances)
        change[large] = (logits + dl)[large].softmax(dim=-1) - before[large]
    return change @ (reference.v[head] + dv).T + before @ dv.T


def _is_large(rise: Float[Tensor, "*rows"], z: Float[Tensor, "*rows"]) -> Bool[Tensor, "*rows"]:
    """Whether a row's weights change so much that (e − P z) / (1 + z) does not hold."""
    return (rise > LARGE_RISE) | ~(z >= LARGE_FALL)  # so that NaN is large too
