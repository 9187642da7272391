"""The display, with a clock that stands still until told otherwise."""

import io
import re
from dataclasses import dataclass

import pytest

from enformer_core.words import duration
from jobs.count import Count
from jobs.progress import JsonLines, ProgressBar, ProgressLines, choose_display
from jobs.reading_progress import ReadingProgress


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
    with ProgressLines(Count(1000, "alleles"), stream, clock) as progress:
        for _ in range(100):  # 1 s and 5 alleles each, 500 in all
            clock.now_s += 1
            progress.advance(5)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "0 of 1,000 alleles (0 %)"
    assert lines[1] == "50 of 1,000 alleles (5 %), 5 alleles/s, 3 min left, 10 s elapsed"
    assert lines[2] == "100 of 1,000 alleles (10 %), 5 alleles/s, 3 min left, 20 s elapsed"
    assert lines[-1] == "500 of 1,000 alleles (50 %), 5 alleles/s, 2 min left, 1 min 40 s elapsed"
    assert len(lines) == 1 + 10 + 1


def test_what_was_done_before_counts_for_the_share_and_not_for_the_rate():
    count = Count(1000, "tiles", done_before=900)
    assert count.text(0.0) == "900 of 1,000 tiles (90 %)"
    assert count.text(4.0) == "900 of 1,000 tiles (90 %), 4 s elapsed"
    count.done += 10
    assert count.text(4.0) == "910 of 1,000 tiles (91 %), 2.5 tiles/s, 36 s left, 4 s elapsed"
    count.done += 89
    assert count.text(4.0).startswith("999 of 1,000 tiles (99 %)")  # not all until it is all
    count.done += 1
    assert count.text(4.0) == "1,000 of 1,000 tiles (100 %), 25 tiles/s, 4 s elapsed"


def test_the_time_before_the_first_is_begun_is_elapsed_and_no_part_of_the_rate():
    """Ray has started and the model was loaded in the first minute."""
    count = Count(1000, "alleles")
    count.done = 100
    assert count.text(70.0, 10.0) == (
        "100 of 1,000 alleles (10 %), 10 alleles/s, 2 min left, 70 s elapsed"
    )


def test_what_is_computed_and_not_done_yet_counts_and_is_never_taken_back():
    count, in_hand = Count(1000, "alleles"), 50
    count.in_hand = lambda: in_hand
    count.phase = "computing"
    assert count.text(10.0).startswith("50 of 1,000 alleles (5 %), 5 alleles/s, 3 min left")
    in_hand = 0  # their worker has died
    assert count.text(10.0).startswith("50 of 1,000 alleles (5 %)")
    count.done, in_hand = 990, 50  # more than there can be
    assert count.text(10.0).startswith("1,000 of 1,000 alleles (100 %)")


def test_what_it_is_at_is_said_until_something_is_done_and_what_was_audited_after_that():
    count = Count(10, "alleles")
    count.phase = "loading the model"
    assert count.text(20.0) == "0 of 10 alleles (0 %), loading the model, 20 s elapsed"
    count.done, count.audited = 5, 2
    assert "loading" not in count.text(20.0)
    assert "2 audited" in count.text(20.0)


def test_no_ten_seconds_pass_without_a_line(clock: Clock):
    """While a model is loaded nothing is done; the heartbeat asks each second."""
    stream = io.StringIO()
    with ProgressLines(Count(10, "alleles"), stream, clock) as progress:
        progress.phase("loading the model")
        for _ in range(25):
            clock.now_s += 1
            progress.beat()
    assert stream.getvalue().splitlines() == [
        "0 of 10 alleles (0 %)",
        "loading the model",
        "0 of 10 alleles (0 %), loading the model, 10 s elapsed",
        "0 of 10 alleles (0 %), loading the model, 20 s elapsed",
        "0 of 10 alleles (0 %), loading the model, 25 s elapsed",
    ]


def test_the_rate_of_lines_counts_from_the_first_that_is_begun(clock: Clock):
    stream = io.StringIO()
    with ProgressLines(Count(100, "alleles"), stream, clock) as progress:
        clock.now_s += 60
        progress.begin_work()
        clock.now_s += 5
        progress.advance(50, audited=3)
    assert stream.getvalue().splitlines()[-1] == (
        "50 of 100 alleles (50 %), 10 alleles/s, 5 s left, 3 audited, 65 s elapsed"
    )


def test_nothing_to_do_is_done():
    assert Count(0, "alleles").text(0.5) == "0 of 0 alleles (100 %)"


def test_notes_are_lines_of_their_own(clock: Clock):
    stream = io.StringIO()
    with ProgressLines(Count(2, "alleles"), stream, clock) as progress:
        progress.say("note", "worker-1 was lost [bold]")
    assert "worker-1 was lost [bold]" in stream.getvalue().splitlines()


def test_a_bar_has_notes_above(clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "140")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    with ProgressBar(Count(200, "alleles"), stream, clock) as progress:
        clock.now_s += 10
        progress.advance(100)
        progress.say("note", "worker-1 was lost [bold]")
    shown = stream.getvalue()
    assert "━" in shown
    assert "worker-1 was lost [bold]" in shown
    assert "100 of 200 alleles (50 %), 10 alleles/s, 10 s left" in shown
    assert "\x1b[2K" in shown  # redrawn in place


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_a_narrow_terminal_has_a_shorter_bar_and_as_much_beside_it_as_fits(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int
):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    count = Count(10_000, "alleles")
    with ProgressBar(count, stream, clock) as progress:
        clock.now_s += 34
        progress.advance(1_200, audited=3)
    whole = count.text(34.0)
    assert whole == (
        "1,200 of 10,000 alleles (12 %), 35.3 alleles/s, 4 min left, 3 audited, 34 s elapsed"
    )
    last = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", stream.getvalue()).splitlines()[-1]
    # without colours, what is left of the bar is blank
    bar, said, rest = last.partition("1,200 of 10,000 alleles (12 %)")
    assert 8 <= len(bar.removesuffix(" ")) <= 20
    assert set(bar.strip()) <= set("━╸")
    text = said + rest.rstrip()
    assert len(bar + text) <= columns
    assert set(text.split(", ")) <= set(whole.split(", "))
    assert ("4 min left" in text) == (columns >= 60)
    assert ("35.3 alleles/s" in text) == (columns >= 80)


@pytest.mark.parametrize(
    ("log_format", "stream", "term", "kind"),
    [
        ("text", Terminal(), "xterm", ProgressBar),
        ("text", Terminal(), "dumb", ProgressLines),  # it cannot move its cursor
        ("text", Terminal(), "", ProgressLines),
        ("text", io.StringIO(), "xterm", ProgressLines),
        ("json", Terminal(), "xterm", JsonLines),
        ("json", io.StringIO(), "xterm", JsonLines),
    ],
)
def test_a_terminal_gets_a_bar_and_anything_else_lines(monkeypatch, log_format, stream, term, kind):
    monkeypatch.setenv("TERM", term)
    assert type(choose_display(log_format, Count(2, "alleles"), stream=stream)) is kind


def test_without_anything_done_there_are_two_lines(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with choose_display("text", Count(2, "alleles"), stream=stream):
        pass
    assert stream.getvalue() == "0 of 2 alleles (0 %)\n" * 2


def test_it_is_shown_on_standard_error(capsys: pytest.CaptureFixture[str]):
    with choose_display("text", Count(5, "tiles", done_before=4)):
        pass
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "4 of 5 tiles (80 %)\n" * 2


def test_an_error_inside_is_not_swallowed(clock: Clock):
    with (
        pytest.raises(ValueError, match="odd"),
        ProgressLines(Count(2, "alleles"), io.StringIO(), clock),
    ):
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


def test_a_rate_of_less_than_a_second_is_not_told():
    """198 alleles that are through a step at once would be tens of millions a second."""
    clock = Clock()
    stream = io.StringIO()
    with ReadingProgress("alleles", stream=stream, clock=clock) as progress:
        clock.now_s += 20
        progress.show("planned", 198)
        clock.now_s += 20
        progress.show("planned", 198)
    assert stream.getvalue().splitlines() == [
        "planned: 198 alleles, 20 s",
        "planned: 198 alleles, 9.9 alleles/s, 40 s",
    ]
