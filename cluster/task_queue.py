"""Tasks on their way: who waits for a worker, how often each has failed, and when it may be tried again.

Knows tasks and seconds. Knows no workers.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cluster.bisection import SINGLE_FAILURES
from cluster.pool import MAX_ATTEMPTS, Task

MAX_UNCOUNTED = 10
"""After so many losses that were not its fault, a task runs alone, and losses count."""


@dataclass(eq=False)
class Fate:
    """What all errands of one task share.

    Attributes:
        settled: the task has ended; what is still under way is of no use.
        searches: how often it was taken apart.
    """

    settled: bool = False
    searches: int = 0


@dataclass(frozen=True)
class Setback:
    """A failure that was counted.

    Attributes:
        machine: where.
        reason: on one line.
        raised: an exception, which says more than a death.
    """

    machine: str
    reason: str
    raised: bool


@dataclass(eq=False)
class Errand:
    """A task, or a part of one that is probed, with what has befallen it.

    Attributes:
        task: which.
        payload: what a worker is given.
        fate: shared with the other errands of the task.
        probe: the items that are probed; None for the whole.
        counted: failures for which nothing but the errand is to blame.
        uncounted: losses with machines.
        storage: failures of storage.
        beside_death: its worker died while another task was before it.
        has_copy: it was given to a second worker while a first was at it.
        lost_on: the machine of the worker that died at it, until it is known whether the machine is gone too.
        lost_with_machine: it is known already.
        avoided: the worker at which it failed last.
        avoided_machine: the machine of that.
        avoided_until_s: when it may go there again in any case.
        reason: of the last failure, on one line.
        error: the last exception.
        setbacks: all failures that were counted, in their order.
    """

    task: Task
    payload: object
    fate: Fate = field(default_factory=Fate)
    probe: range | None = None
    counted: int = 0
    uncounted: int = 0
    storage: int = 0
    beside_death: bool = False
    has_copy: bool = False
    lost_on: str | None = None
    lost_with_machine: bool = False
    avoided: str = ""
    avoided_machine: str = ""
    avoided_until_s: float = 0.0
    reason: str = ""
    error: BaseException | None = None
    setbacks: list[Setback] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The task's."""
        return self.task.key

    @property
    def settled(self) -> bool:
        """Whether its task has ended."""
        return self.fate.settled

    @property
    def failures(self) -> int:
        """Of all kinds."""
        return self.counted + self.uncounted + self.storage

    @property
    def alone_on_worker(self) -> bool:
        """Whether nothing else may be at its worker, so that another death is put to the right account."""
        return self.failures > 0 or self.beside_death

    @property
    def solitary(self) -> bool:
        """Whether nothing else at all may run beside it."""
        return self.uncounted >= MAX_UNCOUNTED

    @property
    def is_spent(self) -> bool:
        """Whether it has failed often enough to be at fault."""
        if self.probe is None:
            return self.counted >= MAX_ATTEMPTS
        return self.counted >= (SINGLE_FAILURES if len(self.probe) == 1 else 1)


class Backlog:
    """Errands that no worker has: those given back first, then those whose pause is over, then the rest of the tasks.

    The iterable is only read as far as asked for.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._ready: deque[Errand] = deque()
        self._solitary: deque[Errand] = deque()
        self._fresh: deque[Errand] = deque()
        self._pausing: list[tuple[float, int, Errand]] = []
        self._numbers = itertools.count()

    def look_ahead(self, count: int) -> int:
        """How many errands may be begun now, counted up to `count`; no more than that are read from the iterable."""
        self._read(count - len(self._ready))
        return min(len(self._ready) + len(self._fresh), count)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, not even for its pause to end or for all others."""
        return not self._pausing and not self._solitary and not self.look_ahead(1)

    @property
    def waiting(self) -> int:
        """Errands that have been read or given back, whether or not their pause is over."""
        return len(self._ready) + len(self._fresh) + len(self._pausing) + len(self._solitary)

    @property
    def wants_empty_worker(self) -> bool:
        """Whether one waits that has to be alone on its worker."""
        return any(errand.alone_on_worker for errand in self._ready)

    def take(self, fits: Callable[[Errand], bool]) -> Errand | None:
        """The next errand that fits, if there is one."""
        for errand in self._ready:
            if fits(errand):
                self._ready.remove(errand)
                return errand
        self._read(1)
        return self._fresh.popleft() if self._fresh and fits(self._fresh[0]) else None

    def put_first(self, errand: Errand) -> None:
        """Let it be the next; or when there is nothing else, if it must be solitary."""
        (self._solitary if errand.solitary else self._ready).appendleft(errand)

    def put(self, errand: Errand) -> None:
        """Let it be begun soon; or when there is nothing else, if it must be solitary."""
        (self._solitary if errand.solitary else self._ready).append(errand)

    def take_solitary(self) -> Errand | None:
        """One that must run when nothing else does, if there is nothing else that waits."""
        if not self._solitary or self._pausing or self.look_ahead(1):
            return None
        return self._solitary.popleft()

    def pause(self, errand: Errand, until_s: float) -> None:
        """Let it not be begun before that time."""
        heapq.heappush(self._pausing, (until_s, next(self._numbers), errand))

    def rested(self, now_s: float) -> list[Errand]:
        """Take out the errands whose pause is over."""
        found = []
        while self._pausing and self._pausing[0][0] <= now_s:
            found.append(heapq.heappop(self._pausing)[2])
        return found

    def next_rest_ends_s(self) -> float | None:
        """When the first pause ends."""
        return self._pausing[0][0] if self._pausing else None

    def forget(self, key: str) -> None:
        """Take out all errands of a task."""
        self._ready = deque(errand for errand in self._ready if errand.key != key)
        self._solitary = deque(errand for errand in self._solitary if errand.key != key)
        self._pausing = [entry for entry in self._pausing if entry[2].key != key]
        heapq.heapify(self._pausing)

    def _read(self, count: int) -> None:
        """Have `count` fresh errands, as far as there are tasks."""
        while len(self._fresh) < count:
            try:
                task = next(self._tasks)
            except StopIteration:
                break
            self._fresh.append(Errand(task, task.payload))
