"""What a pool of workers is: tasks go in, events come out.

Knows tasks, workers and what can befall them. Does not know what a task computes, nor where workers run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self, runtime_checkable

MAX_ATTEMPTS = 3
"""How often a task may fail where nothing but itself is to blame, before it is taken apart or given up."""


class PoolError(Exception):
    """The pool cannot do the work; the message names the remedy."""


@runtime_checkable
class StagedFunction(Protocol):
    """What a worker does with a task, in three stages, so that one task is fetched and one stored while one computes.

    `compute` is never called twice at once, and always from the same thread; the others may run beside it.
    """

    def prepare(self, payload: Any) -> Any:
        """Fetch what the task needs."""
        ...

    def compute(self, prepared: Any) -> Any:
        """Do the work."""
        ...

    def finish(self, computed: Any) -> Any:
        """Store the outcome; what it returns goes to the driver and must be small and picklable."""
        ...


@dataclass(frozen=True)
class Computing:
    """A plain function as the middle stage, with nothing to fetch or store."""

    function: Callable[[Any], Any]

    def prepare(self, payload: Any) -> Any:
        """The payload itself."""
        return payload

    def compute(self, prepared: Any) -> Any:
        """Call the function."""
        return self.function(prepared)

    def finish(self, computed: Any) -> Any:
        """The result itself."""
        return computed


WorkerFactory = Callable[[], StagedFunction]
"""Makes the function in the worker's process, once; must be picklable and small (paths, not data)."""


@runtime_checkable
class Divisible(Protocol):
    """A payload made of items, of which some may be at fault when the whole fails."""

    @property
    def items(self) -> int:
        """How many there are."""
        ...

    def probing(self, first: int, end: int) -> Any:
        """A payload that computes items [first, end) and throws the outcome away."""
        ...

    def without(self, failures: Mapping[int, str]) -> Any:
        """The whole again, except for some items, for each of which there is a reason."""
        ...


Verdict = Literal["task", "storage", "stop"]
Classify = Callable[[BaseException], Verdict]
"""Whose fault an exception is: the task's own; that of storage, which another attempt may find mended; or one that ends
the run."""


def blame_task(error: BaseException) -> Verdict:
    """Every exception is the task's own fault."""
    del error
    return "task"


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Attributes:
        key: names it in events and messages; unique within a run.
        payload: what the worker function is given; picklable and small. May be `Divisible`.
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
class TaskRetried:
    """A task did not succeed and will be tried again; `counted` says whether this counts against it."""

    key: str
    worker: str
    reason: str
    counted: bool


@dataclass(frozen=True)
class TaskIsolated:
    """The items of a task that fail by themselves, with their reasons; the rest will be computed without them."""

    key: str
    failures: Mapping[int, str]


@dataclass(frozen=True)
class TaskFailed:
    """A task that will not be tried again in this run.

    Attributes:
        key: the task.
        worker: where it was last.
        error: what its code raised, or a `PoolError` when it took its workers down.
        attempts: how often it failed.
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


Event = (
    WorkerReady
    | TaskStarted
    | TaskDone
    | TaskRetried
    | TaskIsolated
    | TaskFailed
    | WorkerLost
    | PoolNotice
)


class Pool(Protocol):
    """Maps tasks over workers that keep their state, such as a loaded model.

    Every task of a run that is not interrupted ends in exactly one `TaskDone` or `TaskFailed`, in any order. A failed
    task does not stop the others; a caller that wants to stop leaves the loop and closes the pool.
    """

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Work through the tasks, taking them from the iterable only as workers get free.

        Raises:
            PoolError: when the pool is closed or has no means to go on.
            Exception: whatever the worker factory raised, as it is; an error that is classified to stop the run.
        """
        ...

    def interrupt(self) -> None:
        """Begin nothing more; `run` ends when what is being stored is stored. May be called by a signal's handler."""
        ...

    def report(self, name: str, value: float) -> None:
        """Show a figure of the caller's beside the pool's own, where there is something that shows them."""
        ...

    def close(self) -> None:
        """Stop the workers and give back what they held; may be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
