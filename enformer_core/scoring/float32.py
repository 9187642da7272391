"""Keeps products of float32 in float32 while scores are computed, whatever the process allows itself elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def inference_in_true_float32() -> Iterator[None]:
    """Inference without TF32 on GPUs, for cuDNN too, and without bfloat16 in place of float32 on CPUs.

    Effects of variants are small differences of large numbers: TF32 keeps 11 bits of them. The settings are the
    process's; they are put back at the end.
    """
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
