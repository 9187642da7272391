"""Ctrl-C and SIGTERM: what is being stored is stored, what is done is said, and how to go on.

The first signal asks the pool to come to its end: computing may be broken off at any point, since nothing of it is
visible to anyone and the shard is computed again by the next run of the command. Storing is never broken off by it: a
shard whose table is put and whose receipt is not would be computed once more for nothing, and after an hour on a GPU
that is what the user would have waited for. A second signal ends the command wherever it is, storing included. That
costs work but harms nothing: objects appear whole or not at all, and a shard counts only once its receipt is there.

Knows signals and a pool. Does not know what is computed.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cluster.pool import Pool

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
            raise KeyboardInterrupt
        # First of all: a pool that computes in this thread breaks off by an exception, raised from here.
        interruption.signal_number = number
        pool.interrupt()

    if threading.current_thread() is not threading.main_thread():
        yield interruption  # only the main thread may change what signals do
        return
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
