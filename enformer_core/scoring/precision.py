"""Which arithmetic carries differences and which the reference: the one place where hardware decides.

A policy is part of a run's identity; what it comes to on a machine is written into the receipts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch

from enformer_core.scoring.conventions import Policy


@dataclass(frozen=True)
class Arithmetic:
    """Number formats of an engine.

    Attributes:
        reference: of the reference's activations, and of everything that is not linear.
        delta: of the operands of matrix products that act on differences.
    """

    reference: torch.dtype = torch.float32
    delta: torch.dtype = torch.float32

    def __str__(self) -> str:
        reference = str(self.reference).removeprefix("torch.")
        delta = str(self.delta).removeprefix("torch.")
        return f"reference {reference}, differences {delta}"


def choose_arithmetic(policy: Policy, device: torch.device) -> Arithmetic:
    """`exact`: float32 throughout. `fast`: bfloat16 for differences, where the hardware multiplies it faster."""
    if policy == "fast" and _has_fast_bfloat16(device.type):
        return Arithmetic(delta=torch.bfloat16)
    return Arithmetic()


@cache
def _has_fast_bfloat16(device_type: str) -> bool:
    if device_type == "cuda":
        # torch emulates the format on older cards, more slowly than float32
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device_type == "cpu":
        # oneDNN multiplies the format on any CPU with AVX-512, but only AVX512-BF16 does so faster than float32
        multiplied = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        return multiplied and torch.cpu._is_avx512_bf16_supported()
    return False


@contextmanager
def true_float32() -> Iterator[None]:
    """No TF32 on GPUs, for cuDNN too, and no bfloat16 in place of float32 on CPUs.

    Effects of variants are small differences of large numbers: TF32 keeps 11 bits of them. The settings are the
    process's; they are put back at the end.
    """
    matmul_precision = torch.get_float32_matmul_precision()
    allow_tf32 = torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul_precision)
        torch.backends.cudnn.allow_tf32 = allow_tf32


@contextmanager
def inference_in_true_float32() -> Iterator[None]:
    """Inference, for which torch keeps no gradients, in `true_float32`."""
    with true_float32(), torch.inference_mode():
        yield
