"""Which arithmetic carries differences and which the reference: the one place where hardware decides.

A policy is part of a run's identity; what it comes to on a machine is written into the receipts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TypeAlias

import torch

from enformer_core.scoring.conventions import Policy

# Where torch keeps how float32 is multiplied: backend and operation. One that says "none" follows its backend's "all",
# and that follows the generic one.
_Place: TypeAlias = tuple[str, str]
_GENERIC: _Place = ("generic", "all")
_ONEDNN_PRODUCTS: tuple[_Place, ...] = (("mkldnn", "matmul"), ("mkldnn", "conv"))
_FOLLOWERS: tuple[_Place, ...] = (
    ("mkldnn", "all"),
    *_ONEDNN_PRODUCTS,
    ("mkldnn", "rnn"),
    ("cuda", "all"),
    ("cuda", "matmul"),
)
_CUDNN: tuple[_Place, ...] = (("cuda", "conv"), ("cuda", "rnn"))
_REDUCTIONS = ("allow_bf16_reduced_precision_reduction", "allow_fp16_reduced_precision_reduction")


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
    """`exact`: float32 throughout. `fast`: 16 bits for differences, where the hardware multiplies them faster.

    Float16 on GPUs with tensor cores, which has 3 bits more than bfloat16 and is as fast; its range is narrower, for
    which differences are scaled. Bfloat16 on CPUs.
    """
    if policy == "fast" and device.type == "cuda" and _has_tensor_cores(device):
        return Arithmetic(delta=torch.float16)
    if policy == "fast" and _has_fast_bfloat16(device.type):
        return Arithmetic(delta=torch.bfloat16)
    return Arithmetic()


def beyond_range(device: torch.device) -> Arithmetic:
    """What takes over where differences leave the range of float16: bfloat16 on GPUs that multiply it, else float32."""
    # torch emulates the format on older cards, more slowly than float32
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return Arithmetic(delta=torch.bfloat16)
    return Arithmetic()


@cache
def _has_tensor_cores(device: torch.device) -> bool:
    # V100 and T4 among them, which know no bfloat16
    return torch.cuda.get_device_capability(device) >= (7, 0)


@cache
def _has_fast_bfloat16(device_type: str) -> bool:
    if device_type == "cpu":
        # oneDNN multiplies the format on any CPU with AVX-512, but only AVX512-BF16 does so faster than float32
        multiplied = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        return multiplied and torch.cpu._is_avx512_bf16_supported()
    return False


# The attributes of `torch.backends` are these two; that of oneDNN as a whole sets the generic one (torch 2.13).
def _read(place: _Place) -> str:
    precision: str = torch._C._get_fp32_precision_getter(*place)
    return precision


def _write(place: _Place, precision: str) -> None:
    torch._C._set_fp32_precision_setter(*place, precision)


class _Float32Settings:
    """The process's settings while anyone needs float32: set by the first who comes, put back by the last who goes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._holders = 0
        self._own: dict[_Place, str] = {}
        self._reductions: dict[str, tuple[bool, bool]] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            if self._holders == 0:
                self._begin()
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._end()

    def _begin(self) -> None:
        # Top down: a place's reading is its own once those that it follows say nothing.
        for place in (_GENERIC, *_FOLLOWERS):
            self._own[place] = _read(place)
            _write(place, "none")
        for place in (_GENERIC, *_ONEDNN_PRODUCTS):
            _write(place, "ieee")
        # cuDNN's reads "tf32" while nothing is set anywhere, a state that no one can write: what follows is left alone.
        for place in _CUDNN:
            if _read(place) != "ieee":
                self._own[place] = _read(place)
                _write(place, "ieee")
        products = torch.backends.cuda.matmul
        for name in _REDUCTIONS:
            self._reductions[name] = getattr(products, name), getattr(products, f"{name}_split_k")
            setattr(products, name, False)

    def _end(self) -> None:
        for place, own in self._own.items():
            _write(place, own)
        for name, allowed in self._reductions.items():
            setattr(torch.backends.cuda.matmul, name, allowed)
        self._own.clear()


_FLOAT32 = _Float32Settings()


@contextmanager
def true_float32() -> Iterator[None]:
    """No TF32 on GPUs, for cuDNN too, and no bfloat16 in place of float32 on CPUs; sums of 16-bit products in float32.

    Effects of variants are small differences of large numbers: TF32 keeps 11 bits of them. The settings are the
    process's, whichever of torch's two interfaces set them; they are put back as they were at the end, when no
    thread is within any more.
    """
    with _FLOAT32.held(), _onednn_products("ieee"):
        yield


@contextmanager
def bfloat16_products() -> Iterator[None]:
    """oneDNN may multiply float32 as bfloat16, summed up in float32; all else is as in `true_float32`.

    For single products whose operands are bfloat16 numbers by themselves, parts of a split float32, say: those are
    multiplied exactly, and faster where the CPU has units for it (AMX). Elsewhere nothing changes. It may stand
    within `true_float32`, and the other way about; what is innermost counts, for all threads.
    """
    with _FLOAT32.held(), _onednn_products("bf16"):
        yield


@contextmanager
def inference_in_true_float32() -> Iterator[None]:
    """Inference, for which torch keeps no gradients, in `true_float32`."""
    with true_float32(), torch.inference_mode():
        yield


@contextmanager
def _onednn_products(precision: str) -> Iterator[None]:
    """Within `_FLOAT32.held`: how oneDNN multiplies."""
    before = [_read(place) for place in _ONEDNN_PRODUCTS]
    try:
        for place in _ONEDNN_PRODUCTS:
            _write(place, precision)
        yield
    finally:
        for place, own in zip(_ONEDNN_PRODUCTS, before, strict=True):
            _write(place, own)
