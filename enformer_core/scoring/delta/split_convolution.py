"""Convolutions of float32 numbers on the tensor cores of CUDA devices, more exact than those in float32.

Each number is the sum of three of bfloat16, of which each holds the next 8 of its 24 bits, so that x k is the sum of
nine products, and without the three smallest

    x k = x0 k0 + (x1 k0 + x0 k1) + (x1 k1 + x2 k0 + x0 k2)

up to 2^-23 of it. 1 + 2^-10 + 2^-18, for example, is 1 and 2^-10 and 2^-18. Tensor cores multiply so fast that six
products take less time than one in float32. They cut their sums off where float32 rounds: over thousands of terms that
would show. So they sum up 32 terms at a time, which are then added as float32 adds. Random numbers of a layer of
Enformer, 768 channels and 5 taps: errors of 1.5e-7, where cuDNN's float32 leaves 8e-7.

Does not know layers, and imports Triton only when a kernel is called: CPU installations lack it.
"""

from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.scoring.delta.fused_attention import fused_attention_available
from enformer_core.scoring.delta.trial import why_not

LEAST_POSITIONS = 512
"""Fewer leave most of the device's processors idle."""
BLOCK_POSITIONS, BLOCK_OUTPUTS, BLOCK_INPUTS = 128, 128, 32
"""What a program works on, and how many terms it sums up at a time."""
WARPS, STAGES = 8, 3
"""At these sizes: 144 KiB of shared memory."""
SPLIT_BLOCK = 4096
"""Numbers of a step of the kernel that takes numbers apart."""
CAPABILITIES = frozenset({(8, 0), (9, 0)})
"""Devices with memory for it on the chip, on which six products in 16 bits are faster than one in 32: A100, H100."""

Parts = Float[Tensor, "3 *shape"]


@cache
def _is_capable(device: torch.device) -> bool:
    if torch.cuda.get_device_capability(device) not in CAPABILITIES:
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
    return (
        x.device.type == "cuda"
        and x.dtype == kernel.dtype == torch.float32
        and batch == 1
        and inputs % BLOCK_INPUTS == 0
        and length >= LEAST_POSITIONS
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
    # Triton exists on GPU installations only
    from enformer_core.scoring.delta.split_convolution_kernel import split_convolution_kernel  # noqa: PLC0415

    _, inputs, length = x.shape
    outputs, _, width = kernel.shape
    positions = length + 2 * padding - width + 1
    out = x.new_empty(positions, outputs)
    grid = (-(-outputs // BLOCK_OUTPUTS), -(-positions // BLOCK_POSITIONS))
    with torch.cuda.device_of(out):  # Triton launches on the current device
        split_convolution_kernel[grid](
            _parts(x[0].mT.contiguous()),
            _parts(kernel.mT.contiguous()),
            out if bias is None else bias,
            out,
            length,
            positions,
            inputs,
            outputs,
            padding,
            WIDTH=width,
            HAS_BIAS=bias is not None,
            BLOCK_POSITIONS=BLOCK_POSITIONS,
            BLOCK_OUTPUTS=BLOCK_OUTPUTS,
            BLOCK_INPUTS=BLOCK_INPUTS,
            num_warps=WARPS,
            num_stages=STAGES,
        )
    return out.T[None]


def _parts(x: Float[Tensor, "*shape"]) -> Parts:
    """Three numbers of bfloat16 whose sum each is."""
    from enformer_core.scoring.delta.split_convolution_kernel import split_kernel  # noqa: PLC0415

    parts = x.new_empty(3, *x.shape, dtype=torch.bfloat16)
    split_kernel[(-(-x.numel() // SPLIT_BLOCK),)](x, parts, x.numel(), BLOCK=SPLIT_BLOCK)
    return parts
