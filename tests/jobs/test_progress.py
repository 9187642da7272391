"""The display, with a clock that stands still until told otherwise."""

import io
from dataclasses import dataclass

import pytest

from jobs.progress import Progress, duration


@dataclass
class Clock:
    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_lines_come_first_last_and_at_most_each_ten_seconds(clock: Clock):
    stream = io.StringIO()
    with Progress(1000, stream=stream, clock=clock) as progress:
        for _ in range(100):  # 1 s and 5 variants each, 500 in all
            clock.now_s += 1
            progress.advance(5)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "0 of 1,000 variants (0 %)"
    assert lines[1] == "50 of 1,000 variants (5 %), 5 variants/s, 3 min left"
    assert lines[2] == "100 of 1,000 variants (10 %), 5 variants/s, 3 min left"
    assert lines[-1] == "500 of 1,000 variants (50 %), 5 variants/s, 2 min left"
    assert len(lines) == 1 + 10 + 1


def test_what_was_done_before_counts_for_the_share_and_not_for_the_rate(clock: Clock):
    progress = Progress(1000, "tiles", done_before=900, stream=io.StringIO(), clock=clock)
    assert progress.text() == "900 of 1,000 tiles (90 %)"
    clock.now_s += 4
    progress.advance(10)
    assert progress.text() == "910 of 1,000 tiles (91 %), 2.5 tiles/s, 36 s left"
    progress.advance(90)
    assert progress.text() == "1,000 of 1,000 tiles (100 %), 25 tiles/s"


def test_nothing_to_do_is_done(clock: Clock):
    assert Progress(0, stream=io.StringIO(), clock=clock).text() == "0 of 0 variants (100 %)"


def test_notes_are_lines_of_their_own(clock: Clock):
    stream = io.StringIO()
    with Progress(2, stream=stream, clock=clock) as progress:
        progress.say("note", "worker-1 was lost [bold]")
    assert "worker-1 was lost [bold]" in stream.getvalue().splitlines()


def test_a_terminal_gets_a_bar_with_notes_above(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with Progress(200, stream=stream, clock=clock) as progress:
        clock.now_s += 10
        progress.advance(100)
        progress.say("note", "worker-1 was lost [bold]")
    shown = stream.getvalue()
    assert "━" in shown
    assert "worker-1 was lost [bold]" in shown
    assert "100 of 200 variants (50 %), 10 variants/s, 10 s left" in shown
    assert "\x1b[2K" in shown  # redrawn in place


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with Progress(2, stream=stream, clock=clock):
        pass
    assert stream.getvalue() == "0 of 2 variants (0 %)\n" * 2


def test_an_error_inside_is_not_swallowed(clock: Clock):
    stream = io.StringIO()
    with pytest.raises(ValueError, match="odd"), Progress(2, stream=stream, clock=clock):
        raise ValueError("odd")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5369, "89 min"),
        (5400, "1 h 30 min"),
        (11100, "3 h 05 min"),
        (187200, "2 d 04 h"),
    ],
)
def test_time_spans_are_given_in_two_units_at_most(seconds, shown):
    assert duration(seconds) == shown
