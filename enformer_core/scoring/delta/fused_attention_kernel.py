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
_LEAST_SUM = tl.constexpr(-0.5)  # a row's z below which 1 + z loses digits
_MOST_SUM = tl.constexpr(1.0)  # and above which most of Σ e v is what z O takes away
_INTERPRETED = tl.constexpr(os.environ.get("TRITON_INTERPRET") == "1")


@triton.jit
@no_type_check
def expm1_small(x, TERMS: tl.constexpr):
    """x + x²/2! + … + x^TERMS/TERMS!, for |x| ≤ 1/2: the next term is below 3e-10 of the sum for 9, 5e-5 for 5."""
    # one multiplication and addition a term, of whole numbers. TERMS = 3: ((x + 3) x + 6) x / 6
    sum_ = tl.full(x.shape, 1.0, tl.float32)
    factor = 1.0
    for done in tl.static_range(0, TERMS - 1):
        factor *= TERMS - done
        sum_ = sum_ * x + factor
    return x * sum_ * (1.0 / factor)


@triton.jit
@no_type_check
def _expm1(x, TERMS: tl.constexpr):
    """exp(x) − 1, by the series where that would cancel."""
    return tl.where(tl.abs(x) <= _LARGE, expm1_small(x, TERMS), tl.exp(x) - 1.0)


@triton.jit
@no_type_check
def dot(
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
    of_rows,
    row,
    column,
    rows,
    tokens,
    keys,
    less,
    KEYS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The changes of a block of logits, what is read times `less`; 0 beyond the last row and token."""
    inside = (row[:, None] < rows) & (column[None, :] < tokens)
    # asked for first and added last: it comes from far
    dl = tl.load(of_rows[:, None] + column[None, :], mask=inside, other=0.0)
    channel = tl.arange(0, KEYS)
    changed = _load_keys(dk, column, dk_token, channel, dk_channel, tokens, keys)
    unchanged = _load_keys(k, column, keys, channel, 1, tokens, keys)
    products = tl.zeros([row.shape[0], column.shape[0]], tl.float32)
    products = dot(left, changed, products, PRECISION)
    products = dot(dq, unchanged, products, PRECISION)
    return (products + dl.to(tl.float32)) * less


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
    changed_v,
    v_token,
    v_channel,
    column,
    first,
    tokens,
    values,
    VALUES: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """sum + change · (v + dv) for a run of the values' channels."""
    channel = first + tl.arange(0, VALUES)
    inside = (column[:, None] < tokens) & (channel[None, :] < values)
    start = changed_v + column[:, None] * v_token + channel[None, :] * v_channel
    of_block = tl.load(start, mask=inside, other=0.0)
    if PRECISION == "tf32x3":
        # tensor cores cut sums off, which shows in float32 over all tokens: a block's is added outside of them
        return sum_ + dot(change, of_block, tl.zeros_like(sum_), PRECISION)
    return dot(change, of_block, sum_, PRECISION)


@triton.jit
@no_type_check
def _gather_runs(
    sums,
    change,
    changed_v,
    v_token,
    v_channel,
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
        sum_0, change, changed_v, v_token, v_channel, column, 0, tokens, values, VALUES, PRECISION
    )
    if RUNS > 1:
        sum_1 = _gather(
            sum_1, change, changed_v, v_token, v_channel, column, VALUES, tokens, values, VALUES, PRECISION
        )  # fmt: skip
    if RUNS > 2:
        sum_2 = _gather(
            sum_2, change, changed_v, v_token, v_channel, column, 2 * VALUES, tokens, values, VALUES, PRECISION
        )  # fmt: skip
    return sum_0, sum_1, sum_2


@triton.jit
@no_type_check
def _store(
    out,
    stride,
    attended,
    carried,
    sum_,
    z,
    row,
    first,
    rows,
    values,
    factor,
    VALUES: tl.constexpr,
):
    """(sum + carried − z · attended) / (1 + z) for a run of the values' channels; times `factor`, as `carried` is."""
    channel = first + tl.arange(0, VALUES)
    inside = (row[:, None] < rows) & (channel[None, :] < values)
    here = row[:, None] * values + channel[None, :]
    before = tl.load(attended + here, mask=inside, other=0.0)
    moved = tl.load(carried + here, mask=inside, other=0.0).to(tl.float32)
    difference = (sum_ * factor + moved - z[:, None] * (before * factor)) / (1.0 + z[:, None])
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
    weights,  # [heads, rows, tokens] times SCALE
    log_weights,  # [heads, rows, tokens] float32
    attended,  # [heads, rows, values] float32
    by_distance,  # [heads, blocks, alts, BLOCK_DISTANCES, distances]
    carried,  # [alts, heads, rows, values]
    dq,  # [alts, heads, rows, keys], with any strides, as the next two
    dk,  # [alts, heads, tokens, keys]
    changed_v,  # [alts, heads, tokens, values]
    out,  # [alts, rows, heads, values]
    factors,  # [alts] float32; what is read of changes and written is times this, if SCALED
    inverses,  # [alts] float32; 1 / factors
    growths,  # [alts, heads] float32; powers of two by which changes of weights may be multiplied without overflow
    dq_alt,
    dq_head,
    dq_token,
    dq_channel,
    dk_alt,
    dk_head,
    dk_token,
    dk_channel,
    v_alt,
    v_head,
    v_token,
    v_channel,
    rows,
    tokens,
    distances,
    keys,
    values,
    BLOCK_QUERIES: tl.constexpr,
    BLOCK_KEYS: tl.constexpr,
    BLOCK_DISTANCES: tl.constexpr,
    KEYS: tl.constexpr,
    VALUES: tl.constexpr,
    RUNS: tl.constexpr,
    SCALE: tl.constexpr,
    SCALED: tl.constexpr,
    MOST_RISE: tl.constexpr,
    TERMS: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """One block of queries of one head of one alt; alts run side by side, so that they share what they read."""
    alts, heads = tl.num_programs(0), tl.num_programs(2)
    alt, head = tl.program_id(0).to(tl.int64), tl.program_id(2).to(tl.int64)
    row = tl.program_id(1) * BLOCK_QUERIES + tl.arange(0, BLOCK_QUERIES)
    content += head * rows * keys
    k += head * tokens * keys
    weights += head * rows * tokens
    log_weights += head * rows * tokens
    attended += head * rows * values
    carried += (alt * heads + head) * rows * values
    dq += alt * dq_alt + head * dq_head
    dk += alt * dk_alt + head * dk_head
    changed_v += alt * v_alt + head * v_head
    out += (alt * rows * heads + head) * values

    # Row r of a block of rows is read from column BLOCK_DISTANCES − 1 − r on. Two rows, three tokens:
    #     a [b c d]
    #     [e f g] h
    # so that row 1 begins at 4 = 1 · (4 − 1) + 2 − 1.
    blocks = tl.cdiv(rows, BLOCK_DISTANCES)
    by_distance += (head * blocks * alts + alt) * BLOCK_DISTANCES * distances
    in_block = row % BLOCK_DISTANCES
    block_start = (row // BLOCK_DISTANCES) * alts * BLOCK_DISTANCES * distances
    of_rows = by_distance + block_start + in_block * (distances - 1) + BLOCK_DISTANCES - 1

    channel = tl.arange(0, KEYS)
    inside = (row[:, None] < rows) & (channel[None, :] < keys)
    d = tl.load(
        dq + row[:, None] * dq_token + channel[None, :] * dq_channel, mask=inside, other=0.0
    )
    left = tl.load(content + row[:, None] * keys + channel[None, :], mask=inside, other=0.0)
    if SCALED:
        factor = tl.load(factors + alt)
        less = tl.load(inverses + alt)
        growth = tl.load(growths + alt * heads + head)
        scale = SCALE * growth
        left += d.to(tl.float32) * less
    else:
        factor = 1.0
        less = 1.0
        scale = SCALE
        left += d.to(tl.float32)
    left = left.to(d.dtype)

    zeros = tl.zeros([BLOCK_QUERIES], tl.float32)
    no_sum = tl.zeros([BLOCK_QUERIES, VALUES], tl.float32)

    # as if no logit rose by much and no row's sum moved far, which holds for nearly all; whether it does is known then
    most = zeros
    z = zeros
    sums = (no_sum, no_sum, no_sum)
    for first in range(0, tokens, BLOCK_KEYS):
        column = first + tl.arange(0, BLOCK_KEYS)
        p = _load_rows(weights, row, column, rows, tokens).to(tl.float32)
        dl = _logit_changes(
            left, d, dk, dk_token, dk_channel, k, of_rows, row, column, rows, tokens, keys, less, KEYS, PRECISION
        )  # fmt: skip
        most = tl.maximum(most, tl.max(dl, axis=1))
        e = p * _expm1(dl, TERMS)
        if SCALED:
            e *= growth
        e = e.to(d.dtype)
        # of rounded numbers, so that equal values gather no change
        z += tl.sum(e.to(tl.float32), axis=1)
        sums = _gather_runs(
            sums, e, changed_v, v_token, v_channel, column, tokens, values, VALUES, RUNS, PRECISION
        )  # fmt: skip

    z /= scale
    far = (most > MOST_RISE) | (z < _LEAST_SUM) | (z > _MOST_SUM)
    if tl.max(far.to(tl.int32), axis=0) > 0:
        # by how much each such row's log-sum-exp changes
        highest = tl.full([BLOCK_QUERIES], float("-inf"), tl.float32)
        total = zeros
        for first in range(0, tokens, BLOCK_KEYS):
            column = first + tl.arange(0, BLOCK_KEYS)
            dl = _logit_changes(
                left, d, dk, dk_token, dk_channel, k, of_rows, row, column, rows, tokens, keys, less, KEYS, PRECISION
            )  # fmt: skip
            log_p = _load_rows(log_weights, row, column, rows, tokens)
            logit = tl.where(column[None, :] < tokens, log_p + dl, float("-inf"))
            # log-sum-exp of all blocks so far: what was summed below a lower maximum is scaled down to the new one
            risen = tl.maximum(highest, tl.max(logit, axis=1))
            before = total * tl.exp(highest - risen)
            total = before + tl.sum(tl.exp(logit - risen[:, None]), axis=1)
            highest = risen
        shift = tl.where(far, highest + tl.log(total), 0.0)

        # the change of each weight, and what it gathers
        z = zeros
        sums = (no_sum, no_sum, no_sum)
        for first in range(0, tokens, BLOCK_KEYS):
            column = first + tl.arange(0, BLOCK_KEYS)
            dl = _logit_changes(
                left, d, dk, dk_token, dk_channel, k, of_rows, row, column, rows, tokens, keys, less, KEYS, PRECISION
            )  # fmt: skip
            dl -= shift[:, None]
            log_p = _load_rows(log_weights, row, column, rows, tokens)
            log_p = tl.where(column[None, :] < tokens, log_p, float("-inf"))
            p = tl.exp(log_p)
            e = tl.where(tl.abs(dl) <= _LARGE, p * expm1_small(dl, TERMS), tl.exp(log_p + dl) - p)
            e = (e * SCALE).to(d.dtype)
            z += tl.sum(e.to(tl.float32), axis=1)
            sums = _gather_runs(
                sums, e, changed_v, v_token, v_channel, column, tokens, values, VALUES, RUNS, PRECISION
            )  # fmt: skip
        z /= SCALE
        if SCALED:
            # what was summed now has not grown
            scale = scale * 0.0 + SCALE
    sum_0, sum_1, sum_2 = sums
    stride = heads * values
    _store(
        out, stride, attended, carried, sum_0 / scale, z, row, 0, rows, values, factor, VALUES
    )  # fmt: skip
    if RUNS > 1:
        _store(
            out, stride, attended, carried, sum_1 / scale, z, row, VALUES, rows, values, factor, VALUES
        )  # fmt: skip
    if RUNS > 2:
        _store(
            out, stride, attended, carried, sum_2 / scale, z, row, 2 * VALUES, rows, values, factor, VALUES
        )  # fmt: skip
