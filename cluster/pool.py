"""What a pool of workers is: tasks go in, events come out. Holds the pool that works in this process.

Knows tasks, workers and what can befall them. Does not know what a task computes, nor any engine.
"""

import platform
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

MAX_ATTEMPTS = 3
"""How often a task may take its worker down before it is given up."""

WorkerFunction = Callable[[Any], Any]
"""What a worker does with a task's payload. The result must be small and picklable: large data go to storage."""

WorkerFactory = Callable[[], WorkerFunction]
"""Makes the function in the worker's process, once; must be picklable and small (paths, not data)."""


class PoolError(Exception):
    """The pool cannot do the work; the message names the remedy."""


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Attributes:
        key: names it in events and messages; unique within a run.
        payload: what the worker function is called with; picklable and small.
    """

    key: str
    payload: Any


@dataclass(frozen=True)
class WorkerReady:
    """A worker has made its function; `node` is the machine it runs on."""

    worker: str
    node: str


@dataclass(frozen=True)
class TaskStarted:
    """A worker has nothing before this task any more."""

    key: str
    worker: str


@dataclass(frozen=True)
class TaskDone:
    """A task's result; `seconds` is the time its worker spent on it."""

    key: str
    worker: str
    result: Any
    seconds: float


@dataclass(frozen=True)
class TaskFailed:
    """A task that will not be tried again.

    Attributes:
        key: the task.
        worker: where it was last.
        error: what the task's code raised, or a `PoolError` when it took its worker down `MAX_ATTEMPTS` times.
        attempts: how often it was begun.
    """

    key: str
    worker: str
    error: BaseException
    attempts: int


@dataclass(frozen=True)
class WorkerLost:
    """A worker's process or machine is gone; its tasks are tried again, and it may come back."""

    worker: str
    reason: str


@dataclass(frozen=True)
class PoolNotice:
    """Something a person watching should know, such as what the pool is waiting for."""

    text: str


Event = WorkerReady | TaskStarted | TaskDone | TaskFailed | WorkerLost | PoolNotice


class Pool(Protocol):
    """Maps tasks over workers that keep their state, such as a loaded model.

    Every task of a run ends in exactly one `TaskDone` or `TaskFailed`, in any order. A failed task does not stop the
    others; a caller that wants to stop leaves the loop and closes the pool.
    """

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Work through the tasks, taking them from the iterable only as workers get free.

        Raises:
            PoolError: when the pool is closed or has no means to go on.
            Exception: whatever the worker factory raised, as it is.
        """
        ...

    def close(self) -> None:
        """Stop the workers and give back what they held; may be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class InProcessPool:
    """One worker in this process, made when the first task comes: the same events as on a cluster, nothing to install.

    A task cannot take its worker down without the whole process, so each is begun once. `KeyboardInterrupt` and
    `SystemExit` stop the run; everything else that a task raises becomes its `TaskFailed`.
    """

    def __init__(self, factory: WorkerFactory) -> None:
        self._factory = factory
        self._function: WorkerFunction | None = None
        self._closed = False

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Work through the tasks one by one (see `Pool.run`)."""
        if self._closed:
            raise PoolError("the pool is closed: make a new one")
        for task in tasks:
            if self._function is None:
                self._function = self._factory()
                yield WorkerReady(_WORKER, platform.node())
            yield TaskStarted(task.key, _WORKER)
            yield _outcome(self._function, task)

    def close(self) -> None:
        """Let go of the worker."""
        self._function = None
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_WORKER = "worker-0"


def _outcome(function: WorkerFunction, task: Task) -> TaskDone | TaskFailed:
    began = time.perf_counter()
    try:
        result = function(task.payload)
    except Exception as error:  # noqa: BLE001 - the caller decides what a task's own error means
        return TaskFailed(task.key, _WORKER, error, attempts=1)
    return TaskDone(task.key, _WORKER, result, time.perf_counter() - began)
