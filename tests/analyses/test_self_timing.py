"""A machine times itself: on a small network all pieces run; with clocks of our own, the whole follows by hand."""

import time
from dataclasses import replace

import pytest
import torch

from enformer_core.analyses import self_timing
from enformer_core.analyses.self_timing import (
    operations_after_tower,
    stopwatch,
    time_this_machine,
)
from enformer_core.models.enformer_spec import SPEC, EnformerConfig
from enformer_core.models.geometry import Geometry
from tests.support.fake_watch import FakeWatch
from tests.support.small_models import ENFORMER

CPU = torch.device("cpu")
SMALL = replace(ENFORMER, layers=5)
TOKENS = SMALL.geometry.tokens
PIECE = 38
"""32 tokens of the tower, and three at either end."""


def test_every_piece_runs_and_threads_are_as_before():
    threads = torch.get_num_threads()
    watch = stopwatch(CPU, ends=time.perf_counter() - 1)
    timed = time_this_machine(CPU, "exact", ("sad", "js"), watch, config=SMALL)
    speed = timed.speed
    assert min(speed.tower_s, speed.trunk_s, speed.snv_s) > 0
    assert speed.centred_indel_s > speed.snv_s
    assert set(timed.rates) >= {"tower", "reference"}
    assert timed.arithmetic == "reference float32, differences float32"
    # the time was up before it began
    assert (timed.rounds, timed.spread, timed.length) == (1, None, 0.25)
    assert torch.get_num_threads() == threads


class Machine(FakeWatch):
    """One of which each piece takes what is said, as many times as long as passes for others."""

    def __init__(self, monkeypatch, *, passes=1.0, drift=()):
        super().__init__()
        self.passes = passes
        self.drift = list(drift)
        self.lengths = []
        tower, layers = self_timing._TowerPiece, self_timing._LayersPiece
        monkeypatch.setattr(tower, "read", lambda piece: self.take(2.0))
        monkeypatch.setattr(tower, "carry_snv", lambda piece: self.take(0.25))
        monkeypatch.setattr(layers, "propagate", self.propagate)

    def propagate(self, alts):
        # a round's factor holds for what it carries with the reference and for the reference
        factor = self.drift[0] if self.drift else 1.0
        self.take((3.0 if alts == 0 else 5.0) * factor)
        if alts and self.drift:
            self.drift.pop(0)

    def take(self, seconds):
        self.pass_on(seconds * self.passes, seconds)

    def timed(self, ends):
        return time_this_machine(CPU, "exact", ("sad",), self.until(ends), config=SMALL)


def pieces(length=1.0):
    geometry = SMALL.geometry if length == 1 else Geometry(128 * 12, 128, 6)
    return operations_after_tower(replace(SMALL, layers=3, geometry=geometry))


@pytest.mark.parametrize("length", [1.0, 0.25])
def test_the_whole_follows_from_the_pieces(monkeypatch, length):
    # two rounds are thought to take 24 times the tower's 2 s
    timed = Machine(monkeypatch).timed(ends=60.0 if length == 1 else 40.0)
    assert timed.length == length
    whole = timed.operations.after_tower
    assert timed.speed.tower_s == pytest.approx(2.0 * TOKENS / PIECE)
    assert timed.speed.trunk_s == pytest.approx(3.0 * whole / pieces(length))
    assert timed.speed.snv_s == pytest.approx(2.0 * whole / pieces(length) + 0.25)
    assert timed.speed.centred_indel_s - timed.speed.snv_s == pytest.approx(timed.speed.tower_s / 2)
    tower_s = timed.speed.tower_s
    assert timed.rates["tower"] == pytest.approx(timed.operations.tower / tower_s / 1e12)
    assert timed.rates["differences"] == pytest.approx(pieces(length) / 2.0 / 1e12)


def test_rounds_that_agree_are_enough(monkeypatch):
    machine = Machine(monkeypatch)
    timed = machine.timed(ends=1e6)
    assert (timed.rounds, timed.spread) == (3, 0.0)
    assert machine.passed_s == pytest.approx(3 * (2.0 + 0.25 + 3.0 + 5.0))


def test_rounds_that_differ_go_on_to_five_and_say_by_how_much(monkeypatch):
    timed = Machine(monkeypatch, drift=[1.0, 1.2, 0.8, 1.0, 1.0]).timed(ends=1e6)
    assert timed.rounds == 5
    whole = timed.operations.after_tower / pieces()
    # the median's, whatever the others took; of an SNV 2 s of the layers differ, 0.25 s do not
    snv_s = 2.0 * whole + 0.25
    assert timed.speed.snv_s == pytest.approx(snv_s)
    assert timed.spread == pytest.approx(0.4 * whole / snv_s)


def test_a_machine_on_which_others_compute_ends_in_time_and_measures_its_own_seconds(monkeypatch):
    busy = Machine(monkeypatch, passes=4.0)
    timed = busy.timed(ends=100.0)
    assert timed.length == 0.25
    # of 41 s each; a third would end at 123 s
    assert timed.rounds == 2
    assert busy.passed_s == pytest.approx(82.0)
    assert timed.speed.tower_s == pytest.approx(2.0 * TOKENS / PIECE)


def test_a_cpu_counts_the_threads_own_seconds():
    watch = stopwatch(CPU, ends=1.0)
    assert watch.worked is time.thread_time
    assert watch.passed is time.perf_counter


@pytest.mark.parametrize("config", [SMALL, EnformerConfig()], ids=["small", "published"])
def test_operations_are_those_that_are_counted_on_the_graph(config):
    config = replace(config, output_tracks={"human": config.output_tracks["human"]})
    tracks = range(config.output_tracks["human"])
    counted = replace(SPEC, config=config, operations=None).count_operations("human", tracks)
    assert operations_after_tower(config) == counted.after_tower
    assert self_timing._operations(config) == counted
