"""Where kernels cannot be built or do not fit, the same is computed without them, and it is said why."""

import pytest
import torch

from enformer_core.analyses import engines
from enformer_core.analyses.variant_effects import kernel_notes
from enformer_core.scoring.delta import kernel_trial
from enformer_core.scoring.delta.kernel_trial import kernels_serve, why_without_kernels
from enformer_core.scoring.delta.trial import why_not
from enformer_core.scoring.precision import Arithmetic

CUDA = torch.device("cuda", 0)


class OutOfResources(Exception):  # noqa: N818 - its name is Triton's
    """As Triton says that memory on the chip does not suffice."""


def failing(error):
    def work(*_):
        raise error

    return work


@pytest.fixture
def gpu(monkeypatch):
    """A device of compute capability 9.0 with Triton, as far as questions go."""
    monkeypatch.setattr(kernel_trial, "fused_attention_available", lambda device: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(kernel_trial, "try_kernels", lambda delta, device: None)
    kernel_trial._tried.cache_clear()
    yield monkeypatch
    kernel_trial._tried.cache_clear()


def test_kernels_that_run_serve(gpu):
    del gpu
    assert kernels_serve(torch.float16, CUDA)
    assert why_without_kernels(torch.float16, CUDA) is None
    assert not kernels_serve(torch.float64, CUDA)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("Failed to find C compiler. Please specify via CC environment variable."),
            "RuntimeError: Failed to find C compiler. Please specify via CC environment variable.",
        ),
        (
            OutOfResources("out of resource: shared memory\nRequired: 122880"),
            "OutOfResources: out of resource: shared memory",
        ),
        (AssertionError(), "AssertionError: AssertionError()"),
    ],
)
def test_kernels_that_fail_do_not(gpu, error, said):
    gpu.setattr(kernel_trial, "try_kernels", failing(error))
    assert not kernels_serve(torch.float16, CUDA)
    assert why_without_kernels(torch.float16, CUDA) == said


def test_they_are_tried_once(gpu):
    tried = []
    gpu.setattr(kernel_trial, "try_kernels", lambda delta, device: tried.append(delta))
    for _ in range(3):
        assert kernels_serve(torch.float16, CUDA)
        assert kernels_serve(torch.float32, CUDA)
    assert tried == [torch.float16, torch.float32]


def test_older_devices_are_told_by_their_capability(gpu):
    gpu.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    gpu.setattr(kernel_trial, "try_kernels", failing(AssertionError("must not be tried")))
    assert not kernels_serve(torch.float16, CUDA)
    said = "they need compute capability 8.0, this device has 7.5"
    assert why_without_kernels(torch.float16, CUDA) == said


def test_a_processor_misses_nothing(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert why_without_kernels(torch.float32, torch.device("cpu")) is None
    assert not kernels_serve(torch.float32, torch.device("cpu"))


def test_memory_that_is_full_says_nothing_about_kernels():
    with pytest.raises(torch.OutOfMemoryError):
        why_not(failing(torch.OutOfMemoryError("full")))


def test_receipts_and_the_run_s_report_say_it(monkeypatch):
    monkeypatch.setattr(
        engines, "why_without_kernels", lambda delta, device: "RuntimeError: no compiler"
    )
    said = engines._called(Arithmetic(delta=torch.float16), CUDA)
    assert said == (
        "reference float32, differences float16, without kernels: RuntimeError: no compiler"
    )
    assert list(kernel_notes([said, "reference float32, differences float16"])) == [
        "note: a GPU computed without kernels (RuntimeError: no compiler): slower, and the same otherwise"
    ]
