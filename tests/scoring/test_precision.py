"""Float32 is float32 whatever the process asked torch for, and afterwards the process has what it asked for."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event, Thread

import pytest
import torch
from torch.nn.functional import conv1d

from enformer_core.scoring.precision import (
    bfloat16_products,
    inference_in_true_float32,
    true_float32,
)

PLACES = [("generic", "all")] + [
    (backend, operation)
    for backend in ("mkldnn", "cuda")
    for operation in ("all", "matmul", "conv", "rnn")
]
ONEDNN_PRODUCTS = ("mkldnn", "matmul"), ("mkldnn", "conv")
PRODUCTS = torch.backends.cuda.matmul


def read(place: tuple[str, str]) -> str:
    precision: str = torch._C._get_fp32_precision_getter(*place)
    return precision


def write(place: tuple[str, str], precision: str) -> None:
    torch._C._set_fp32_precision_setter(*place, precision)


def reductions() -> list[bool]:
    return [
        getattr(PRODUCTS, f"allow_{kind}_reduced_precision_reduction{part}")
        for kind in ("bf16", "fp16")
        for part in ("", "_split_k")
    ]


def state() -> dict[str, object]:
    """What the process has chosen: readings as they are, and what they become when those that they follow change."""
    readings: dict[str, object] = {"now": [read(place) for place in PLACES]}
    parents = [("generic", "all"), ("mkldnn", "all"), ("cuda", "all")]
    own = [read(parents[0])]
    for probe in ("ieee", "tf32", "none"):
        write(parents[0], probe)
        readings[f"generic {probe}"] = [read(place) for place in PLACES]
    own += [read(place) for place in parents[1:]]  # with the generic one silent, their own
    for place, precision in zip(parents, own, strict=True):
        write(place, precision)
    return readings | {"reductions": reductions()}


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """Each test leaves torch as it starts: what cuDNN's places say at first can't be written, so they go unwritten."""
    legacy = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    for place in PLACES[:4] + PLACES[5:7] + [("mkldnn", "rnn")]:
        write(place, "none")
    for kind in ("bf16", "fp16"):
        setattr(PRODUCTS, f"allow_{kind}_reduced_precision_reduction", True)
    torch.set_float32_matmul_precision(legacy[0])
    torch.backends.cudnn.allow_tf32 = legacy[1]


def as_it_starts() -> None:
    """Nothing is asked for."""


def generic_bfloat16() -> None:
    torch.backends.fp32_precision = "bf16"


def each_by_itself() -> None:
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    PRODUCTS.fp32_precision = "tf32"


def one_exact_among_rounded() -> None:
    torch.backends.fp32_precision = "tf32"
    torch.backends.mkldnn.conv.fp32_precision = "ieee"


def whole_backends() -> None:
    write(("mkldnn", "all"), "bf16")
    torch.backends.cudnn.fp32_precision = "tf32"


def by_the_older_interface() -> None:
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.allow_tf32 = True


def sums_rounded_but_not_split() -> None:
    PRODUCTS.allow_bf16_reduced_precision_reduction = (False, False)
    PRODUCTS.allow_fp16_reduced_precision_reduction = (True, True)


CHOICES = [
    as_it_starts,
    generic_bfloat16,
    each_by_itself,
    one_exact_among_rounded,
    whole_backends,
    by_the_older_interface,
    sums_rounded_but_not_split,
]


@pytest.mark.parametrize("choose", CHOICES)
def test_inside_all_is_float32_and_afterwards_as_chosen(choose: Callable[[], None]) -> None:
    choose()
    chosen = state()
    for context in (true_float32, inference_in_true_float32):
        with context():
            assert {read(place) for place in PLACES} == {"ieee"}
            assert [reductions()[0], reductions()[2]] == [False, False]
        assert state() == chosen
    with bfloat16_products():
        rounded = [place for place in PLACES if read(place) != "ieee"]
        assert {place: read(place) for place in rounded} == dict.fromkeys(ONEDNN_PRODUCTS, "bf16")
    assert state() == chosen


def test_the_innermost_counts() -> None:
    generic_bfloat16()
    with true_float32():
        with bfloat16_products():
            assert [read(place) for place in ONEDNN_PRODUCTS] == ["bf16", "bf16"]
            with true_float32():
                assert [read(place) for place in ONEDNN_PRODUCTS] == ["ieee", "ieee"]
            assert [read(place) for place in ONEDNN_PRODUCTS] == ["bf16", "bf16"]
        assert {read(place) for place in PLACES} == {"ieee"}
    assert read(("mkldnn", "conv")) == "bf16"  # the process's own choice


def test_an_error_inside_leaves_nothing_behind() -> None:
    each_by_itself()
    chosen = state()
    for context in (true_float32, bfloat16_products):
        with pytest.raises(ValueError, match="of the model"), context():
            raise ValueError("of the model")
        assert state() == chosen


def test_who_leaves_first_takes_nothing_from_who_still_computes() -> None:
    generic_bfloat16()
    chosen = state()
    entered, may_leave = Event(), Event()

    def another_computation() -> None:
        with true_float32():
            entered.set()
            may_leave.wait(timeout=30)

    with ExitStack() as ours:
        ours.enter_context(true_float32())
        other = Thread(target=another_computation)
        other.start()
        assert entered.wait(timeout=30)
        ours.close()
        assert {read(place) for place in PLACES} == {"ieee"}
    may_leave.set()
    other.join(timeout=30)
    assert state() == chosen


def test_products_are_those_of_float32() -> None:
    """Where the CPU multiplies bfloat16 (AMX), this sees it; elsewhere torch passes the wish over."""
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 512, 512, generator=generator)
    kernel = torch.randn(64, 512, 5, generator=generator)
    truth = a.double() @ b.double(), conv1d(a.double()[None], kernel.double())
    torch.backends.fp32_precision = "bf16"
    with true_float32():
        found = a @ b, conv1d(a[None], kernel)
    for ours, exact in zip(found, truth, strict=True):
        assert float((ours - exact).norm() / exact.norm()) < 1e-6


def test_parts_of_sixteen_bits_are_multiplied_without_loss() -> None:
    generator = torch.Generator().manual_seed(2)
    a, b = torch.randn(2, 256, 256, generator=generator).bfloat16().float()
    with bfloat16_products():
        product = a @ b
    truth = a.double() @ b.double()
    assert float((product - truth).norm() / truth.norm()) < 1e-6
