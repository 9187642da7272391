"""Two rounds and one race of what `make chaos` does thirty times: real processes, a real store, everything killed."""

import pytest

from benchmarks.chaos import GENTLE, chaos
from tests.chaos.drivers import ALLELES

# Above all limits of the rounds and races: a hang is theirs to report, with its stacks.
_LIMIT_S = 1_800
_FAULTS = ("lost", "doubled", "leftovers", "wrong", "hangs")


@pytest.fixture(scope="module")
def figures():
    return chaos(2, seed=1, races=1, storm=GENTLE)


@pytest.mark.timeout(_LIMIT_S)
def test_nothing_is_lost_doubled_or_left_over_when_everything_is_killed(figures):
    assert figures["rows"] == 2 * ALLELES
    assert figures["kills"] >= 6
    assert {name: figures[name] for name in _FAULTS} == dict.fromkeys(_FAULTS, 0)


@pytest.mark.timeout(_LIMIT_S)
def test_two_drivers_race_for_one_output(figures):
    assert figures["conflicts"] > 0
    assert (figures["races"], figures["race_rewrites"], figures["race_differences"]) == (1, 0, 0)
