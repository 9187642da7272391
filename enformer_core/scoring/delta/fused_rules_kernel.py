"""The kernels behind `fused_rules`, where the formulas are explained.

It is imported when a kernel is first asked for. Triton compiles the functions from their source, so nothing checks
or wraps them: `no_type_check` keeps shape checkers away.
"""

# Types of arguments are the compiler's business, and constants are written in capitals as is usual in kernels.
# ruff: noqa: ANN001, ANN201, ANN202, N803, PLR0917

from typing import no_type_check

import triton
import triton.language as tl

from enformer_core.scoring.delta.fused_attention_kernel import expm1_small

_LEAST = tl.constexpr(-0.5)  # below it, 1 + t has lost digits
_SMALL = tl.constexpr(0.5)  # up to it, series serve
_SLOPE = tl.constexpr(1.702)  # of the GELU, see models.layers
_FEW_TERMS = tl.constexpr(9)  # the next is below 3e-10 of the sum
_LAST_TERM = tl.constexpr(17)  # of s³/3 + s⁵/5 + …, for s up to 1/3; the next is below 1e-9 of s


@triton.jit
@no_type_check
def layer_norm_difference_kernel(
    x,  # [tokens, channels] float32
    d,  # [alts, tokens, channels] float32, with any strides
    weight,  # [channels] float32
    out,  # [alts, tokens, channels], or where only the LARGEST is asked for, [alts, tokens]
    factors,  # [alts] float32, by which `out` is multiplied, if SCALED
    d_alt,
    d_token,
    d_channel,
    eps,
    tokens,
    channels,
    WIDTH: tl.constexpr,
    SCALED: tl.constexpr,
    LARGEST: tl.constexpr,
):
    """One token of one alt; tokens run side by side."""
    token, alt = tl.program_id(0), tl.program_id(1).to(tl.int64)
    channel = tl.arange(0, WIDTH)
    inside = channel < channels
    before = tl.load(x + token * channels + channel, mask=inside, other=0.0)
    change = tl.load(
        d + alt * d_alt + token * d_token + channel * d_channel, mask=inside, other=0.0
    )

    before = tl.where(inside, before - tl.sum(before) / channels, 0.0)
    change = tl.where(inside, change - tl.sum(change) / channels, 0.0)
    both = before + change
    variance = tl.sum(before * before) / channels + eps
    t = tl.sum(change * (before + both)) / channels / variance
    # where most of the variance goes, the rest is summed for itself
    left = tl.sum(both * both) / channels + eps
    root = tl.sqrt(tl.where(t < _LEAST, left / variance, 1.0 + t))
    s = tl.where(t < _LEAST, 1.0 / root - 1.0, -t / (root * (1.0 + root)))

    moved = (change / root + before * s) / tl.sqrt(variance)
    moved *= tl.load(weight + channel, mask=inside, other=0.0)
    row = alt * tokens + token
    if LARGEST:
        tl.store(out + row, tl.max(tl.abs(moved)))
    else:
        if SCALED:
            moved *= tl.load(factors + alt)
        tl.store(out + row * channels + channel, moved.to(out.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def relu_difference_kernel(
    x,  # [numbers] float32
    d,  # [alts, numbers]; what is found is written here
    factors,  # [alts] float32, by which d is multiplied, if SCALED
    inverses,  # [alts] float32; 1 / factors
    numbers,
    BLOCK: tl.constexpr,
    SCALED: tl.constexpr,
):
    """A run of the numbers of one alt."""
    place, alt = tl.program_id(0), tl.program_id(1).to(tl.int64)
    at = place * BLOCK + tl.arange(0, BLOCK)
    inside = at < numbers
    before = tl.load(x + at, mask=inside, other=0.0)
    d += alt * numbers
    change = tl.load(d + at, mask=inside, other=0.0).to(tl.float32)
    if SCALED:
        change *= tl.load(inverses + alt)
    moved = tl.maximum(change + tl.minimum(before, 0.0), -tl.maximum(before, 0.0))
    if SCALED:
        moved *= tl.load(factors + alt)
    tl.store(d + at, moved.to(d.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _log1p(x):
    """log(1 + x) for x > −1: as 2 artanh(s) = 2 (s + s³/3 + s⁵/5 + …) with s = x / (2 + x) where x is small."""
    s = x / (2.0 + x)
    square = s * s
    sum_ = tl.full(x.shape, 1.0 / _LAST_TERM, tl.float32)
    for less in tl.static_range(2, _LAST_TERM, 2):
        sum_ = sum_ * square + 1.0 / (_LAST_TERM - less)
    return tl.where(tl.abs(x) <= _SMALL, 2.0 * s * sum_, tl.log(1.0 + x))


@triton.jit
@no_type_check
def _sigmoid(x):
    """1 / (1 + exp(−x)): 0 where the exponential is infinite."""
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
@no_type_check
def _softplus(x):
    """log(1 + exp(x)), which no large x overflows."""
    return tl.maximum(x, 0.0) + _log1p(tl.exp(-tl.abs(x)))


@triton.jit
@no_type_check
def gelu_difference_kernel(
    x,  # [bins, channels] float32
    d,  # [bins, channels]
    scale,  # [channels] float32
    out,  # [bins, channels]
    taken,  # [1] float32, by which d is multiplied first, if FACTORED
    given,  # [1] float32, by which `out` is multiplied, likewise
    x_bin,
    x_channel,
    d_bin,
    d_channel,
    channels,
    SCALED: tl.constexpr,
    FACTORED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A run of one bin's channels."""
    bin_, place = tl.program_id(0).to(tl.int64), tl.program_id(1)
    channel = place * BLOCK + tl.arange(0, BLOCK)
    inside = channel < channels
    before = tl.load(x + bin_ * x_bin + channel * x_channel, mask=inside, other=0.0)
    change = tl.load(d + bin_ * d_bin + channel * d_channel, mask=inside, other=0.0).to(tl.float32)
    if FACTORED:
        change *= tl.load(taken)
    if SCALED:
        change *= tl.load(scale + channel, mask=inside, other=0.0)
    # (x + d) σ(a + b) − x σ(a) with a = 1.702 x and b = 1.702 d; σ(a + b) − σ(a) = σ(a) σ(−a − b) expm1(b)
    a = _SLOPE * before
    b = _SLOPE * change
    gate = _sigmoid(a + b)
    small = tl.abs(b) <= _SMALL
    # beyond the series' reach its result is not taken
    grown = _sigmoid(a) * _sigmoid(-a - b) * expm1_small(tl.where(small, b, 0.0), _FEW_TERMS)
    moved = change * gate + before * tl.where(small, grown, gate - _sigmoid(a))
    if FACTORED:
        moved *= tl.load(given)
    tl.store(out + bin_ * channels + channel, moved.to(out.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def softplus_difference_kernel(
    x,  # [bins, tracks] float32
    d,  # [bins, tracks]
    out,  # [bins, tracks] float32
    taken,  # [1] float32, by which d is multiplied first, if FACTORED
    x_bin,
    x_track,
    d_bin,
    d_track,
    tracks,
    FACTORED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A run of one bin's tracks."""
    bin_, place = tl.program_id(0).to(tl.int64), tl.program_id(1)
    track = place * BLOCK + tl.arange(0, BLOCK)
    inside = track < tracks
    before = tl.load(x + bin_ * x_bin + track * x_track, mask=inside, other=0.0)
    change = tl.load(d + bin_ * d_bin + track * d_track, mask=inside, other=0.0).to(tl.float32)
    if FACTORED:
        change *= tl.load(taken)
    small = tl.abs(change) <= 1.0
    # what is large is not taken here, and must not be infinite beside what is
    little = tl.where(small, change, 0.0)
    series = expm1_small(little, _FEW_TERMS)
    grown = tl.where(tl.abs(little) <= _SMALL, series, tl.exp(little) - 1.0)
    moved = tl.where(
        small, _log1p(_sigmoid(before) * grown), _softplus(before + change) - _softplus(before)
    )
    tl.store(out + bin_ * tracks + track, moved, mask=inside)
