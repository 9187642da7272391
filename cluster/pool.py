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
        """Fetch what the task needs; runs while the task before it computes."""
        ...

    def compute(self, prepared: Any) -> Any:
        """Do the work on what `prepare` returned; this is the stage that is timed."""
        ...

    def finish(self, computed: Any) -> Any:
        """Store the outcome; what it returns goes to the driver and must be small and picklable."""
        ...


@runtime_checkable
class Reporting(Protocol):
    """A worker function that can say how far it is; asked from another thread than that which computes."""

    @property
    def items_done(self) -> int:
        """Items of the task that is being computed which are computed by now."""
        ...


def items_done(function: object) -> int:
    """How far a worker function is with its task, where it can say so; else 0."""
    return function.items_done if isinstance(function, Reporting) else 0


WorkerFactory = Callable[[], StagedFunction]
"""Makes the function in the worker's process, once; must be picklable and small (paths, not data)."""


@runtime_checkable
class Splittable(Protocol):
    """A payload made of items, of which some may be at fault when the whole fails."""

    @property
    def items(self) -> int:
        """How many items the whole payload has, whatever is left out of it."""
        ...

    def probe(self, first: int, end: int) -> Any:
        """A payload that computes items [first, end) and throws the outcome away."""
        ...

    def without(self, failures: Mapping[int, str]) -> Any:
        """The whole again, except for some items, for each of which there is a reason."""
        ...


@runtime_checkable
class ProbeResult(Protocol):
    """A result that says for how many items something was computed; a probe's, or that of a whole task.

    One that says 0 proves nothing: a broken GPU does not show in it. A result that does not say counts as proof.
    """

    @property
    def computed(self) -> int | None:
        """Items computed by this very worker; None where that was not counted."""
        ...


Blame = Literal["task", "storage", "stop"]
"""Whose fault an exception is: the task's own; that of storage, which another attempt may find mended; or one that
ends the run."""

Classify = Callable[[BaseException], Blame]


def blame_task(error: BaseException) -> Blame:
    """Every exception is the task's own fault: what a pool assumes unless it is told otherwise."""
    del error
    return "task"


Control = Callable[[], Any]
"""Gives a payload that a sound worker has computed before, as a trial; None where there is none."""


def no_control() -> None:
    """Nothing is known that sound workers can compute."""


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Attributes:
        key: names it in events and messages; unique within a run.
        payload: what the worker function is given; picklable and small. May be `Splittable`.
    """

    key: str
    payload: Any

    @property
    def items(self) -> int:
        """How many items it has, at least 1; a payload that is not `Splittable` is one item."""
        if isinstance(self.payload, Splittable):
            return max(self.payload.items, 1)
        return 1


@dataclass(frozen=True)
class Node:
    """A machine on which workers run.

    Attributes:
        id: tells it from every other machine, and from an earlier one that had the same name.
        hostname: what people call it.
    """

    id: str
    hostname: str

    def __str__(self) -> str:
        return self.hostname


@dataclass(frozen=True)
class WorkerReady:
    """A worker has made its function on its node, and can be given tasks."""

    worker: str
    node: Node


@dataclass(frozen=True)
class TaskStarted:
    """A worker has nothing before this task any more."""

    key: str
    worker: str


@dataclass(frozen=True)
class TaskDone:
    """A task's result.

    Attributes:
        key: the task.
        worker: who did it.
        result: what its `finish` returned.
        seconds: the time its worker spent on it.
        items: how many items the task has.
    """

    key: str
    worker: str
    result: Any
    seconds: float
    items: int = 1


@dataclass(frozen=True)
class TaskRetried:
    """A task did not succeed and will be tried again; `counted` says whether this counts against it."""

    key: str
    worker: str
    reason: str
    counted: bool


@dataclass(frozen=True)
class TaskIsolated:
    """The items of a task that fail by themselves, with their reasons; the others will be computed without them."""

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


class EventObserver(Protocol):
    """Something that follows a run beside the loop over its events, such as metrics."""

    def observe(self, event: Event, *, queued: int) -> None:
        """Take note of an event, just before the loop sees it.

        Args:
            event: what happened.
            queued: tasks that were read from the iterable and that no worker has.
        """
        ...


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

    def items_in_hand(self) -> int:
        """Items computed of tasks that are not done, as far as workers have told; may be asked from any thread."""
        ...

    def interrupt(self) -> None:
        """Begin nothing more; `run` ends when what is being stored is stored. May be called by a signal's handler."""
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
