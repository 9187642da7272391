"""How much is held beside a model: what is planned covers what lives, and every way of saying that it does not fit."""

import gc
import weakref
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import INDEL_RULES, Conventions
from enformer_core.scoring.delta import memory
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.memory import (
    choose_allowance,
    is_out_of_memory,
    profiles_of_alt,
    rows_of_alt,
)
from enformer_core.scoring.delta.reference_convolution import ReferenceConvolution
from enformer_core.scoring.delta.tower import Tower
from enformer_core.scoring.delta.tower_levels import DeltaMaxPooled
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.windows import Allele
from tests.support.small_models import write_genome

CPU = torch.device("cpu")
GEOMETRY = Geometry(window_bp=128 * 48, bin_bp=128, bins=20)
CENTRE = GEOMETRY.window_bp // 2 - 1
BATCH = 16


@dataclass
class Living:
    """How many of something live now, and lived at most."""

    now: int = 0
    most: int = 0

    def watch(self, tensor, count):
        """Count a tensor for as long as it lives."""
        self.now += count
        self.most = max(self.most, self.now)
        weakref.finalize(tensor, self._gone, count)
        return tensor

    def _gone(self, count):
        self.now -= count


class WatchedTrunk:
    """Predicts zeros, and counts what others hold of what it has given and got."""

    def __init__(self):
        self.rows = Living()
        self.profiles = Living()

    def propagate(self, x, d, bins):
        self.rows.watch(d, len(d))
        return self._profile(bins), (self._profile(bins) for _ in d)

    def _profile(self, bins):
        return self.profiles.watch(torch.zeros(len(bins), 2), 1)


class ZeroTower(Tower):
    """Tokens of zeros, of Enformer's channels where only their number counts."""

    halo_tokens = 3

    def tokens(self, codes, first, last):
        return torch.zeros(last - first, 4)


def level(outputs, inputs):
    """A level of which only the channels count."""
    kernel = torch.zeros(1).expand(outputs, inputs, 3)  # of a width that nothing is prepared for
    return DeltaMaxPooled(ReferenceConvolution(kernel, None), nn.BatchNorm1d(1))


def network_of(geometry, skip_levels=()):
    """A network that computes nothing."""
    levels = (level(768, 4), level(1536, 768))
    tower = ZeroTower(levels, 128, CPU, torch.float32, skip_levels=skip_levels)
    return DeltaNetwork(geometry, tower, WatchedTrunk(), Arithmetic())


def conventions_of(**how):
    usual = {"geometry": GEOMETRY, "statistics": ("sad",), "centre_index": CENTRE}
    return Conventions(**(usual | how))


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(str(write_genome(tmp_path_factory.mktemp("genome") / "g.fa")))


def lived(genome, conventions, alleles):
    """Rows of differences and profiles that lived at most while a batch was scored."""
    network = network_of(GEOMETRY)
    scorer = DeltaScorer(network, genome, conventions, batch_alts=BATCH)
    start = 9_000 - CENTRE
    gc.collect()
    scorer.score(alleles, start)
    return network.trunk.rows.most, network.trunk.profiles.most


def indels(sign):
    """As many as a batch, each of another length."""
    longer = ["A" + "C" * length for length in range(1, BATCH + 1)]
    return [Allele("c", 9_000, *((one, "A") if sign < 0 else ("A", one))) for one in longer]


@pytest.mark.parametrize("rule", INDEL_RULES)
@pytest.mark.parametrize("strands", ["forward", "both"])
def test_what_is_planned_for_an_alt_covers_what_it_holds(genome, rule, strands):
    conventions = conventions_of(indel_rule=rule, strands=strands)
    deletions = lived(genome, conventions, indels(-1))
    insertions = lived(genome, conventions, indels(1))
    rows, profiles = zip(deletions, insertions, strict=True)
    # that of the window that all share, a view's own before it is added, and the difference that is being added
    besides = 3
    assert BATCH // 2 < max(rows) <= BATCH * rows_of_alt(conventions)
    assert max(profiles) <= BATCH * profiles_of_alt(conventions) + besides
    # nor is twice as much planned as lives
    assert max(rows) > BATCH * rows_of_alt(conventions) / 2
    assert max(profiles) > BATCH * profiles_of_alt(conventions) / 2


FULL = Geometry(window_bp=128 * 1536, bin_bp=128, bins=896)
FULL_CENTRE = FULL.window_bp // 2 - 1


def allowed(monkeypatch, free_bytes, **how):
    """What is allowed of so many bytes at full size, and how many bytes that is beyond a step's own."""
    monkeypatch.setattr(memory, "_free_bytes", lambda device, worker_bytes: free_bytes)
    conventions = conventions_of(geometry=FULL, centre_index=FULL_CENTRE, **how)
    allowance = choose_allowance(network_of(FULL), 5_313, 0, conventions)
    token, profile = 4 * 1536, 4 * 896 * 5_313
    held = allowance.kept_chunks * (128 + 3) * token
    each = rows_of_alt(conventions) * 1536 * token + profiles_of_alt(conventions) * profile
    return allowance, held + allowance.batch_alts * each


@pytest.mark.parametrize("rule", INDEL_RULES)
@pytest.mark.parametrize("shifts", [(0,), (0, 1, -1)])
@pytest.mark.parametrize("offset", [0, 4_096])
def test_what_is_allowed_fits(monkeypatch, rule, shifts, offset):
    how = {"indel_rule": rule, "shifts": shifts, "max_offset_bp": offset}
    least, nothing = allowed(monkeypatch, 0, **how)
    # without a window's own chunks, every batch would run the tower again
    assert least.kept_chunks == (14 * 2 * len(shifts) if offset else 0)
    for free_bytes in (2e9, 4e9, 1e10):
        allowance, held = allowed(monkeypatch, free_bytes, **how)
        assert held <= max(free_bytes, nothing)
        assert 1 <= allowance.batch_alts <= 96
        assert bool(allowance.kept_chunks) == bool(offset)
    # in 4 GB beside the model, a batch is worth its reference, and chunks of both strands are kept for many gains
    allowance, held = allowed(monkeypatch, 4e9, **how)
    assert allowance.batch_alts >= 16
    assert held > 0.8e9
    if offset and len(shifts) == 1:
        assert allowance.kept_chunks == (12 + 2) * 25 * 2


def test_rows_are_counted_with_their_skips(monkeypatch):
    free = 250e6
    monkeypatch.setattr(memory, "_free_bytes", lambda device, worker_bytes: 4 * free)
    conventions = conventions_of(geometry=FULL, centre_index=FULL_CENTRE)
    alone, skipping = (
        choose_allowance(network_of(FULL, skips), 0, 0, conventions).batch_alts
        for skips in ((), (1,))
    )
    # a chunk of 192 tokens in 6 copies; rows of 1,536 channels, or of these, two positions of 1,536 and a copy of the
    # channels that the layers write over
    chunk, row = 6 * 192 * 128 * 768, 1536 * 1536
    assert alone == (free - chunk) // row
    assert skipping == (free - chunk - 2 * 2 * row) // (4 * row)


def test_the_widest_part_of_a_model_counts():
    # of 128 bases 768 channels, then of their pairs 4,000
    tower = ZeroTower((level(768, 4), level(4_000, 768)), 128, CPU, torch.float32)
    network = DeltaNetwork(FULL, tower, WatchedTrunk(), Arithmetic())
    assert memory._working(network, 0) == 6 * 192 * 64 * 4_000
    # four bins of each token, and windows of so many tokens that a layer's weights are the widest
    bins = Geometry(window_bp=128 * 3_000, bin_bp=32, bins=8_000, bins_per_token=4)
    many = Geometry(window_bp=128 * 9_000, bin_bp=128, bins=8_000)
    assert memory._working(network_of(bins), 0) == 12 * 3_000 * 4 * 1_536
    assert memory._working(network_of(many), 0) == 12 * 9_000 * 9_000


def test_chunks_take_no_more_than_their_share(monkeypatch):
    many = {"shifts": (0, 1, -1), "max_offset_bp": 4_096}
    tight, _ = allowed(monkeypatch, 2e9, **many)
    wide, _ = allowed(monkeypatch, 2e10, **many)
    assert wide.kept_chunks == 14 * 25 * 6 > tight.kept_chunks >= 14 * 6
    without, _ = allowed(monkeypatch, 2e9, **(many | {"max_offset_bp": 0}))
    assert without.batch_alts > tight.batch_alts > 0.5 * without.batch_alts


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: out of memory",
        "CUDA out of memory. Tried to allocate 2.00 GiB.",
        "Triton Error [CUDA]: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "could not create a memory object",
        "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 8 bytes. Error code 12 (Cannot allocate memory)",
        "[enforce fail at alloc_cpu.cpp:83] data. DefaultCPUAllocator: not enough memory",
        "can't allocate memory",
    ],
)
def test_memory_runs_out_in_many_words(words):
    assert is_out_of_memory(RuntimeError(words))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (1x2 and 3x4)"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("out of resource: shared memory, Required: 232448, Hardware limit: 101376"),
        RuntimeError("could not create a primitive"),
        ValueError("a window's memory"),
    ],
)
def test_other_errors_are_not_of_memory(error):
    assert not is_out_of_memory(error)


def test_exceptions_of_memory_need_no_words():
    assert is_out_of_memory(torch.OutOfMemoryError())
    assert is_out_of_memory(MemoryError())
