"""The kernels behind `split_convolution`, where the algorithm is explained.

It is imported when a kernel is first asked for. Triton compiles the functions from their source, so nothing checks
or wraps them: `no_type_check` keeps shape checkers away.
"""

# Types of arguments are the compiler's business, and constants are written in capitals as is usual in kernels.
# ruff: noqa: ANN001, ANN201, N803, PLR0917

from typing import no_type_check

import triton
import triton.language as tl

from enformer_core.scoring.delta.fused_attention_kernel import dot


@triton.jit
@no_type_check
def split_kernel(
    x,  # [groups, numbers] float32
    factors,  # [groups] float32, by which numbers are multiplied
    parts,  # [2, groups, numbers] float16
    numbers,
    BLOCK: tl.constexpr,
):
    """A run of a group's numbers, each taken into what float16 holds of it, and of what is left."""
    group, groups = tl.program_id(0).to(tl.int64), tl.num_programs(0)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < numbers
    here = group * numbers + at
    whole = tl.load(x + here, mask=inside, other=0.0) * tl.load(factors + group)
    high = whole.to(tl.float16)
    tl.store(parts + here, high, mask=inside)
    rest = whole - high.to(tl.float32)
    tl.store(parts + groups * numbers + here, rest.to(tl.float16), mask=inside)


@triton.jit
@no_type_check
def split_convolution_kernel(
    x,  # [2, batch, length, inputs] float16
    kernel,  # [2, batch, outputs, width, inputs] float16
    bias,  # [outputs] float32
    of_x,  # [batch], or BY_ROW [batch, length], float32; what takes the factors of x away
    of_kernel,  # [batch, outputs] float32; likewise
    out,  # [batch, positions, outputs] float32
    length,
    positions,
    inputs,
    outputs,
    padding,
    WIDTH: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    BY_ROW: tl.constexpr,
    BLOCK_POSITIONS: tl.constexpr,
    BLOCK_OUTPUTS: tl.constexpr,
    BLOCK_INPUTS: tl.constexpr,
):
    """A block of positions and outputs; those of a position run side by side, so that they share what they read."""
    batch, batches = tl.program_id(2).to(tl.int64), tl.num_programs(2)
    position = tl.program_id(1) * BLOCK_POSITIONS + tl.arange(0, BLOCK_POSITIONS)
    output = tl.program_id(0) * BLOCK_OUTPUTS + tl.arange(0, BLOCK_OUTPUTS)
    some_inputs = tl.arange(0, BLOCK_INPUTS)
    x_part = batches * tl.cast(length, tl.int64) * inputs
    kernel_part = batches * tl.cast(outputs, tl.int64) * WIDTH * inputs
    x += batch * length * inputs
    kernel += batch * outputs * WIDTH * inputs
    out += batch * positions * outputs
    is_output = output[None, :] < outputs
    no_sum = tl.zeros([BLOCK_POSITIONS, BLOCK_OUTPUTS], tl.float32)

    sum_ = no_sum
    steps = inputs // BLOCK_INPUTS
    for step in range(WIDTH * steps):
        tap = step // steps
        input_ = (step % steps) * BLOCK_INPUTS + some_inputs
        row = position + tap - padding
        is_row = (row[:, None] >= 0) & (row[:, None] < length)
        from_x = x + row[:, None] * inputs + input_[None, :]
        x_0 = tl.load(from_x, mask=is_row, other=0.0)
        x_1 = tl.load(from_x + x_part, mask=is_row, other=0.0)
        from_kernel = kernel + (output[None, :] * WIDTH + tap) * inputs + input_[:, None]
        k_0 = tl.load(from_kernel, mask=is_output, other=0.0)
        k_1 = tl.load(from_kernel + kernel_part, mask=is_output, other=0.0)
        # the small ones first; tensor cores cut sums off, so that each step's is added outside of them
        product = dot(x_0, k_1, no_sum, "ieee")
        product = dot(x_1, k_0, product, "ieee")
        product = dot(x_0, k_0, product, "ieee")
        sum_ += product

    # one after the other: their product might leave float32
    if BY_ROW:
        of_rows = of_x + batch * length + position
        sum_ *= tl.load(of_rows, mask=position < positions, other=0.0)[:, None]
    else:
        sum_ *= tl.load(of_x + batch)
    sum_ *= tl.load(of_kernel + batch * outputs + output, mask=output < outputs, other=0.0)[None, :]
    if HAS_BIAS:
        sum_ += tl.load(bias + output, mask=output < outputs, other=0.0)[None, :]
    inside = (position[:, None] < positions) & is_output
    tl.store(out + position[:, None].to(tl.int64) * outputs + output[None, :], sum_, mask=inside)
