"""One round of what `make chaos` does thirty times: real processes, a real store, everything killed. Workers that are
killed need not have loaded a model. With one, and a race, is for `make test-full`: that two commands share an output is
tested on a disk too (`jobs/test_resilience.py`), and a worker with a model in `jobs/test_s3_run.py`."""

import pytest

from benchmarks.chaos import GENTLE, chaos
from tests.chaos.drivers import ALLELES

# Above all limits of the rounds and races: a hang is theirs to report, with its stacks.
_LIMIT_S = 1_800
_FAULTS = ("lost", "doubled", "leftovers", "wrong", "hangs")


@pytest.mark.timeout(_LIMIT_S)
@pytest.mark.parametrize(
    ("rounds", "computing"), [(1, "toy"), pytest.param(2, "model", marks=pytest.mark.full)]
)
def test_nothing_is_lost_doubled_or_left_over_when_everything_is_killed(rounds, computing):
    figures = chaos(rounds, seed=1, storm=GENTLE, computing=computing)
    assert figures["rows"] == rounds * ALLELES
    assert figures["kills"] >= 3 * rounds
    assert {name: figures[name] for name in _FAULTS} == dict.fromkeys(_FAULTS, 0)


@pytest.mark.full
@pytest.mark.timeout(_LIMIT_S)
def test_two_drivers_race_for_one_output():
    figures = chaos(0, seed=1, races=1)
    assert figures["conflicts"] > 0
    assert (figures["races"], figures["race_rewrites"], figures["race_differences"]) == (1, 0, 0)
