"""How attention changes when queries, keys and values do.

With P the reference's attention weights and dl the change of its logits: e = P · expm1(dl), z = Σ e over keys, and the
new weights differ from P by (e − P z) / (1 + z). Nothing cancels while the row's sum 1 + z stays away from 0; where it
does not, or a logit rises much, the row is computed by two plain softmaxes in the reference's precision instead.
Blocks of queries of one head stay in cache.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from enformer_core.models.attention import Attention
from enformer_core.models.positional import relative_features
from enformer_core.scoring.delta.matmul import apply_linear, linear

BLOCK_QUERIES = 512
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
    """What a layer's attention makes of the reference, for the queries that are asked for.

    Attributes:
        content: q / √key + content bias, for every token.
        position: q / √key + position bias, for every token.
        k: keys.
        v: values, transposed.
        relative: keys of the relative distances −(tokens − 1) … tokens − 1.
        weights: attention weights of the asked queries.
        gathered: weights · v.
        queries: the asked queries, a run of tokens.
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
    gathered: Float[Tensor, "heads queries values"]
    queries: range
    low_k: PerHead
    low_relative: Float[Tensor, "heads distances keys"]
    low_weights: Float[Tensor, "heads queries tokens"]
    logits: Float[Tensor, "heads queries tokens"] | None = None


def relative_keys(layer: Attention, tokens: int) -> Float[Tensor, "heads distances keys"]:
    """W_r · features: the same for every input."""
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
        queries: the tokens whose gathering is asked for.
        keep_logits: beside the weights, for the fused kernel.
    """
    q, k, v = (
        layer.split(apply_linear(project, normed))
        for project in (layer.to_q, layer.to_k, layer.to_v)
    )
    q = q * layer.key_channels**-0.5
    content, position = q + layer.rel_content_bias[0], q + layer.rel_pos_bias[0]
    k, v_transposed = k.contiguous(), v.mT.contiguous()
    weights = normed.new_empty(len(q), len(queries), len(normed))
    gathered = normed.new_empty(len(q), len(queries), v.shape[-1])
    kept = torch.empty_like(weights) if keep_logits else None
    asked = slice(queries.start, queries.stop)
    for head in range(len(q)):
        logits = linear(content[head, asked], k[head])
        logits += _relative_logits(position[head], relative[0][head], asked)
        torch.softmax(logits, dim=-1, out=weights[head])
        if kept is not None:
            kept[head] = logits
        gathered[head] = linear(weights[head], v_transposed[head])
    delta = relative[1].dtype
    return ReferenceAttention(
        content=content,
        position=position,
        k=k,
        v=v_transposed,
        relative=relative[0],
        weights=weights,
        gathered=gathered,
        queries=queries,
        low_k=k.to(delta),
        low_relative=relative[1],
        low_weights=weights.to(delta),
        logits=kept,
    )


def attention_difference(
    reference: ReferenceAttention,
    dq: PerHead,
    dk: PerHead,
    dv: Float[Tensor, "heads values tokens"],
    near: range,
) -> Float[Tensor, "queries heads values"]:
    """Change of what the asked queries gather, before the output projection.

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
            exactly = (change.to(reference.k.dtype) for change in changes)
            difference[large, head] = _rows_exactly(reference, head, *exactly, rows=large).to(
                difference.dtype
            )
    return difference


def sparse_attention_difference(
    reference: ReferenceAttention,
    near: range,
    dq: Float[Tensor, "heads near keys"],
    dk: Float[Tensor, "heads near keys"],
    dv: Float[Tensor, "heads near values"],
) -> Float[Tensor, "queries heads values"]:
    """The same where only the tokens `near` have changed, as in the first layer behind a small change.

    Then only their columns of weights change, and only their own rows everywhere.

    Args:
        reference: the layer's attention on the reference.
        near: the changed tokens.
        dq: their changes of q / √key, in the reference's number format, as are the next two.
        dk: of their keys.
        dv: of their values.
    """
    columns, asked = (
        slice(near.start, near.stop),
        slice(reference.queries.start, reference.queries.stop),
    )
    dl = reference.content[:, asked] @ dk.mT
    weights = reference.weights[..., columns]
    e = weights * torch.expm1(dl)
    z = e.sum(dim=-1, keepdim=True)
    carried = weights @ dv
    moved = e @ (reference.v[..., columns].mT + dv) - z * (reference.gathered + carried)
    difference = (moved / (1 + z) + carried).transpose(0, 1)
    rows = torch.arange(near.start, near.stop, device=dq.device) - reference.queries.start
    inside = (rows >= 0) & (rows < len(reference.queries))
    large = _is_large(dl.amax(dim=-1), z[..., 0])
    for head in range(len(dq)):
        exact = torch.cat([rows[inside], large[head].nonzero().flatten()]).unique()
        of_q, of_k, of_v = (
            _spread(change[head], near, reference.k.shape[1]) for change in (dq, dk, dv)
        )
        difference[exact, head] = _rows_exactly(reference, head, of_q, of_k, of_v.T, rows=exact)
    return difference


def _spread(
    change: Float[Tensor, "near channels"], near: range, tokens: int
) -> Float[Tensor, "tokens channels"]:
    """A change of few tokens as one of all."""
    whole = change.new_zeros(tokens, change.shape[-1])
    whole[near.start : near.stop] = change
    return whole


Changes = tuple[
    Float[Tensor, "tokens keys"], Float[Tensor, "tokens keys"], Float[Tensor, "values tokens"]
]


def _head_difference(
    reference: ReferenceAttention,
    head: int,
    changes: Changes,
    near: range,
    difference: Float[Tensor, "queries values"],
) -> Int[Tensor, " large"]:
    """Write one head's change; gives back the rows for which it does not hold, whose weights change much."""
    dq, dk, dv = changes
    # one product for both parts of the change of logits; factors lie as matrix products read them best
    left = torch.cat([(reference.content[head] + dq).to(dq.dtype), dq], dim=-1)
    right = torch.cat([dk, reference.low_k[head]], dim=-1)
    values = (reference.v[head] + dv).to(dv.dtype)
    asked, block = len(reference.queries), min(BLOCK_QUERIES, len(reference.queries))
    e = reference.weights.new_empty(block, len(dq))
    moved, carried = dv.new_empty(2, asked, len(dv))
    z, rise = reference.weights.new_empty(2, asked)
    for first in range(0, asked, block):
        rows = slice(first, min(first + block, asked))
        tokens = slice(reference.queries[rows.start], reference.queries[rows.stop - 1] + 1)
        dl = e[: rows.stop - rows.start].copy_(left[tokens] @ right.T)
        dl += _relative_logits(dq, reference.low_relative[head], tokens)
        rise[rows] = _expm1(dl, near, tokens, exact=dq.dtype != torch.bfloat16)
        dl *= reference.weights[head, rows]
        torch.sum(dl, dim=-1, out=z[rows])
        torch.mm(dl.to(dq.dtype), values.T, out=moved[rows])
        torch.mm(reference.low_weights[head, rows], dv.T, out=carried[rows])
    kept = reference.gathered[head] + carried
    difference.copy_(
        torch.addcmul(moved, kept, z[:, None], value=-1).div_(1 + z[:, None]).add_(carried)
    )
    return _is_large(rise, z).nonzero().flatten()


def _expm1(
    dl: Float[Tensor, "queries keys"], near: range, tokens: slice, *, exact: bool
) -> Float[Tensor, " queries"]:
    """Replace the changes of logits of a run of tokens by their expm1; gives back how much each row's rise, at most.

    Where differences are rounded to 16 bits anyway, a short series serves for all but the tokens that a small change
    touched at first: only theirs are large.
    """
    if exact:
        rise = dl.amax(dim=-1)
        dl.expm1_()
        return rise
    columns = slice(near.start, near.stop)
    rows = slice(
        *(min(max(at, tokens.start), tokens.stop) - tokens.start for at in (near.start, near.stop))
    )
    near_columns, near_rows = dl[:, columns].clone(), dl[rows].clone()
    dl[:, columns] = 0
    dl[rows] = 0
    highest, lowest = dl.amax().item(), dl.amin().item()
    rise = dl.amax(dim=-1) if highest > LARGE_RISE else dl.new_full((len(dl),), highest)
    if near:
        rise = torch.maximum(rise, near_columns.amax(dim=-1))
        rise[rows] = near_rows.amax(dim=-1)
    if max(highest, -lowest) > _CUBIC_BELOW:
        dl.expm1_()
    else:
        square = dl.square()
        if max(highest, -lowest) > _QUADRATIC_BELOW:
            square.addcmul_(square, dl, value=1 / 3)
        dl.add_(square, alpha=0.5)
    dl[:, columns] = near_columns.expm1_()
    dl[rows] = near_rows.expm1_()
    return rise


def _relative_logits(
    q: Float[Tensor, "tokens keys"], relative: Float[Tensor, "distances keys"], queries: slice
) -> Float[Tensor, "queries tokens"]:
    """q · relative keys for a run of queries, row i read from column tokens − 1 − i, as a view."""
    tokens = q.shape[0]
    count = queries.stop - queries.start
    product = linear(
        q[queries], relative[tokens - queries.stop : 2 * tokens - 1 - queries.start]
    ).contiguous()
    return product.as_strided((count, tokens), (product.shape[1] - 1, 1), count - 1)


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
    columns = tokens - 1 - queries[:, None] + torch.arange(tokens, device=rows.device)
    content, position, relative = (
        part[head] for part in (reference.content, reference.position, reference.relative)
    )
    dl = (content[queries] + dq[queries]) @ dk.mT + dq[queries] @ reference.k[head].mT
    dl = dl + (dq[queries] @ relative.mT).gather(1, columns)
    before = reference.weights[head, rows]
    e = before * torch.expm1(dl)
    z = e.sum(dim=-1, keepdim=True)
    large = _is_large(dl.amax(dim=-1), z[:, 0])
    change = (e - before * z) / (1 + z)
    if large.any():
        logits = content[queries] @ reference.k[head].mT + (position[queries] @ relative.mT).gather(
            1, columns
        )
        change[large] = (logits + dl)[large].softmax(dim=-1) - before[large]
    return change @ (reference.v[head] + dv).T + before @ dv.T


def _is_large(rise: Float[Tensor, "*rows"], z: Float[Tensor, "*rows"]) -> Bool[Tensor, "*rows"]:
    return (rise > LARGE_RISE) | ~(z >= LARGE_FALL)  # so that NaN is large too
