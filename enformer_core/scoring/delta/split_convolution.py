"""Convolutions and products of float32 numbers on the tensor cores of CUDA devices, as exact as those in float32.

Each number, multiplied by a power of two (see `scaling`), is the sum of two of float16, of which each holds 11 of its
24 bits and a sign, so that x k is the sum of four products, and without the smallest

    x k = x0 k0 + (x1 k0 + x0 k1)

up to 2^-22 of it. 1 + 2^-12, for example, is 1 and 2^-12. Tensor cores multiply so fast that three products take less
time than one in float32. They cut their sums off where float32 rounds: over thousands of terms that would show. So they
sum up 32 terms at a time, which are then added as float32 adds.

Each of a kernel's outputs has a factor of its own. So has each row of a product's x, for rows of several alts, of which
one's may be a millionth of another's, are multiplied together. A convolution's x has one, of which only every fourth
power of two is used: what is computed anew at another place, beside other numbers, is nearly always taken apart alike.

Does not know layers, and imports Triton only when a kernel is called: CPU installations lack it.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.scoring.delta.fused_attention import DATA_CENTRE, fused_attention_available
from enformer_core.scoring.delta.scaling import Scale
from enformer_core.scoring.delta.trial import why_not

LEAST_POSITIONS = 512
"""Fewer leave most of the device's processors idle."""
BLOCK_POSITIONS, BLOCK_OUTPUTS, BLOCK_INPUTS = 128, 128, 32
"""What a program works on, and how many terms it sums up at a time."""
WARPS, STAGES = 8, 3
"""At these sizes: 96 KiB of shared memory."""
TOP_EXPONENT, STEP = 14, 4
"""Float16 ends just below 2^16; sums are in float32. Numbers down to an 8,000th of the largest keep all bits of both
parts, smaller ones are right to 2^-36 of it."""
SPLIT_BLOCK = 4096
"""Numbers of a step of the kernel that takes numbers apart."""

Groups = Float[Tensor, "groups *shape"]
Parts = Float[Tensor, "2 groups *shape"]
Inverses = Float[Tensor, " groups"]


@cache
def _is_capable(device: torch.device) -> bool:
    if torch.cuda.get_device_capability(device) not in DATA_CENTRE:
        return False
    # on a device that cannot build it, or has not the memory, plain float32 serves
    return why_not(lambda: _try(device)) is None


def _try(device: torch.device) -> None:
    """Run the kernels once, small."""
    x = torch.ones(1, BLOCK_INPUTS, BLOCK_POSITIONS, device=device)
    split_convolution(x, torch.ones(BLOCK_OUTPUTS, BLOCK_INPUTS, 5, device=device), None, 2)
    torch.cuda.synchronize(device)


def split_convolution_serves(
    x: Float[Tensor, "batch inputs length"], kernel: Float[Tensor, "outputs inputs width"]
) -> bool:
    """Whether it is the way to convolve these."""
    batch, inputs, length = x.shape
    return batch == 1 and x.dtype == kernel.dtype and _serves(x, inputs, length)


def split_products_serve(
    x: Float[Tensor, "batch rows inputs"], y: Float[Tensor, "batch outputs inputs"]
) -> bool:
    """Whether it is the way to multiply these."""
    _, rows, inputs = x.shape
    return x.dtype == y.dtype and _serves(x, inputs, rows)


def _serves(x: Tensor, inputs: int, positions: int) -> bool:
    return (
        x.device.type == "cuda"
        and x.dtype == torch.float32
        and inputs % BLOCK_INPUTS == 0
        and positions >= LEAST_POSITIONS
        and fused_attention_available(x.device)
        and _is_capable(x.device)
    )


def split_convolution(
    x: Float[Tensor, "1 inputs length"],
    kernel: Float[Tensor, "outputs inputs width"],
    bias: Float[Tensor, " outputs"] | None,
    padding: int,
) -> Float[Tensor, "1 outputs padded"]:
    """A convolution along the length, with so many zeros at either end; channels lie together in the result.

    Args:
        x: inputs; copied where their channels do not lie together in memory.
        kernel: weights, likewise.
        bias: what is added to each output.
        padding: zeros at either end.
    """
    x = x.mT.contiguous()
    return _launch(x, _parts(x), kernel.mT[None], bias, padding).mT


def split_products(
    x: Float[Tensor, "batch rows inputs"],
    y: Float[Tensor, "batch outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> Float[Tensor, "batch rows outputs"]:
    """x yᵀ + bias of each of a batch."""
    x = x.contiguous()
    return _launch(x, _parts(x.flatten(0, 1)), y[:, :, None], bias, 0)


def _launch(
    x: Float[Tensor, "batch length inputs"],
    of_x: tuple[Parts, Inverses],
    kernel: Float[Tensor, "batch outputs width inputs"],
    bias: Float[Tensor, " outputs"] | None,
    padding: int,
) -> Float[Tensor, "batch positions outputs"]:
    # Triton exists on GPU installations only
    from enformer_core.scoring.delta.split_convolution_kernel import split_convolution_kernel  # noqa: PLC0415

    batch, length, inputs = x.shape
    _, outputs, width, _ = kernel.shape
    positions = length + 2 * padding - width + 1
    out = x.new_empty(batch, positions, outputs)
    grid = (-(-outputs // BLOCK_OUTPUTS), -(-positions // BLOCK_POSITIONS), batch)
    x_parts, x_inverses = of_x
    kernel_parts, kernel_inverses = _parts(kernel.contiguous().flatten(0, 1))
    with torch.cuda.device_of(out):  # Triton launches on the current device
        split_convolution_kernel[grid](
            x_parts,
            kernel_parts,
            out if bias is None else bias,
            x_inverses,
            kernel_inverses,
            out,
            length,
            positions,
            inputs,
            outputs,
            padding,
            WIDTH=width,
            HAS_BIAS=bias is not None,
            BY_ROW=len(x_inverses) != batch,
            BLOCK_POSITIONS=BLOCK_POSITIONS,
            BLOCK_OUTPUTS=BLOCK_OUTPUTS,
            BLOCK_INPUTS=BLOCK_INPUTS,
            num_warps=WARPS,
            num_stages=STAGES,
        )
    return out


def _parts(x: Groups) -> tuple[Parts, Inverses]:
    """Two numbers of float16 whose sum each is, times a factor of its group; and what takes that away."""
    from enformer_core.scoring.delta.split_convolution_kernel import split_kernel  # noqa: PLC0415

    groups, numbers = len(x), x[0].numel()
    largest = torch.linalg.vector_norm(x.flatten(1), ord=float("inf"), dim=1)
    scale = Scale.of(largest, TOP_EXPONENT, STEP)
    parts = x.new_empty(2, *x.shape, dtype=torch.float16)
    # of few numbers, no more than there are
    block = min(SPLIT_BLOCK, 1 << (numbers - 1).bit_length())
    with torch.cuda.device_of(x):
        split_kernel[groups, -(-numbers // block)](x, scale.factor, parts, numbers, BLOCK=block)
    return parts, scale.inverse
