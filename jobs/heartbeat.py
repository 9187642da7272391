"""At most some seconds without a sign of life: what is shown is shown again while whatever is under way takes its time.

Knows threads and streams. Does not know what is shown.
"""

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Protocol, TextIO, cast

from jobs.output import safe

EVERY_S = 1.0


class Beating(Protocol):
    """Something that can show itself again, and what others have to say."""

    def beat(self) -> None:
        """Show it again where it is time."""
        ...

    def say(self, event: str, text: str) -> None:
        """Tell what somebody else has said."""
        ...


class Heartbeat:
    """Calls a function every second from a thread of its own, until it is stopped.

    Args:
        beat: must bear being called beside everything else.
    """

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._ended = threading.Event()
        # The thread speaks in the log of the command that has started it.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name="heartbeat", daemon=True
        )

    def start(self) -> None:
        """Start the thread, which calls the function every second."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; when this returns, the function is not called any more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            self._beat()


class StrayLines(io.TextIOBase):
    """Stands for standard error while a display is there: what libraries print becomes something that it says.

    Args:
        say: is given each line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begun = ""
        self._thread = threading.local()

    def write(self, text: str) -> int:
        """Say the lines that are whole now; the rest waits for its end."""
        # Should saying it print something in its turn, that would go round for ever.
        if getattr(self._thread, "is_saying", False):
            return len(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._say_once(line)
        return len(text)

    def finish(self) -> None:
        """Say what was written last, though no line feed has ended it."""
        if self._begun:
            self._say_once(self._begun)
        self._begun = ""

    def writable(self) -> bool:
        """True: what is written is said, line by line."""
        return True

    def _say_once(self, line: str) -> None:
        if line.strip():
            self._thread.is_saying = True
            try:
                self._say(line)
            finally:
                self._thread.is_saying = False


@contextmanager
def kept_alive(display: Beating) -> Iterator[None]:
    """While this lasts, a display shows itself by itself, and says what is printed to standard error."""
    stray = StrayLines(lambda line: display.say("library", line))
    heartbeat = Heartbeat(display.beat)
    before = sys.stderr
    sys.stderr = safe(cast("TextIO", stray))
    heartbeat.start()
    try:
        yield
    finally:
        heartbeat.stop()
        sys.stderr = before
        stray.finish()
