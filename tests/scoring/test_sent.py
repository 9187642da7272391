"""Arrays on their way to a device: as they are on a CPU, by pinned memory and without waiting on a GPU."""

import numpy as np
import pytest
import torch
from torch import Tensor

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.scoring.sent import sent_to

CPU = torch.device("cpu")
CUDA = torch.device("cuda")


def test_a_cpu_reads_the_arrays_own_memory():
    codes = np.array([0, 1, 2, 3, 4], dtype=np.uint8)
    sent = sent_to(CPU, codes)
    assert sent.data_ptr() == codes.ctypes.data
    assert not sent.is_pinned()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64])
def test_what_torch_cannot_take_is_copied(dtype):
    numbers = np.arange(6, dtype=dtype)
    backwards = numbers[::-1]
    numbers.setflags(write=False)
    for array in (numbers, backwards, numbers[::2]):
        sent = sent_to(CPU, array)
        assert sent.tolist() == array.tolist()
        assert sent.numpy().dtype == dtype
        sent += 1
    assert numbers.tolist() == [0, 1, 2, 3, 4, 5]


def test_the_other_strand_is_sent_without_a_copy():
    backwards = reverse_complement(np.array([0, 1, 2], dtype=np.uint8))
    assert sent_to(CPU, backwards).data_ptr() == backwards.ctypes.data


def test_a_gpu_is_sent_pinned_memory_and_not_waited_for(monkeypatch):
    done = []

    def pinned(self):
        done.append("pinned")
        return self.clone()

    def to(self, device, *, non_blocking=False):
        done.append((device, non_blocking))
        return self

    monkeypatch.setattr(Tensor, "pin_memory", pinned)
    monkeypatch.setattr(Tensor, "to", to)
    assert sent_to(CUDA, np.arange(3)).tolist() == [0, 1, 2]
    assert done == ["pinned", (CUDA, True)]
    done.clear()
    sent_to(CPU, np.arange(3))
    assert done == [(CPU, False)]


@pytest.mark.gpu
def test_what_is_sent_arrives_though_its_buffer_is_forgotten_and_another_follows():
    waits = torch.randn(4096, 4096, device=CUDA)
    arrived = []
    for number in range(64):
        waits = waits @ waits / 4096  # the GPU lies behind
        arrived.append(sent_to(CUDA, np.full(70_000, number, dtype=np.uint8)))
    assert [int(each.unique()) for each in arrived] == list(range(64))
