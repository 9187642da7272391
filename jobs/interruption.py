"""Ctrl-C, SIGTERM and SIGHUP: what is being stored is stored, what is done is said, and how to go on.

While a pool computes, the first signal asks it to come to its end: computing may be broken off at any point, since
nothing of it is visible to anyone and the shard is computed again by the next run of the command. Storing is never
broken off by it: a shard whose table is put and whose receipt is not would be computed once more for nothing, and after
an hour on a GPU that is what the user would have waited for. A second signal ends the command wherever it is, storing
included. That costs work but harms nothing: objects appear whole or not at all, and a shard counts only once its
receipt is there.

At any other time, as while a run is planned, a signal breaks off what is at work by an exception, which lets go of
everything on its way out: scratch files are removed. SIGHUP, the end of the session that a command was started from, is
SIGTERM by another name, unless `nohup` has asked that it be ignored.

Knows signals and a pool. Does not know what is computed.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from cluster.pool import Pool

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""By which a command is told to end."""

_TIDYING_S = 3.0
"""For so long after a signal further ones are passed over: who presses Ctrl-C twice wants no scratch files either."""

Handler = Callable[[int, FrameType | None], None]


class StoppedError(KeyboardInterrupt):
    """A signal has broken off a command; its number decides the exit code (128 + number)."""

    def __init__(self, signal_number: int) -> None:
        name = signal.Signals(signal_number).name
        super().__init__(f"stopped by {name}; run the same command again to continue")
        self.signal_number = signal_number


class InterruptedRunError(Exception):
    """A run ended early because of a signal, whose number decides the exit code (128 + number)."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.signal_number = signal_number


class Interruption:
    """Whether a signal has asked a run to end.

    Attributes:
        signal_number: the first signal that came; None while none has come.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None


@contextmanager
def interruptible(pool: Pool) -> Iterator[Interruption]:
    """While this lasts, the first signal lets the pool come to its end; a second one ends the command at once.

    Yields:
        What has come so far; handlers are as before when the block ends.
    """
    interruption = Interruption()

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if interruption.signal_number is not None:
            raise StoppedError(number)
        # First of all: a pool that computes in this thread breaks off by an exception, raised from here.
        interruption.signal_number = number
        pool.interrupt()

    with _handled_by(handle):
        yield interruption


@contextmanager
def stoppable() -> Iterator[None]:
    """While this lasts, a signal breaks off what is at work, by a `StoppedError`; handlers are as before afterwards."""
    stopped_s: float | None = None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal stopped_s
        del frame
        now_s = time.monotonic()
        if stopped_s is not None and now_s - stopped_s < _TIDYING_S:
            return
        stopped_s = now_s
        raise StoppedError(number)

    with _handled_by(handle):
        yield


@contextmanager
def _handled_by(handle: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may change what signals do
        return
    # `nohup` ignores SIGHUP. SIGINT is ignored in what a script starts beside itself; whoever sends it there means it.
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = [number for number in SIGNALS if not (is_nohup and number == signal.SIGHUP)]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
