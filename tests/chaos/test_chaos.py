"""Two rounds of what `make chaos` does thirty times: real processes, a real store, everything killed."""

import pytest

from benchmarks.chaos import chaos


@pytest.mark.timeout(600)
def test_nothing_is_lost_doubled_or_left_over_when_everything_is_killed():
    figures = chaos(2, seed=1, blows_per_round=5)
    assert figures["rows"] == 2 * 44
    assert figures["kills"] >= 4
    assert {name: figures[name] for name in ("lost", "doubled", "leftovers", "wrong", "hangs")} == {
        "lost": 0,
        "doubled": 0,
        "leftovers": 0,
        "wrong": 0,
        "hangs": 0,
    }
