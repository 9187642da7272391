"""Ctrl-C and SIGTERM: let what is being stored be stored, say what is done, and how to go on.

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
    """A run was told to stop; `signal_number` is what told it."""

    def __init__(self, signal_number: int, said: str) -> None:
        super().__init__(said)
        self.signal_number = signal_number


class Interruption:
    """Whether a run was told to stop.

    Attributes:
        signal_number: what told it; None when nothing did.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None


@contextmanager
def interruptible(pool: Pool) -> Iterator[Interruption]:
    """While this lasts, the first signal lets the pool come to its end; a second one ends the command at once."""
    told = Interruption()

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        if told.signal_number is not None:
            raise KeyboardInterrupt
        told.signal_number = number
        pool.interrupt()

    if threading.current_thread() is not threading.main_thread():
        yield told  # only the main thread may change what signals do
        return
    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
