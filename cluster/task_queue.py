"""Tasks on their way: who waits for a worker, how often each has failed, and when it may be tried again.

Knows tasks, seconds, and workers by name. Does not know how workers are reached.
"""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cluster.backend import WorkerGone
from cluster.bisection import SINGLE_FAILURES
from cluster.pool import MAX_ATTEMPTS, Node, Task

MAX_UNCOUNTED = 10
"""After so many losses that were not its fault, a task runs alone, and losses count."""


_FIRST_PAUSE_S = 1.0

_LONGEST_PAUSE_S = 60.0


class ExponentialBackoff:
    """Pauses that double with each failure, from 1 s to 60 s, and vary, so that many do not try again at once.

    Args:
        seed: of the variation.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - spreads load, keeps no secret

    def seconds(self, failures: int) -> float:
        """The pause after so many earlier failures: the doubled one, or up to half of it less."""
        # No power beyond the tenth: a task may fail so often that 2.0 ** failures is no float any more.
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(failures, 10))
        return longest_s * (0.5 + 0.5 * self._random.random())


@dataclass(eq=False)
class TaskState:
    """What all attempts at one task share: at the whole of it, and at the parts that are probed.

    Attributes:
        done: the task has ended, well or not; what is still in flight is of no use.
        bisections: how often its items were searched for those at fault.
        workers_can_compute: it was seen after all its items had failed, each by itself.
    """

    done: bool = False
    bisections: int = 0
    workers_can_compute: bool = False


@dataclass(frozen=True)
class FailureRecord:
    """Where and why an attempt failed.

    Attributes:
        worker: at which it failed.
        node: of that worker.
        reason: on one line.
        raised: by an exception, which says more than a death.
    """

    worker: str
    node: Node
    reason: str
    raised: bool


@dataclass(eq=False)
class TaskAttempt:
    """A task, or a part of one that is probed, with what has befallen it; the same object through all its retries.

    Attributes:
        task: which.
        payload: what a worker is given.
        state: shared with the other attempts at the task.
        probed: the items that are probed; None for the whole task.
        counted: failures for which nothing but the attempt is to blame.
        uncounted: losses with nodes.
        storage: failures of storage.
        beside_death: its worker died while another task was before it.
        has_copy: it was given to a second worker while a first was at it.
        last_failure: where it failed last, whether or not that counted.
        last_error: the exception of that; None when it was a death.
        counted_failures: those that were counted, in their order.
        undecided_death: its worker died at it, and it is not known yet whether the node is gone too.
        avoid_until_s: until then it does not go where it failed last, unless nobody else is there.
    """

    task: Task
    payload: object
    state: TaskState = field(default_factory=TaskState)
    probed: range | None = None
    counted: int = 0
    uncounted: int = 0
    storage: int = 0
    beside_death: bool = False
    has_copy: bool = False
    last_failure: FailureRecord | None = None
    last_error: BaseException | None = None
    counted_failures: list[FailureRecord] = field(default_factory=list)
    undecided_death: WorkerGone | None = None
    avoid_until_s: float = 0.0

    @property
    def key(self) -> str:
        """The key of its task, which names it in events."""
        return self.task.key

    @property
    def done(self) -> bool:
        """Whether its task has ended, by this attempt or another."""
        return self.state.done

    @property
    def failures(self) -> int:
        """How often it did not succeed, whoever was to blame."""
        return self.counted + self.uncounted + self.storage

    @property
    def last_failed_on(self) -> str:
        """The worker at which it failed last; empty before it has failed."""
        return "" if self.last_failure is None else self.last_failure.worker

    @property
    def last_reason(self) -> str:
        """Why it failed last, on one line; empty before it has failed."""
        return "" if self.last_failure is None else self.last_failure.reason

    @property
    def exclusive_on_worker(self) -> bool:
        """Whether nothing else may be at its worker, so that another death is charged to the right task."""
        return self.failures > 0 or self.beside_death

    @property
    def exclusive(self) -> bool:
        """Whether nothing else at all may run beside it."""
        return self.uncounted >= MAX_UNCOUNTED

    @property
    def is_spent(self) -> bool:
        """Whether it has failed often enough to be at fault."""
        if self.probed is None:
            return self.counted >= MAX_ATTEMPTS
        # A part is halved after one failure: that costs less than trying it again.
        return self.counted >= (SINGLE_FAILURES if len(self.probed) == 1 else 1)

    def failed(self, failure: FailureRecord, error: BaseException | None) -> None:
        """Take note of where it failed last; whether that counts is for the failure policy to say."""
        self.last_failure = failure
        self.last_error = error


@dataclass(eq=False)
class InFlight:
    """An attempt that a worker was given and has not answered.

    Attributes:
        attempt: which; another worker may have it too.
        worker: who was given it.
        node: of that worker.
        given_s: when it was given.
        began_s: when the worker had nothing before it any more.
        items_done: of its items, as far as the worker has told.
    """

    attempt: TaskAttempt
    worker: str
    node: Node
    given_s: float
    began_s: float | None = None
    items_done: int = 0

    def seconds(self, now_s: float) -> float:
        """How long the worker is at it already, or has it, where others are still before it."""
        if self.began_s is None:
            return now_s - self.given_s
        return now_s - self.began_s


class TaskQueue:
    """Attempts that no worker has: those given back first, then those whose pause is over, then new tasks.

    The iterable is only read as far as asked for.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._ready: deque[TaskAttempt] = deque()
        self._exclusive: deque[TaskAttempt] = deque()
        self._new: deque[TaskAttempt] = deque()
        # A heap of when the pause ends, a number that keeps equal ends in their order, and the attempt.
        self._paused: list[tuple[float, int, TaskAttempt]] = []
        self._numbers = itertools.count()

    def look_ahead(self, count: int) -> int:
        """How many attempts may be begun now, counted up to `count`; no more than that are read from the iterable."""
        self._read(count - len(self._ready))
        return min(len(self._ready) + len(self._new), count)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, not even for its pause to end or for all others."""
        return not self._paused and not self._exclusive and not self.look_ahead(1)

    @property
    def waiting(self) -> int:
        """Attempts that have been read or given back, whether or not their pause is over."""
        return len(self._ready) + len(self._new) + len(self._paused) + len(self._exclusive)

    @property
    def wants_empty_worker(self) -> bool:
        """Whether one waits that has to be alone on its worker."""
        return any(attempt.exclusive_on_worker for attempt in self._ready)

    def take(self, fits: Callable[[TaskAttempt], bool]) -> TaskAttempt | None:
        """The next attempt that fits, if there is one."""
        # What has waited longest comes first, but does not hold up others that may run where it may not.
        for attempt in self._ready:
            if fits(attempt):
                self._ready.remove(attempt)
                return attempt
        self._read(1)
        if self._new and fits(self._new[0]):
            return self._new.popleft()
        return None

    def put_first(self, attempt: TaskAttempt) -> None:
        """Let it be the next; or when there is nothing else, if it must be exclusive."""
        self._line_of(attempt).appendleft(attempt)

    def put(self, attempt: TaskAttempt) -> None:
        """Let it be begun soon; or when there is nothing else, if it must be exclusive."""
        self._line_of(attempt).append(attempt)

    def take_exclusive(self) -> TaskAttempt | None:
        """One that must run when nothing else does, if there is nothing else that waits."""
        if not self._exclusive or self._paused or self.look_ahead(1):
            return None
        return self._exclusive.popleft()

    def pause(self, attempt: TaskAttempt, until_s: float) -> None:
        """Let it not be begun before that time."""
        heapq.heappush(self._paused, (until_s, next(self._numbers), attempt))

    def take_resumable(self, now_s: float) -> list[TaskAttempt]:
        """Take out the attempts whose pause is over, in the order in which the pauses end."""
        resumable = []
        while self._paused and self._paused[0][0] <= now_s:
            _, _, attempt = heapq.heappop(self._paused)
            resumable.append(attempt)
        return resumable

    def next_pause_ends_s(self) -> float | None:
        """When the first pause ends, if any attempt is paused."""
        return self._paused[0][0] if self._paused else None

    def forget(self, key: str) -> None:
        """Take out all attempts at a task."""
        self._ready = deque(attempt for attempt in self._ready if attempt.key != key)
        self._exclusive = deque(attempt for attempt in self._exclusive if attempt.key != key)
        self._paused = [entry for entry in self._paused if entry[2].key != key]
        heapq.heapify(self._paused)  # a heap from which entries were taken is none any more

    # Asked anew each time: with one more loss an attempt may have become exclusive.
    def _line_of(self, attempt: TaskAttempt) -> deque[TaskAttempt]:
        return self._exclusive if attempt.exclusive else self._ready

    # Lazily: a plan of millions of tasks is never all in memory, and a run that ends early has not read it.
    def _read(self, count: int) -> None:
        """Have `count` new attempts, as far as there are tasks."""
        while len(self._new) < count:
            try:
                task = next(self._tasks)
            except StopIteration:
                break
            self._new.append(TaskAttempt(task, task.payload))
