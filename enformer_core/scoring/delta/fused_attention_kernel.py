"""The kernel behind `fused_attention`, where the algorithm is explained; the only module that imports Triton.

It is imported when the kernel is first asked for. Triton compiles the functions from their source, so nothing checks
or wraps them: `no_type_check` keeps shape checkers away.
"""

# Types of arguments are the compiler's business, and constants are written in capitals as is usual in kernels.
# ruff: noqa: ANN001, ANN201, ANN202, N803, PLR0915, PLR0917

import os
from typing import no_type_check

import triton
import triton.language as tl

_LARGE = tl.constexpr(0.5)  # beyond it, exp(x) − 1 has digits enough
_INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
@no_type_check
def _expm1_small(x, TERMS: tl.constexpr):
    """x + x²/2! + … + x^TERMS/TERMS!, for |x| ≤ 1/2: the next term is below 3e-10 of the sum for 9, 5e-5 for 5."""
    sum_ = 1.0 + x * (1.0 / TERMS)
    for done in tl.static_range(1, TERMS - 1):
        sum_ = 1.0 + x * (1.0 / (TERMS - done)) * sum_
    return x * sum_


@triton.jit
@no_type_check
def _dot(
    left,
    right,
    sum_,
    PRECISION: tl.constexpr,
):
    """sum + left · right. The interpreter cannot multiply bfloat16; float32 holds its products exactly."""
    if _INTERPRETED:
        return tl.dot(left.to(tl.float32), right.to(tl.float32), sum_, input_precision="ieee")
    return tl.dot(left, right, sum_, input_precision=PRECISION)


@triton.jit
@no_type_check
def _load_keys(
    start,
    column,
    stride,
    channel,
    channel_stride,
    tokens,
    channels,
):
    """A block of keys, transposed, zeros beyond the last token and channel."""
    inside = (column[None, :] < tokens) & (channel[:, None] < channels)
    return tl.load(
        start + column[None, :] * stride + channel[:, None] * channel_stride, mask=inside, other=0.0
    )


@triton.jit
@no_type_check
def _logit_changes(
    left,
    dq,
    dk,
    dk_token,
    dk_channel,
    k,
    by_distance,
    distances,
    row,
    column,
    rows,
    tokens,
    keys,
    KEYS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The changes of a block of logits; 0 beyond the last row and token."""
    channel = tl.arange(0, KEYS)
    changed = _load_keys(dk, column, dk_token, channel, dk_channel, tokens, keys)
    unchanged = _load_keys(k, column, keys, channel, 1, tokens, keys)
    inside = (row[:, None] < rows) & (column[None, :] < tokens)
    # Row r is read from column rows − 1 − r of a product that is at least as wide as tokens + rows − 1. Two rows, three
    # tokens, and a column of padding:
    #     a [b c d] .
    #     [e f g] h .
    # so that row 1 begins at 5 = 1 · (5 − 1) + 2 − 1.
    shifted = row[:, None] * (distances - 1) + rows - 1 + column[None, :]
    dl = tl.load(by_distance + shifted, mask=inside, other=0.0).to(tl.float32)
    dl = _dot(left, changed, dl, PRECISION)
    return _dot(dq, unchanged, dl, PRECISION)


@triton.jit
@no_type_check
def _load_rows(
    of_weights,
    row,
    column,
    rows,
    tokens,
):
    """A block of the reference's weights or of their logarithms; 0 beyond the last row and token."""
    inside = (row[:, None] < rows) & (column[None, :] < tokens)
    return tl.load(of_weights + row[:, None] * tokens + column[None, :], mask=inside, other=0.0)


@triton.jit
@no_type_check
def _gather(
    sum_,
    change,
    weights,
    v,
    dv,
    dv_token,
    dv_channel,
    column,
    first,
    tokens,
    values,
    VALUES: tl.constexpr,
    PRECISION,
):
    """sum + change · v + weights · dv for a run of the values' channels."""
    channel = first + tl.arange(0, VALUES)
    inside = (column[:, None] < tokens) & (channel[None, :] < values)
    of_v = tl.load(v + column[:, None] * values + channel[None, :], mask=inside, other=0.0)
    of_dv = tl.load(
        dv + column[:, None] * dv_token + channel[None, :] * dv_channel, mask=inside, other=0.0
    )
    sum_ = _dot(change, of_v, sum_, PRECISION)
    return _dot(weights, of_dv, sum_, PRECISION)


@triton.jit
@no_type_check
def _gather_runs(
    sums,
    change,
    weights,
    v,
    dv,
    dv_token,
    dv_channel,
    column,
    tokens,
    values,
    VALUES: tl.constexpr,
    RUNS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """`_gather` for each of up to three runs."""
    sum_0, sum_1, sum_2 = sums
    sum_0 = _gather(
        sum_0, change, weights, v, dv, dv_token, dv_channel, column, 0, tokens, values, VALUES, PRECISION
    )  # fmt: skip
    if RUNS > 1:
        sum_1 = _gather(
            sum_1, change, weights, v, dv, dv_token, dv_channel, column, VALUES, tokens, values, VALUES, PRECISION
        )  # fmt: skip
    if RUNS > 2:
        sum_2 = _gather(
            sum_2, change, weights, v, dv, dv_token, dv_channel, column, 2 * VALUES, tokens, values, VALUES, PRECISION
        )  # fmt: skip
    return sum_0, sum_1, sum_2


@triton.jit
@no_type_check
def _store(
    out,
    stride,
    attended,
    sum_,
    z,
    row,
    first,
    rows,
    values,
    VALUES: tl.constexpr,
):
    """(sum − z · attended) / (1 + z) for a run of the values' channels."""
    channel = first + tl.arange(0, VALUES)
    inside = (row[:, None] < rows) & (channel[None, :] < values)
    before = tl.load(attended + row[:, None] * values + channel[None, :], mask=inside, other=0.0)
    difference = (sum_ - z[:, None] * before) / (1.0 + z[:, None])
    tl.store(
        out + row[:, None] * stride + channel[None, :],
        difference.to(out.dtype.element_ty),
        mask=inside,
    )


@triton.jit
@no_type_check
def attention_difference_kernel(
    content,  # [heads, rows, keys] float32; a row is a query
    k,  # [heads, tokens, keys]
    v,  # [heads, tokens, values]
    weights,  # [heads, rows, tokens] float32
    log_weights,  # [heads, rows, tokens] float32
    attended,  # [heads, rows, values] float32
    by_distance,  # [heads, alts, rows, distances]
    dq,  # [alts, heads, rows, keys], with any strides, as the next two
    dk,  # [alts, heads, tokens, keys]
    dv,  # [alts, heads, tokens, values]
    out,  # [alts, rows, heads, values]
    dq_alt,
    dq_head,
    dq_token,
    dq_channel,
    dk_alt,
    dk_head,
    dk_token,
    dk_channel,
    dv_alt,
    dv_head,
    dv_token,
    dv_channel,
    rows,
    tokens,
    distances,
    keys,
    values,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
    KEYS: tl.constexpr,
    VALUES: tl.constexpr,
    RUNS: tl.constexpr,
    SCALE: tl.constexpr,
    TERMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One block of queries of one head of one alt; alts run side by side, so that they share what they read."""
    alts, heads = tl.num_programs(0), tl.num_programs(2)
    alt, head = tl.program_id(0).to(tl.int64), tl.program_id(2).to(tl.int64)
    row = tl.program_id(1) * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)
    content += head * rows * keys
    k += head * tokens * keys
    v += head * tokens * values
    weights += head * rows * tokens
    log_weights += head * rows * tokens
    attended += head * rows * values
    by_distance += (head * alts + alt) * rows * distances
    dq += alt * dq_alt + head * dq_head
    dk += alt * dk_alt + head * dk_head
    dv += alt * dv_alt + head * dv_head
    out += (alt * rows * heads + head) * values

    channel = tl.arange(0, KEYS)
    inside = (row[:, None] < rows) & (channel[None, :] < keys)
    d = tl.load(
        dq + row[:, None] * dq_token + channel[None, :] * dq_channel, mask=inside, other=0.0
    )
    left = tl.load(content + row[:, None] * keys + channel[None, :], mask=inside, other=0.0) + d.to(
        tl.float32
    )
    left = left.to(d.dtype)

    zeros = tl.zeros([BLOCK_QUERIES], tl.float32)
    no_sum = tl.zeros([BLOCK_QUERIES, VALUES], tl.float32)

    # as if no logit changed by more than the series serves, which holds for nearly all; whether it does is known then
    most = zeros
    z = zeros
    sums = (no_sum, no_sum, no_sum)
    for first in range(0, tokens, BLOCK_KEYS):
        column = first + tl.arange(0, BLOCK_KEYS)
        dl = _logit_changes(
            left, d, dk, dk_token, dk_channel, k, by_distance, distances, row, column, rows, tokens, keys, KEYS,
            PRECISION,
        )  # fmt: skip
        most = tl.maximum(most, tl.max(tl.abs(dl), axis=1))
        p = _load_rows(weights, row, column, rows, tokens)
        e = p * _expm1_small(dl, TERMS)
        after = ((p + e) * SCALE).to(d.dtype)
        e = (e * SCALE).to(d.dtype)
        # of rounded numbers, so that equal values gather no change
        z += tl.sum(e.to(tl.float32), axis=1)
        sums = _gather_runs(
            sums, e, after, v, dv, dv_token, dv_channel, column, tokens, values, VALUES, RUNS, PRECISION
        )  # fmt: skip

    if tl.max(most, axis=0) > _LARGE:
        # by how much each row's log-sum-exp changes, where anything in it changes much
        highest = tl.full([BLOCK_QUERIES], float("-inf"), tl.float32)
        total = zeros
        for first in range(0, tokens, BLOCK_KEYS):
            column = first + tl.arange(0, BLOCK_KEYS)
            dl = _logit_changes(
                left, d, dk, dk_token, dk_channel, k, by_distance, distances, row, column, rows, tokens, keys, KEYS,
                PRECISION,
            )  # fmt: skip
            log_p = _load_rows(log_weights, row, column, rows, tokens)
            logit = tl.where(column[None, :] < tokens, log_p + dl, float("-inf"))
            # log-sum-exp of all blocks so far: what was summed below a lower maximum is scaled down to the new one
            risen = tl.maximum(highest, tl.max(logit, axis=1))
            before = total * tl.exp(highest - risen)
            total = before + tl.sum(tl.exp(logit - risen[:, None]), axis=1)
            highest = risen
        shift = tl.where(most <= _LARGE, 0.0, highest + tl.log(total))

        # the change of each weight, and what it gathers
        z = zeros
        sums = (no_sum, no_sum, no_sum)
        for first in range(0, tokens, BLOCK_KEYS):
            column = first + tl.arange(0, BLOCK_KEYS)
            dl = _logit_changes(
                left, d, dk, dk_token, dk_channel, k, by_distance, distances, row, column, rows, tokens, keys, KEYS,
                PRECISION,
            )  # fmt: skip
            dl -= shift[:, None]
            log_p = _load_rows(log_weights, row, column, rows, tokens)
            log_p = tl.where(column[None, :] < tokens, log_p, float("-inf"))
            p = tl.exp(log_p)
            after = tl.exp(log_p + dl)
            e = tl.where(tl.abs(dl) <= _LARGE, p * _expm1_small(dl, TERMS), after - p)
            after = (after * SCALE).to(d.dtype)
            e = (e * SCALE).to(d.dtype)
            z += tl.sum(e.to(tl.float32), axis=1)
            sums = _gather_runs(
                sums, e, after, v, dv, dv_token, dv_channel, column, tokens, values, VALUES, RUNS, PRECISION
            )  # fmt: skip
    sum_0, sum_1, sum_2 = sums
    z /= SCALE
    stride = heads * values
    _store(out, stride, attended, sum_0 / SCALE, z, row, 0, rows, values, VALUES)
    if RUNS > 1:
        _store(out, stride, attended, sum_1 / SCALE, z, row, VALUES, rows, values, VALUES)
    if RUNS > 2:
        _store(out, stride, attended, sum_2 / SCALE, z, row, 2 * VALUES, rows, values, VALUES)
