"""One worker in this very process: the same events as on a cluster, nothing to install.

What it is asked is done while the scheduler waits. A task cannot take its worker down without the whole process.
"""

import itertools
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.backend import Call, Outcome
from cluster.pool import Classify, StagedFunction, WorkerFactory, blame_task
from cluster.scheduler import Scheduler
from cluster.worker_process import Done, Dropped, Failure

_NAP_S = 0.05


class InProcessPool(Scheduler):
    """One worker in this process, made when the first task comes (see `cluster.pool.Pool`)."""

    def __init__(self, factory: WorkerFactory, *, classify: Classify = blame_task) -> None:
        super().__init__(_InProcessFleet(factory), workers=1, classify=classify)


class _BrokenOffError(BaseException):
    """The run was interrupted while this process computed."""


@dataclass
class _InProcessFleet:
    """The fleet of one worker, which is also that worker."""

    factory: WorkerFactory
    tasks_at_once: int = 1
    _function: StagedFunction | None = None
    _asked: dict[Call, Callable[[], Outcome]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=itertools.count)
    _interrupted: bool = False
    _computing: bool = False

    def now(self) -> float:
        return time.monotonic()

    def hire(self, name: str) -> "_InProcessFleet":
        del name
        return self

    def ping(self) -> Call:
        return self._ask(lambda: Done(platform.node(), 0.0))

    def build(self) -> Call:
        return self._ask(self._build)

    def apply(self, payload: Any) -> Call:
        return self._ask(lambda: self._apply(payload))

    def drain(self) -> Call:
        return self._ask(lambda: Done(None, 0.0))

    def dismiss(self) -> None:
        self._function = None
        self._asked.clear()

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        due = [call for call in calls if call in self._asked]
        if not due:
            time.sleep(min(timeout_s, _NAP_S))
            return []
        return [(due[0], self._asked.pop(due[0])())]

    def is_machine_lost(self, machine: str) -> bool:
        del machine
        return False

    def capacity(self) -> int:
        return 1

    def shortage(self) -> str:
        return "this process is the only worker"

    def interrupt(self) -> None:
        """Break off what is computed; what is being stored goes on, in the handler's caller."""
        self._interrupted = True
        if self._computing:
            self._computing = False  # once: what follows is the way out
            raise _BrokenOffError

    def close(self) -> None:
        self.dismiss()

    def _ask(self, answer: Callable[[], Outcome]) -> Call:
        call = next(self._numbers)
        self._asked[call] = answer
        return call

    def _build(self) -> Outcome:
        self._function = self.factory()  # its error is the caller's, as it is
        return Done(platform.node(), 0.0)

    def _apply(self, payload: Any) -> Outcome:
        function = self._function
        if function is None or self._interrupted:
            return Dropped()
        began = time.perf_counter()
        try:
            computed = self._computed(function, payload)
            seconds = time.perf_counter() - began
            return Done(function.finish(computed), seconds)
        except _BrokenOffError:
            return Dropped()
        except Exception as error:  # noqa: BLE001 - the scheduler decides what a task's own error means
            return Failure(None, "", error)

    def _computed(self, function: StagedFunction, payload: Any) -> Any:
        try:
            self._computing = True
            return function.compute(function.prepare(payload))
        finally:
            self._computing = False
