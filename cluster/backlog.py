"""The tasks that no worker has yet, and how often each has been begun. Knows no engine."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from cluster.pool import Task


@dataclass(frozen=True)
class Attempt:
    """A task about to be begun for the `number`th time, counted from 1."""

    task: Task
    number: int = 1


class Backlog:
    """Tasks to be tried again come first, then the rest of the iterable, which is only read as far as asked for."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = iter(tasks)
        self._waiting: deque[Attempt] = deque()

    def look_ahead(self, count: int) -> int:
        """How many tasks wait, counted up to `count`; no more than that are read from the iterable."""
        while len(self._waiting) < count:
            try:
                self._waiting.append(Attempt(next(self._tasks)))
            except StopIteration:
                break
        return min(len(self._waiting), count)

    def take(self) -> Attempt:
        """The next task; there must be one."""
        self.look_ahead(1)
        return self._waiting.popleft()

    def give_back(self, attempt: Attempt) -> None:
        """Put a task before all others."""
        self._waiting.appendleft(attempt)
