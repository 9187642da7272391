"""A display shows itself by itself, and what libraries print becomes something that it says."""

import sys
import threading

import jobs.heartbeat
from jobs.heartbeat import Heartbeat, StrayLines, kept_alive


class Shown:
    """A display that only remembers."""

    def __init__(self):
        self.beaten = threading.Event()
        self.said = []

    def beat(self):
        self.beaten.set()

    def say(self, event, text):
        print("a display may print in its turn", file=sys.stderr)
        self.said.append((event, text))


def test_it_is_shown_again_until_it_ends_and_not_after(monkeypatch):
    monkeypatch.setattr(jobs.heartbeat, "EVERY_S", 0.01)
    shown = Shown()
    with kept_alive(shown):
        assert shown.beaten.wait(30)
    shown.beaten.clear()
    assert not shown.beaten.wait(0.1)
    assert not [each for each in threading.enumerate() if each.name == "heartbeat"]


def test_what_is_printed_meanwhile_is_said_line_by_line():
    shown, before = Shown(), sys.stderr
    with kept_alive(shown):
        print("two\nlines", file=sys.stderr)
        print(file=sys.stderr)
        sys.stderr.write("no end")
    assert sys.stderr is before
    assert shown.said == [("library", "two"), ("library", "lines"), ("library", "no end")]


def test_lines_that_come_in_pieces_are_said_whole():
    said = []
    stray = StrayLines(said.append)
    for piece in ("a", "b\nc", "", "d\n", "\n"):
        stray.write(piece)
    assert said == ["ab", "cd"]


def test_a_heartbeat_that_never_began_to_beat_ends_at_once():
    heartbeat = Heartbeat(lambda: None)
    heartbeat.start()
    heartbeat.stop()
