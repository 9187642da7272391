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
    x,  # [numbers] float32
    parts,  # [3, numbers] bfloat16
    numbers,
    BLOCK: tl.constexpr,
):
    """A run of numbers, each taken into what bfloat16 holds of it and of what is left, twice."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < numbers
    left = tl.load(x + at, mask=inside, other=0.0)
    for part in tl.static_range(0, 3):
        high = left.to(tl.bfloat16)
        tl.store(parts + part * numbers + at, high, mask=inside)
        left -= high.to(tl.float32)


@triton.jit
@no_type_check
def split_convolution_kernel(
    x,  # [3, length, inputs] bfloat16
    kernel,  # [3, outputs, width, inputs] bfloat16
    bias,  # [outputs] float32
    out,  # [positions, outputs] float32
    length,
    positions,
    inputs,
    outputs,
    padding,
    WIDTH: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    BLOCK_POSITIONS: tl.constexpr,
    BLOCK_OUTPUTS: tl.constexpr,
    BLOCK_INPUTS: tl.constexpr,
):
    """A block of positions and outputs; those of a position run side by side, so that they share what they read."""
    position = tl.program_id(1) * BLOCK_POSITIONS + tl.arange(0, BLOCK_POSITIONS)
    output = tl.program_id(0) * BLOCK_OUTPUTS + tl.arange(0, BLOCK_OUTPUTS)
    some_inputs = tl.arange(0, BLOCK_INPUTS)
    x_part = tl.cast(length, tl.int64) * inputs
    kernel_part = tl.cast(outputs, tl.int64) * WIDTH * inputs
    is_output = output[None, :] < outputs
    no_sum = tl.zeros([BLOCK_POSITIONS, BLOCK_OUTPUTS], tl.float32)

    sum_ = no_sum
    steps = inputs // BLOCK_INPUTS
    for step in range(WIDTH * steps):
        tap = step // steps
        input_ = (step % steps) * BLOCK_INPUTS + some_inputs
        row = position + tap - padding
        is_row = (row[:, None] >= 0) & (row[:, None] < length)
        of_x = x + row[:, None] * inputs + input_[None, :]
        x_0 = tl.load(of_x, mask=is_row, other=0.0)
        x_1 = tl.load(of_x + x_part, mask=is_row, other=0.0)
        x_2 = tl.load(of_x + 2 * x_part, mask=is_row, other=0.0)
        of_kernel = kernel + (output[None, :] * WIDTH + tap) * inputs + input_[:, None]
        k_0 = tl.load(of_kernel, mask=is_output, other=0.0)
        k_1 = tl.load(of_kernel + kernel_part, mask=is_output, other=0.0)
        k_2 = tl.load(of_kernel + 2 * kernel_part, mask=is_output, other=0.0)
        # the small ones first; tensor cores cut sums off, so that each step's is added outside of them
        product = dot(x_0, k_2, no_sum, "ieee")
        product = dot(x_2, k_0, product, "ieee")
        product = dot(x_1, k_1, product, "ieee")
        product = dot(x_0, k_1, product, "ieee")
        product = dot(x_1, k_0, product, "ieee")
        product = dot(x_0, k_0, product, "ieee")
        sum_ += product

    if HAS_BIAS:
        sum_ += tl.load(bias + output, mask=output < outputs, other=0.0)[None, :]
    inside = (position[:, None] < positions) & is_output
    tl.store(out + position[:, None].to(tl.int64) * outputs + output[None, :], sum_, mask=inside)
