"""How attention changes when queries, keys and values do.

With P the reference's attention weights and dl the change of its logits: e = P · expm1(dl), z = Σ e over keys, and the
new weights differ from P by (e − P z) / (1 + z). Nothing cancels while the row's sum 1 + z stays away from 0; where it
does not, or a logit rises much, the row's new weights are a plain softmax in the reference's precision instead.

One query and three tokens, whose logits are (0, 0, ln 2), so that P = (1/4, 1/4, 1/2). The first rises by ln 2:

    dl = (ln 2, 0, 0)    expm1(dl) = (1, 0, 0)    e = (1/4, 0, 0)    z = 1/4
    (e − P z) / (1 + z) = (3/16, −1/16, −1/8) / (5/4) = (0.15, −0.05, −0.10)

which is what the new weights, (2, 1, 2) / 5, differ from P by.

Heads are computed one after another, in blocks of queries that stay in the processor's cache.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from enformer_core.scoring.delta.attention_reference import (
    Keys,
    KeysByHead,
    Logits,
    ReferenceAttention,
    Rows,
    SharedKeys,
    SharedValues,
    Values,
)
from enformer_core.scoring.delta.attention_rows import (
    BOUNDS,
    is_large,
    rows_exactly,
    rows_plainly,
)
from enformer_core.scoring.delta.scaling import Scale, is_scaled, largest_of_each
from enformer_core.scoring.delta.spans import as_slice, clip

BLOCK_QUERIES = 512
"""Queries of a block: 512 × 1,536 logits are 3 MB in float32."""

_TOP_OF_WEIGHTS = -1
"""In float16 the largest change of a query's weights is brought to 1/2 … 1: they are summed up over all tokens."""

# Where differences are rounded to bfloat16, short series serve for expm1: what they leave out is below that rounding.
_QUADRATIC_BELOW = 0.125
_CUBIC_BELOW = 0.35

Attended = Float[Tensor, "queries values"]
"""What one head's queries read: weights · v, or its change."""

AttendedByQuery = Float[Tensor, "queries heads values"]
"""The same of all heads, as the output projection reads it."""

PerRow = Float[Tensor, " queries"]


Changes = tuple[Keys, Keys, Values]
"""One head's changes of q / √key, of the keys, and of the values."""


def attention_difference(
    reference: ReferenceAttention,
    dq: KeysByHead,
    dk: SharedKeys,
    dv: SharedValues,
    near: range,
) -> AttendedByQuery:
    """Change of weights · v, before the output projection.

    Args:
        reference: the layer's attention on the reference.
        dq: change of q / √key of every token, in the number format of differences, as are the next two; in the
            reference's where that is float16, of which this makes its own.
        dk: change of the keys.
        dv: change of the values.
        near: tokens that a small change touched at first, and whose differences stay the largest; may be empty.
    """
    difference = dv.new_empty(len(reference.queries), len(dq), dv.shape[1])
    for head, of_queries in enumerate(dq):
        shared = head // reference.sharing
        changes = of_queries, dk[shared], dv[shared]
        of_head = difference[:, head]
        large = _head_difference(reference, head, changes, near, of_head)
        # seldom any: of most alleles the weights change little everywhere
        if large.numel():
            exact = [change.to(reference.k.dtype) for change in changes]
            rows = rows_plainly(reference, head, *exact, rows=large)
            difference[large, head] = rows.to(difference.dtype)
    return difference


class _Factors(NamedTuple):
    """Factors of one head's matrix products, in the number format of differences.

    In float16, changes are multiplied by powers of two, see `scaling`: those of the logits have one, of the values
    another.
    """

    dq: Keys
    left: Float[Tensor, "tokens twice_keys"]
    right: Float[Tensor, "tokens twice_keys"]
    dv: Values
    values: Values
    of_logits: Scale | None = None
    of_values: Scale | None = None


def _factors(reference: ReferenceAttention, head: int, changes: Changes) -> _Factors:
    """dl is (content + dq) · dk + dq · k, beside the distances' part: one product of doubled channels for both."""
    dq, dk, dv = changes
    shared = head // reference.sharing
    low_k = reference.low_k[shared]
    # sums in the reference's format, rounded once; only then products in that of differences
    low_content = (reference.content[head] + dq).to(low_k.dtype)
    values = (reference.v[shared] + dv).to(low_k.dtype)
    of_logits = of_values = None
    if is_scaled(low_k.dtype):
        of_logits = Scale.of(torch.maximum(largest_of_each(dq), largest_of_each(dk)))
        of_values = Scale.of(largest_of_each(dv))
        dq = (dq * of_logits.factor).to(low_k.dtype)
        dk = (dk * of_logits.factor).to(low_k.dtype)
        dv = (dv * of_values.factor).to(low_k.dtype)
    return _Factors(
        dq=dq,
        left=torch.cat([low_content, dq], dim=-1),
        right=torch.cat([dk, low_k], dim=-1),
        dv=dv,
        values=values,
        of_logits=of_logits,
        of_values=of_values,
    )


def _head_difference(
    reference: ReferenceAttention,
    head: int,
    changes: Changes,
    near: range,
    difference: Attended,
) -> Rows:
    """Write one head's change; gives back the rows for which it does not hold, whose weights change much."""
    factors = _factors(reference, head, changes)
    dq, dv = factors.dq, factors.dv
    weights = reference.weights[head]
    low_weights = reference.low_weights[head]
    count = len(reference.queries)
    block = min(BLOCK_QUERIES, count)
    # written block by block: of all queries at once, dl alone is 9 MB a head, more than a core's cache
    memory = weights.new_empty(block, len(dq))
    moved = dv.new_empty(count, len(dv))
    of_e = moved.new_empty(count, 1, dtype=torch.float32)
    carried = torch.empty_like(moved)
    z = weights.new_empty(count)
    rise = torch.empty_like(z)
    for first in range(0, count, block):
        end = min(first + block, count)
        rows = slice(first, end)
        queries = reference.queries[rows]
        # dl, its expm1 and e take one another's place in the same memory
        dl = memory[: len(queries)]
        _write_logit_changes(reference, head, factors, queries, dl)
        if dq.dtype == torch.bfloat16:
            rise[rows] = _expm1_by_series(dl, near, queries)
        else:
            rise[rows] = dl.amax(dim=-1)
            dl.expm1_()
        e = dl.mul_(weights[rows])
        if factors.of_logits is not None:
            of_rows = Scale.of(e.abs().amax(dim=-1, keepdim=True), _TOP_OF_WEIGHTS)
            of_e[rows] = of_rows.inverse
            e *= of_rows.factor
        low_e = e.to(dq.dtype)
        # of rounded numbers, as in the product beside it, so that values that are equal gather no change
        torch.sum(e.copy_(low_e), dim=-1, out=z[rows])
        torch.mm(low_e, factors.values.T, out=moved[rows])
        torch.mm(low_weights[rows], dv.T, out=carried[rows])
    if factors.of_values is not None:
        moved = moved * of_e
        z *= of_e[:, 0]
        carried = carried * factors.of_values.inverse
    change = _normalised(moved, carried, reference.attended[head], z)
    difference.copy_(change)
    return is_large(rise, z, dq.dtype).nonzero().flatten()


def _write_logit_changes(
    reference: ReferenceAttention,
    head: int,
    factors: _Factors,
    queries: range,
    dl: Logits,
) -> None:
    """Write the changes of one head's logits of some queries: (content + dq) · dk + dq · k, and dq · relative keys."""
    product = factors.left[as_slice(queries)] @ factors.right.T
    dl.copy_(product)
    reference.add_low_by_distance(dl, head, factors.dq, queries)
    if factors.of_logits is not None:
        dl *= factors.of_logits.inverse


def _normalised(
    moved: Attended,
    carried: Attended,
    attended: Attended,
    z: PerRow,
) -> Attended:
    """The change of weights · v, from `moved` = e · (v + dv) and `carried` = P · dv.

    (e − P z) / (1 + z) · (v + dv) + P · dv = (moved − z (attended + carried)) / (1 + z) + carried.
    """
    unmoved = attended + carried
    z = z[:, None]
    change = torch.addcmul(moved, unmoved, z, value=-1)
    return change.div_(1 + z).add_(carried)


def _expm1_by_series(dl: Logits, near: range, queries: range) -> PerRow:
    """Replace changes of logits by their expm1, in place; gives back how much each row's logits rise, at most.

    A short series serves for all but the tokens `near`: theirs are the large changes. The rise comes along because a
    pass over dl costs as much as a term of the series; below the bound of bfloat16 it is an upper bound.
    """
    columns = as_slice(near)
    rows = clip(near, within=queries)
    near_columns = dl[:, columns].clone()
    near_rows = dl[rows].clone()
    # out of the way, so that they do not decide how long a series the others need
    dl[:, columns] = 0
    dl[rows] = 0

    highest = dl.amax().item()
    size = max(highest, -dl.amin().item())
    rise = dl.new_full((len(dl),), highest)
    # below that it is of no interest which row rises most
    if highest > BOUNDS[torch.bfloat16].rise:
        rise = dl.amax(dim=-1)
    if near:
        rise = torch.maximum(rise, near_columns.amax(dim=-1))
        rise[rows] = near_rows.amax(dim=-1)

    _far_expm1(dl, size)
    dl[:, columns] = near_columns.expm1_()
    dl[rows] = near_rows.expm1_()
    return rise


def _far_expm1(dl: Logits, size: float) -> None:
    """expm1 in place, of numbers no larger than `size`; where that is small, to the 8 bits of bfloat16."""
    if size > _CUBIC_BELOW:
        dl.expm1_()
        return
    # x + x²/2, and x³/6 where it shows, together x + (x² + x³/3) / 2
    square = dl.square()
    if size > _QUADRATIC_BELOW:
        square.addcmul_(square, dl, value=1 / 3)
    dl.add_(square, alpha=0.5)


def sparse_attention_difference(
    reference: ReferenceAttention,
    near: range,
    dq: Float[Tensor, "heads near keys"],
    dk: Float[Tensor, "key_heads near keys"],
    dv: Float[Tensor, "key_heads near values"],
) -> AttendedByQuery:
    """`attention_difference` where only the tokens `near` have changed, as in the first layer behind a small change.

    Then only their columns of weights change, and all columns in their own rows alone.

    Args:
        reference: the layer's attention on the reference.
        near: the changed tokens.
        dq: their changes of q / √key, in the reference's number format, as are the next two.
        dk: of their keys.
        dv: of their values, not transposed.
    """
    tokens = reference.k.shape[1]
    # few tokens, so that to copy them for the heads that share them costs little
    dk, dv = reference.for_queries(dk), reference.for_queries(dv)
    content = reference.content[:, as_slice(reference.queries)]
    dl = content @ dk.mT
    difference, z = _columns_difference(reference, near, dl, dv)
    large = is_large(dl.amax(dim=-1), z, dl.dtype)
    for head, changes in enumerate(zip(dq, dk, dv, strict=True)):
        rows = _rows_beyond_columns(reference.queries, near, large[head])
        of_q, of_k, of_v = [_spread(change, near, tokens) for change in changes]
        exact = rows_exactly(reference, head, of_q, of_k, of_v.T, rows=rows)
        difference[rows, head] = exact
    return difference


def _columns_difference(
    reference: ReferenceAttention,
    near: range,
    dl: Float[Tensor, "heads queries near"],
    dv: Float[Tensor, "heads near values"],
) -> tuple[AttendedByQuery, Float[Tensor, "heads queries"]]:
    """Change of weights · v when the logits of a few columns change by dl; and z, of every row."""
    columns = as_slice(near)
    weights = reference.weights[..., columns]
    # values of the reference lie transposed, those of the change do not
    values = reference.for_queries(reference.v[..., columns]).mT
    e = weights * torch.expm1(dl)
    z = e.sum(dim=-1, keepdim=True)
    carried = weights @ dv
    unmoved = reference.attended + carried
    moved = e @ (values + dv) - z * unmoved
    difference = moved / (1 + z) + carried
    return difference.transpose(0, 1), z[..., 0]


def _rows_beyond_columns(
    queries: range,
    near: range,
    large: Bool[Tensor, " queries"],
) -> Rows:
    """The rows that need more than their changed columns: the changed tokens' own, and those that change much."""
    tokens = torch.arange(near.start, near.stop, device=large.device)
    own = tokens - queries.start
    inside = (own >= 0) & (own < len(queries))
    much = large.nonzero().flatten()
    return torch.cat([own[inside], much]).unique()


def _spread(
    change: Float[Tensor, "near channels"],
    near: range,
    tokens: int,
) -> Float[Tensor, "tokens channels"]:
    """A change of few tokens as one of all, zeros elsewhere."""
    spread = change.new_zeros(tokens, change.shape[-1])
    spread[as_slice(near)] = change
    return spread
