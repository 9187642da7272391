"""What runs in a worker's process of its own, and how its answers travel back. Knows no engine."""

import pickle
import platform
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from cluster.pool import Node, PoolError, StagedFunction, items_done


@dataclass(frozen=True)
class Done:
    """What a call returned, and how long it took; with a sign of life, how far the worker is with its task."""

    value: Any
    seconds: float
    items_done: int = 0


@dataclass(frozen=True)
class Cancelled:
    """A task that was not done, because the worker was told to begin nothing more."""


@dataclass(frozen=True)
class WorkerRestarted:
    """A task that was not begun: the process died and came back unnoticed, and has no function yet."""


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
            # Some exceptions can be pickled and not made again; better to learn that here than in the driver.
            pickle.loads(pickled)  # noqa: S301 - made a line above
        except Exception:  # noqa: BLE001 - pickling runs foreign code
            return cls(None, story)
        return cls(pickled, story)

    def exception(self, origin: str) -> BaseException:
        """The exception itself with its story as a note, or a `PoolError` that tells the story."""
        if self.error is not None:
            return self.error
        error = self._unpickled()
        if error is None:
            return PoolError(
                f"{origin} raised an exception that cannot be sent between processes:\n{self.story}"
            )
        error.add_note(f"raised in {origin}:\n{self.story}")
        return error

    def _unpickled(self) -> BaseException | None:
        if self.pickled is None:
            return None
        try:
            error = pickle.loads(self.pickled)  # noqa: S301 - from our own worker
        except Exception:  # noqa: BLE001 - pickling runs foreign code
            return None
        return error if isinstance(error, BaseException) else None


class WorkerProcess:
    """What runs in the worker's process. Errors are returned, not raised, so that they arrive as they are.

    Calls come from several threads at once. `SystemExit` is caught too: Ray would take it for a wish to end and not
    bring the worker back.
    """

    def __init__(self) -> None:
        self._function: StagedFunction | None = None
        # One thread for all tasks: torch keeps a set of threads for each thread that calls it.
        self._computing = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._changed = threading.Condition()
        self._storing = 0
        self._draining = False

    def ping(self) -> Done:
        """The node that it is on, as a sign of life; a node's name is its identifier where nobody knows a better."""
        hostname = platform.node()
        return Done(Node(hostname, hostname), 0.0, items_done(self._function))

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
        return Done(None, time.perf_counter() - began)

    def apply(self, payload: Any) -> Done | Cancelled | Failure | WorkerRestarted:
        """Do a task: fetch in the calling thread, compute when those before are computed, store in this thread."""
        function = self._function
        if function is None:
            return WorkerRestarted()
        prepared: Future[Any] = Future()
        # Queued before its payload is fetched, so that tasks compute in the order in which they came.
        computing = self._computing.submit(self._compute, function, prepared)
        try:
            prepared.set_result(function.prepare(payload))
        except BaseException as error:  # noqa: BLE001 - comes back out of the thread that waits for it
            prepared.set_exception(error)
        try:
            computed, seconds = computing.result()
            with self._stored():
                result = function.finish(computed)
        except _DrainedError:
            return Cancelled()
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
        # Asked after waiting, which may have taken long.
        if self._draining:
            raise _DrainedError
        began = time.perf_counter()
        computed = function.compute(prepared)
        return computed, time.perf_counter() - began

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
    """Raised within a worker that was told to begin nothing more."""
