"""A terminal to print on, and what it was given: what only a terminal shows is seen nowhere else."""

import os
import sys
import threading
import tty
from contextlib import contextmanager


class Terminal:
    """What was shown on it, once it is closed.

    Attributes:
        shown: all bytes that were written.
    """

    def __init__(self):
        self.shown = b""

    def read(self, end):
        """Read until the other end is closed, which a terminal calls an error."""
        try:
            while piece := os.read(end, 1 << 16):
                self.shown += piece
        except OSError:
            pass


@contextmanager
def on_terminal(monkeypatch, columns=200):
    """While this lasts standard output is a terminal of so many columns, that changes no byte."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    terminal = Terminal()
    reader = threading.Thread(target=terminal.read, args=[ours])
    reader.start()
    with monkeypatch.context() as patched:
        patched.setenv("COLUMNS", str(columns))
        with os.fdopen(theirs, "w", encoding="utf-8", newline="") as out:
            patched.setattr(sys, "stdout", out)
            yield terminal
    reader.join()
    os.close(ours)
