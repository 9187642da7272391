"""A machine times itself: on a small network all pieces run; with seconds that are given, the whole follows by hand."""

from dataclasses import replace

import pytest
import torch

from enformer_core.analyses import self_timing
from enformer_core.analyses.self_timing import time_this_machine
from enformer_core.models.enformer_spec import EnformerConfig
from enformer_core.models.geometry import Geometry
from tests.support.small_models import ENFORMER

CPU = torch.device("cpu")
SMALL = replace(ENFORMER, layers=5)


def test_every_piece_runs_and_threads_are_as_before():
    threads = torch.get_num_threads()
    timed = time_this_machine(CPU, "exact", ("sad", "js"), config=SMALL, budget_s=0.0)
    speed = timed.speed
    assert min(speed.tower_s, speed.trunk_s, speed.snv_s) > 0
    assert speed.centred_indel_s > speed.snv_s
    assert set(timed.rates) >= {"tower", "reference"}
    assert timed.arithmetic == "reference float32, differences float32"
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("is_slow", [False, True])
def test_the_whole_follows_from_the_pieces(monkeypatch, is_slow):
    given = iter([2.0, 0.25, 3.0, 5.0])  # tower, an SNV's tokens, a reference, the same and an alt
    monkeypatch.setattr(self_timing._Clock, "seconds", lambda self, piece, share: next(given))
    monkeypatch.setattr(self_timing._Clock, "has_time", lambda self, seconds: not is_slow)
    timed = time_this_machine(CPU, "exact", ("sad",), config=SMALL)
    whole = timed.operations.after_tower
    geometry = Geometry(128 * 12, 128, 6) if is_slow else SMALL.geometry
    pieces = self_timing._operations(replace(SMALL, layers=3, geometry=geometry)).after_tower
    tokens = SMALL.geometry.tokens
    # 32 tokens and three at either end
    assert timed.speed.tower_s == pytest.approx(2.0 * tokens / 38)
    assert timed.speed.trunk_s == pytest.approx(3.0 * whole / pieces)
    assert timed.speed.snv_s == pytest.approx(2.0 * whole / pieces + 0.25)
    assert timed.speed.centred_indel_s - timed.speed.snv_s == pytest.approx(timed.speed.tower_s / 2)
    assert timed.rates["differences"] == pytest.approx(pieces / 2.0 / 1e12)


def test_rounds_end_with_the_budget(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(self_timing.time, "thread_time", lambda: float(next(now)))
    monkeypatch.setattr(self_timing.time, "perf_counter", lambda: 4.0 * len(done))
    done = []
    clock = self_timing._Clock(CPU, budget_s=20.0, begun=0.0)
    assert clock.seconds(lambda: done.append(1), share=0.5) == 1.0
    assert len(done) == 3  # 12 s, of which the third round began before 10 s
    clock.seconds(lambda: done.append(1), share=0.5)
    assert len(done) == 4  # one at least
    assert clock.last_round_s == 4.0
    assert clock.has_time(4.0)
    assert not clock.has_time(4.5)


def test_the_pieces_are_those_of_the_published_size():
    operations = self_timing._operations(replace(EnformerConfig(), output_tracks={"human": 5313}))
    assert operations.total == pytest.approx(3.0113e12, rel=1e-3)
