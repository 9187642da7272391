"""What runs in a worker's process of its own, and how its answers travel back. Knows no engine."""

import pickle
import socket
import time
import traceback
from dataclasses import dataclass
from typing import Any, Self

from cluster.pool import PoolError, WorkerFunction


@dataclass(frozen=True)
class Done:
    """What a call returned, and how long it took."""

    value: Any
    seconds: float


@dataclass(frozen=True)
class Failure:
    """An exception on its way to the driver: itself where it can be pickled, and its story in any case."""

    pickled: bytes | None
    story: str

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Pack an exception in the process that raised it."""
        story = "".join(traceback.format_exception(error))
        try:
            pickled = pickle.dumps(error)
            pickle.loads(pickled)  # noqa: S301 - made a line above; some exceptions can be pickled and not made again
        except Exception:  # noqa: BLE001 - pickling runs foreign code
            return cls(None, story)
        return cls(pickled, story)

    def exception(self, origin: str) -> BaseException:
        """The exception itself with its story as a note, or a `PoolError` that tells the story."""
        try:
            error = None if self.pickled is None else pickle.loads(self.pickled)  # noqa: S301 - from our own worker
        except Exception:  # noqa: BLE001 - pickling runs foreign code
            error = None
        if not isinstance(error, BaseException):
            return PoolError(f"{origin} raised an exception that cannot be sent between processes:\n{self.story}")
        error.add_note(f"raised in {origin}:\n{self.story}")
        return error


class Replica:
    """What runs in the worker's process. Errors are returned, not raised, so that they arrive as they are.

    `SystemExit` is caught too: Ray would take it for a wish to end and not bring the worker back.
    """

    def __init__(self) -> None:
        self._function: WorkerFunction | None = None

    def ping(self) -> str:
        """The machine's name, as a sign of life."""
        return socket.gethostname()

    def build(self, pickled_factory: bytes) -> Done | Failure:
        """Make the function.

        The factory comes with the call: Ray cannot restart an actor whose constructor's arguments were in a lost
        object store.
        """
        began = time.perf_counter()
        try:
            self._function = pickle.loads(pickled_factory)()  # noqa: S301 - from our own driver
        except (Exception, SystemExit) as error:  # noqa: BLE001 - sent to the driver
            return Failure.of(error)
        return Done(socket.gethostname(), time.perf_counter() - began)

    def apply(self, payload: Any) -> Done | Failure | None:
        """Do a task; None in a process that was begun anew since the function was made."""
        if self._function is None:
            return None
        began = time.perf_counter()
        try:
            result = self._function(payload)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - sent to the driver
            return Failure.of(error)
        return Done(result, time.perf_counter() - began)
