"""Rounds of pieces against clocks that stand still unless a piece moves them."""

import pytest

from enformer_core.analyses.timed_rounds import MOST_ROUNDS, Lap, Stopwatch, agree, in_turns, spread
from tests.support.fake_watch import FakeWatch


def test_a_lap_has_the_devices_seconds_beside_those_that_pass():
    clock = FakeWatch()
    assert clock.until(10.0).lap(clock.piece(passes=4.0, works=1.0)) == Lap(1.0, 4.0)


def test_pieces_take_turns_until_another_round_would_end_too_late():
    clock = FakeWatch()
    done = []
    pieces = [clock.piece(passes=2.0, works=0.5, then=lambda: done.append("a"))]
    pieces += [clock.piece(passes=1.0, works=0.25, then=lambda: done.append("b"))]
    rounds = list(in_turns(pieces, clock.until(8.0)))
    # 3, 6, and a third round would end at 9
    assert rounds == [[0.5, 0.25]] * 2
    assert done == ["a", "b", "a", "b"]
    # what would end with the time is begun
    assert len(list(in_turns(pieces, clock.until(clock.passed_s + 9.0)))) == 3


def test_what_was_timed_a_moment_ago_is_of_the_first_round():
    clock = FakeWatch()
    done = []
    pieces = [clock.piece(2.0, 0.5, lambda: done.append("a")), clock.piece(1.0, 0.25)]
    rounds = list(in_turns(pieces, clock.until(4.0), [Lap(0.75, 2.0)]))
    # 1 s, and a second round of 3 ends with the time
    assert rounds == [[0.75, 0.25], [0.5, 0.25]]
    assert done == ["a"]


def test_there_is_one_round_in_any_case_and_not_more_than_five():
    clock = FakeWatch()
    piece = clock.piece(passes=1.0, works=1.0)
    assert len(list(in_turns([piece], clock.until(-5.0)))) == 1
    assert len(list(in_turns([piece], clock.until(1e9)))) == MOST_ROUNDS == 5


def test_who_has_seen_enough_stops():
    clock = FakeWatch()
    for number, _ in enumerate(in_turns([clock.piece(1.0, 1.0)], clock.until(1e9))):
        if number == 1:
            break
    assert clock.passed_s == 2.0


def test_time_is_left_or_not():
    clock = FakeWatch()
    watch = clock.until(20.0)
    clock.pass_on(12.0)
    assert watch.has_time(8.0)
    assert not watch.has_time(8.5)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([9.0, 11.0, 10.0], 0.1),
        ([4.0, 4.0], 0.0),
        ([1.0, 2.0], 1 / 3),
        ([3.0], None),
        ([0.0, 0.0], 0.0),
    ],
)
def test_the_spread_is_half_of_what_lies_between(seconds, expected):
    assert spread(seconds) == (None if expected is None else pytest.approx(expected))


def test_three_rounds_agree_where_every_figure_does():
    close = [10.0, 10.1, 9.9]
    assert agree([close, close])
    assert not agree([close, [10.0, 11.0, 10.0]])
    assert not agree([close[:2], close[:2]])


def test_clocks_are_whoever_has_them():
    watch = Stopwatch(passed=lambda: 1.0, worked=lambda: 2.0, ends=1.0)
    assert watch.has_time(0.0)
