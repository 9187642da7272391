"""What runs in a worker's process of its own, and how its answers travel back. Knows no engine."""

import pickle
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from cluster.pool import PoolError, StagedFunction


@dataclass(frozen=True)
class Done:
    """What a call returned, and how long it took."""

    value: Any
    seconds: float


@dataclass(frozen=True)
class Dropped:
    """A task that was not done, because the worker was told to begin nothing more."""


@dataclass(frozen=True)
class Failure:
    """An exception on its way to the driver: itself where it can be pickled, and its story in any case.

    Attributes:
        pickled: the exception, where that can be done.
        story: with its traceback.
        error: the exception itself, where it need not travel.
    """

    pickled: bytes | None
    story: str
    error: BaseException | None = None

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
        if self.error is not None:
            return self.error
        try:
            error = None if self.pickled is None else pickle.loads(self.pickled)  # noqa: S301 - from our own worker
        except Exception:  # noqa: BLE001 - pickling runs foreign code
            error = None
        if not isinstance(error, BaseException):
            return PoolError(
                f"{origin} raised an exception that cannot be sent between processes:\n{self.story}"
            )
        error.add_note(f"raised in {origin}:\n{self.story}")
        return error


class Replica:
    """What runs in the worker's process. Errors are returned, not raised, so that they arrive as they are.

    Calls come from several threads at once. `SystemExit` is caught too: Ray would take it for a wish to end and not
    bring the worker back.
    """

    def __init__(self) -> None:
        self._function: StagedFunction | None = None
        self._computing = ThreadPoolExecutor(
            1, thread_name_prefix="compute"
        )  # torch keeps threads for each caller
        self._changed = threading.Condition()
        self._storing = 0
        self._draining = False

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
            factory = pickle.loads(pickled_factory)  # noqa: S301 - from our own driver
            self._function = self._computing.submit(factory).result()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - sent to the driver
            return Failure.of(error)
        return Done(socket.gethostname(), time.perf_counter() - began)

    def apply(self, payload: Any) -> Done | Dropped | Failure | None:
        """Do a task; None in a process that was begun anew since the function was made."""
        function = self._function
        if function is None:
            return None
        prepared: Future[Any] = Future()
        computing = self._computing.submit(
            self._compute, function, prepared
        )  # its turn is when it came
        try:
            prepared.set_result(function.prepare(payload))
        except BaseException as error:  # noqa: BLE001 - comes back out of the thread that waits for it
            prepared.set_exception(error)
        try:
            computed, seconds = computing.result()
            with self._stored():
                result = function.finish(computed)
        except _DrainedError:
            return Dropped()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - sent to the driver
            return Failure.of(error)
        return Done(result, seconds)

    def drain(self) -> Done:
        """Begin nothing more, and wait for what is being stored."""
        began = time.perf_counter()
        with self._changed:
            self._draining = True
            self._changed.wait_for(lambda: not self._storing)
        return Done(None, time.perf_counter() - began)

    def _compute(self, function: StagedFunction, fetched: "Future[Any]") -> tuple[Any, float]:
        prepared = fetched.result()
        if self._draining:
            raise _DrainedError
        began = time.perf_counter()
        return function.compute(prepared), time.perf_counter() - began

    @contextmanager
    def _stored(self) -> Iterator[None]:
        with self._changed:
            if self._draining:
                raise _DrainedError
            self._storing += 1
        try:
            yield
        finally:
            with self._changed:
                self._storing -= 1
                self._changed.notify_all()


class _DrainedError(Exception):
    """The worker begins nothing more."""
