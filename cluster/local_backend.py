"""One worker in this very process: the same events as on a cluster, nothing to install.

What it is asked is done while the scheduler waits. A task cannot take its worker down without the whole process.
"""

import itertools
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.backend import Call, Outcome
from cluster.pool import (
    Classify,
    Control,
    Node,
    StagedFunction,
    WorkerFactory,
    blame_task,
    items_done,
    no_control,
)
from cluster.scheduler import Scheduler
from cluster.worker_process import Cancelled, Done, Failure

_NAP_S = 0.05


def local_pool(
    factory: WorkerFactory, *, classify: Classify = blame_task, control: Control = no_control
) -> Scheduler:
    """A pool of one worker in this process, made when the first task comes (see `cluster.pool.Pool`)."""
    return _LocalPool(LocalBackend(factory), classify, control)


class _LocalPool(Scheduler):
    """A scheduler whose worker is asked itself how far it is, for it cannot answer questions while it computes."""

    def __init__(self, backend: "LocalBackend", classify: Classify, control: Control) -> None:
        super().__init__(backend, workers=1, classify=classify, control=control)
        self._local = backend

    def items_in_hand(self) -> int:
        return self._local.items_done()


class _BrokenOffError(BaseException):
    """The run was interrupted while this process computed."""


class LocalBackend:
    """See `cluster.backend.Backend`: the place for a single worker.

    Args:
        factory: makes the worker function; an exception that it raises is the caller's, as it is.
    """

    def __init__(self, factory: WorkerFactory) -> None:
        self._worker = _LocalWorker(factory)

    def now(self) -> float:
        """The monotonic clock of this process, in seconds."""
        return time.monotonic()

    def tasks_per_worker(self) -> int:
        """One: fetching, computing and storing take turns in one process."""
        return 1

    def items_done(self) -> int:
        """How far the worker is with what it computes; may be asked from any thread."""
        return self._worker.items_done()

    def start_worker(self, name: str) -> "_LocalWorker":
        """The worker itself, under whatever name: there is only this process."""
        del name
        return self._worker

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        """Do what the first of the calls asks for, however long that takes."""
        for call in calls:
            answer = self._worker.questions.pop(call, None)
            if answer is not None:
                return [(call, answer())]
        # Nothing is due: an attempt is paused. Short naps, for nobody wakes this process when a signal comes.
        time.sleep(min(timeout_s, _NAP_S))
        return []

    def is_node_lost(self, node: Node) -> bool:
        """Never: this process would be lost with its node."""
        del node
        return False

    def capacity(self) -> int:
        """One worker, which is this process."""
        return 1

    def describe_capacity(self) -> str:
        """That there is no other place."""
        return "this process is the only worker"

    def interrupt(self) -> None:
        """Break off what is computed; what is being stored goes on, in the handler's caller."""
        self._worker.interrupt()

    def close(self) -> None:
        """Let go of the worker function with all that it holds."""
        self._worker.stop()


@dataclass(eq=False)
class _LocalWorker:
    """See `cluster.backend.Worker`; a question that was asked is a function that answers it when it is waited for."""

    factory: WorkerFactory
    questions: dict[Call, Callable[[], Outcome]] = field(default_factory=dict)
    _function: StagedFunction | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _interrupted: bool = False
    _computing: bool = False

    def items_done(self) -> int:
        return items_done(self._function) if self._computing else 0

    def ping(self) -> Call:
        hostname = platform.node()
        return self._ask(lambda: Done(Node(hostname, hostname), 0.0))

    def build(self) -> Call:
        return self._ask(self._build)

    def apply(self, payload: Any) -> Call:
        return self._ask(lambda: self._apply(payload))

    def drain(self) -> Call:
        return self._ask(lambda: Done(None, 0.0))

    def stop(self) -> None:
        self._function = None
        self.questions.clear()

    def interrupt(self) -> None:
        self._interrupted = True
        if self._computing:
            # Raised once, out of the signal's handler and into `compute`: a second signal must not break the way out.
            self._computing = False
            raise _BrokenOffError

    def _ask(self, answer: Callable[[], Outcome]) -> Call:
        call = next(self._numbers)
        self.questions[call] = answer
        return call

    def _build(self) -> Outcome:
        began = time.perf_counter()
        self._function = self.factory()
        return Done(None, time.perf_counter() - began)

    def _apply(self, payload: Any) -> Outcome:
        function = self._function
        if function is None or self._interrupted:
            return Cancelled()
        began = time.perf_counter()
        try:
            computed = self._compute(function, payload)
            seconds = time.perf_counter() - began
            return Done(function.finish(computed), seconds)
        except _BrokenOffError:
            return Cancelled()
        except Exception as error:  # noqa: BLE001 - the scheduler decides what a task's own error means
            return Failure(None, "", error)

    def _compute(self, function: StagedFunction, payload: Any) -> Any:
        try:
            self._computing = True
            return function.compute(function.prepare(payload))
        finally:
            self._computing = False
