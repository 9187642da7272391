"""Rows of attention by themselves, in the reference's precision: those whose weights change much, and few tokens' own.

See `attention` for P, dl, e and z.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from enformer_core.scoring.delta.attention_reference import (
    Keys,
    ReferenceAttention,
    Rows,
    Values,
)


class Bounds(NamedTuple):
    """Beyond which a row is computed plainly.

    Attributes:
        rise: of a logit: rounded to 16 bits, a large rise moves its weight, and in float32 exponentials end at 3e38.
        fall: of a row's sum of weights: 1 + z would lose digits.
    """

    rise: float
    fall: float


# behind such a rise, a weight in bfloat16 is 1 % off, and one in float16 0.1 %
BOUNDS = {torch.bfloat16: Bounds(8.0, -0.75), torch.float16: Bounds(4.0, -0.5)}
WIDE_BOUNDS = Bounds(40.0, -0.75)
"""Those of float32 and wider."""


def rows_exactly(
    reference: ReferenceAttention,
    head: int,
    dq: Keys,
    dk: Keys,
    dv: Values,
    *,
    rows: Rows,
) -> Float[Tensor, "rows values"]:
    """Some rows by the same rule in the reference's precision; plainly where their weights change much."""
    queries = reference.queries.start + rows
    content = reference.content[head, queries]
    shared = head // reference.sharing
    of_rows = dq[queries]
    dl = (content + of_rows) @ dk.mT + of_rows @ reference.k[shared].mT
    reference.add_by_distance(dl, head, of_rows, queries)

    before = reference.weights[head, rows]
    e = before * torch.expm1(dl)
    z = e.sum(dim=-1, keepdim=True)
    weights = (e - before * z) / (1 + z)
    values = reference.v[shared] + dv
    change = weights @ values.T + before @ dv.T
    large = is_large(dl.amax(dim=-1), z[:, 0], dl.dtype).nonzero().flatten()
    if large.numel():
        change[large] = rows_plainly(reference, head, dq, dk, dv, rows=rows[large])
    return change


def rows_plainly(
    reference: ReferenceAttention,
    head: int,
    dq: Keys,
    dk: Keys,
    dv: Values,
    *,
    rows: Rows,
) -> Float[Tensor, "rows values"]:
    """Some rows by their new softmax, in the reference's precision: what they read now, less what they read before."""
    queries = reference.queries.start + rows
    shared = head // reference.sharing
    of_rows = dq[queries]
    logits = (reference.content[head, queries] + of_rows) @ (reference.k[shared] + dk).mT
    reference.add_positions(logits, head, queries, of_rows)
    read = logits.softmax(dim=-1) @ (reference.v[shared] + dv).mT
    return read - reference.attended[head, rows]


def is_large(
    rise: Float[Tensor, "*rows"],
    z: Float[Tensor, "*rows"],
    rounded_to: torch.dtype,
) -> Bool[Tensor, "*rows"]:
    """Whether a row's weights change so much that (e − P z) / (1 + z) does not hold."""
    bounds = BOUNDS.get(rounded_to, WIDE_BOUNDS)
    rises_much = rise > bounds.rise
    # not `z < bounds.fall`, so that NaN is large too
    falls_much = ~(z >= bounds.fall)
    return rises_much | falls_much
