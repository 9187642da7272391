"""The pool of workers on Ray, on this machine or on a cluster. The only file that imports Ray.

Each worker is an actor. Knows how actors start, die and come back; does not know what they compute. Only the factory,
payloads and results pass through Ray: large data never do.
"""

import logging
import math
import os
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import ray  # noqa: TID251 - this is the file
from ray import cloudpickle  # noqa: TID251
from ray._private import ray_constants  # noqa: TID251 - see _start_local
from ray.exceptions import (  # noqa: TID251
    ActorDiedError,
    ActorUnavailableError,
    ActorUnschedulableError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
)

from cluster.backlog import Attempt, Backlog
from cluster.pool import (
    MAX_ATTEMPTS,
    Event,
    PoolError,
    PoolNotice,
    Task,
    TaskDone,
    TaskFailed,
    TaskStarted,
    WorkerFactory,
    WorkerLost,
    WorkerReady,
)
from cluster.replica import Done, Failure, Replica

_IN_FLIGHT = 2  # of one worker: a running task, and one that waits in its process and so begins without a gap
_LOOPBACK = "127.0.0.1"
_OBJECT_STORE_BYTES = 100 * 2**20  # nothing large passes; Ray's default would reserve a third of the memory
_REST_S = 0.5  # between two calls to a worker that is coming back
_PATIENCE_S = 60.0  # without any worker, before saying what is waited for
_TICK_S = 1.0
_KNOCK_S = 10.0


@dataclass
class _Worker:
    """The driver's view of one worker: its actor, and the calls it has not answered.

    It goes through `called` (is anyone there?), `building` and `ready`; after a death it is `resting`, then called.
    """

    name: str
    actor: Any
    state: str = "resting"
    probe: Any = None
    probe_at_s: float = 0.0
    deaths_in_setup: int = 0
    calls: deque[tuple[Attempt, Any]] = field(default_factory=deque)

    def awaited(self) -> Any:
        """The answer that comes next; an actor works in the order of its calls."""
        if self.calls:
            return self.calls[0][1]
        return self.probe

    def call(self) -> None:
        self.state, self.probe = "called", self.actor.ping.remote()

    def rest(self, backlog: Backlog) -> None:
        """Give back what was not begun, and be left alone for a while."""
        while self.calls:
            backlog.give_back(self.calls.pop()[0])
        self.state, self.probe = "resting", None
        self.probe_at_s = time.monotonic() + _REST_S

    def submit(self, attempt: Attempt) -> None:
        self.calls.append((attempt, self.actor.apply.remote(attempt.task.payload)))

    def has_room(self, limit: int) -> bool:
        return self.state == "ready" and len(self.calls) < limit


class RayPool:
    """Workers on Ray.

    Where this process is connected to Ray already, that connection is used and left open. Otherwise the pool starts
    Ray on this machine, or connects to a cluster, and undoes that when closed. Ray on this machine listens on loopback
    only and serves no dashboard; its token authentication stays as Ray has it (on by default).

    A worker has at most two tasks, and at most one task for each worker is read ahead: no more than three for each
    worker have been taken from the iterable and not finished. When a worker dies, the task that it was at counts the
    attempt; the one waiting behind it does not. Both are tried again, on other workers where there are any; the
    worker is given nothing until it has come back.

    Ray sets OMP_NUM_THREADS in each worker to `cpus_per_worker` (rounded down, at least 1) unless the environment has
    it already; torch takes its number of threads from there.

    Attributes:
        workers: how many, at most. On this machine, fewer where no more fit; on a cluster, those that do not fit wait
            for nodes to be added.
        address: `local`, `auto` (the cluster of this machine), or the address of a cluster.
        cpus_per_worker: CPUs reserved for each; fractions are allowed.
        gpus_per_worker: GPUs reserved for each; fractions share one.
        memory_bytes_per_worker: host memory reserved for each (a reservation, not a limit).

    Raises:
        PoolError: when no cluster answers, or `local` is asked for and this machine cannot hold a single worker.
    """

    def __init__(
        self,
        factory: WorkerFactory,
        *,
        workers: int,
        address: str,
        cpus_per_worker: float,
        gpus_per_worker: float = 0,
        memory_bytes_per_worker: int | None = None,
    ) -> None:
        if workers < 1:
            raise PoolError(f"a pool of {workers} workers: ask for at least 1")
        self._pickled_factory = cloudpickle.dumps(factory)
        self._asked = {"CPU": cpus_per_worker, "GPU": gpus_per_worker, "memory": memory_bytes_per_worker or 0}
        self._size = workers
        self._notices: list[str] = []
        self._workers: list[_Worker] = []
        self._made = 0
        self._closed = False
        self._connected_here = _connect(address)
        try:
            if address == "local":
                self._fit_to_machine()
        except BaseException:
            self.close()
            raise

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Work through the tasks (see `cluster.pool.Pool.run`); leaving the loop early stops the workers."""
        if self._closed:
            raise PoolError("the pool is closed: make a new one")
        backlog = Backlog(tasks)
        self._hire(backlog.look_ahead(self._size))
        alone_since_s = time.monotonic()
        try:
            while backlog.look_ahead(1) or any(worker.calls for worker in self._workers):
                yield from self._notify()
                yield from self._assign(backlog)
                for worker in self._wait():
                    yield from self._hear(worker, backlog)
                alone_since_s = self._mind_absence(alone_since_s)
        except BaseException:
            self._dismiss()  # whatever they were at, nobody waits for it any more
            raise

    def close(self) -> None:
        """Stop the workers; end Ray, or the connection to it, where this pool began it."""
        self._dismiss()
        if self._connected_here and ray.is_initialized():
            ray.shutdown()
        self._connected_here = False
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _fit_to_machine(self) -> None:
        """Take no more workers than this machine holds: here, unlike on a cluster, waiting would not help."""
        has = ray.cluster_resources()
        per_kind = [math.floor(has.get(kind, 0) / amount) for kind, amount in self._asked.items() if amount]
        fitting = min([self._size, *per_kind])
        if fitting < 1:
            raise PoolError(
                f"a worker asks for {_amounts(self._asked)}, and Ray finds {_amounts(has)} on this machine. "
                "Ask for less, or give the address of a cluster that has it."
            )
        if fitting < self._size:
            self._notices.append(
                f"{self._size} workers are asked for and {fitting} fit: each takes {_amounts(self._asked)}, "
                f"and this machine has {_amounts(has)}"
            )
            self._size = fitting

    def _hire(self, count: int) -> None:
        while len(self._workers) < count:
            worker = _Worker(f"worker-{self._made}", self._actor())
            self._made += 1
            self._workers.append(worker)
            worker.call()

    def _actor(self) -> Any:
        options = {"num_cpus": self._asked["CPU"], "num_gpus": self._asked["GPU"], "memory": self._asked["memory"]}
        # Ray brings dead actors back; their tasks are tried again here, where attempts are counted.
        return ray.remote(Replica).options(**options, max_restarts=-1, max_task_retries=0).remote()

    def _dismiss(self) -> None:
        workers, self._workers = self._workers, []
        if ray.is_initialized():
            for worker in workers:
                ray.kill(worker.actor, no_restart=True)

    def _notify(self) -> Iterator[Event]:
        while self._notices:
            yield PoolNotice(self._notices.pop(0))

    def _assign(self, backlog: Backlog) -> Iterator[Event]:
        for limit in range(1, _IN_FLIGHT + 1):
            # The last tasks are not made to wait behind others while a worker might get free.
            reserve = 1 if limit == 1 else len(self._workers)
            for worker in self._workers:
                if worker.has_room(limit) and backlog.look_ahead(reserve) == reserve:
                    worker.submit(backlog.take())
                    if len(worker.calls) == 1:
                        yield TaskStarted(worker.calls[0][0].task.key, worker.name)

    def _wait(self) -> list[_Worker]:
        """The workers from which something came within a moment; calls those that have rested."""
        now_s = time.monotonic()
        for worker in self._workers:
            if worker.state == "resting" and now_s >= worker.probe_at_s:
                worker.call()
        awaited = {worker.awaited(): worker for worker in self._workers if worker.awaited() is not None}
        if not awaited:
            time.sleep(_REST_S)
            return []
        resting = any(worker.state == "resting" for worker in self._workers)
        ray.wait(list(awaited), num_returns=1, timeout=_REST_S if resting else _TICK_S)
        answered, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        return [awaited[answer] for answer in answered]

    def _hear(self, worker: _Worker, backlog: Backlog) -> Iterator[Event]:
        try:
            answer = ray.get(worker.awaited())
        except RayTaskError as error:  # around the worker's function: a payload or result that cannot be pickled
            answer = Failure(None, str(error))
        except RayError as error:
            yield from self._lost(worker, error, backlog)
            return
        if answer is None:  # its process died and came back unnoticed, so it had not begun
            worker.rest(backlog)
            yield WorkerLost(worker.name, "its process died between two tasks")
        elif worker.state == "ready":
            yield from self._finished(worker, answer)
        else:
            yield from self._advance(worker, answer)

    def _advance(self, worker: _Worker, answer: Any) -> Iterator[Event]:
        """A step towards being ready."""
        if isinstance(answer, Failure):
            raise answer.exception(f"the set-up of {worker.name}")
        if worker.state == "called":
            worker.state, worker.probe = "building", worker.actor.build.remote(self._pickled_factory)
            return
        worker.state, worker.probe, worker.deaths_in_setup = "ready", None, 0
        yield WorkerReady(worker.name, answer.value)

    def _finished(self, worker: _Worker, answer: Done | Failure) -> Iterator[Event]:
        attempt, _ = worker.calls.popleft()
        key = attempt.task.key
        if isinstance(answer, Done):
            yield TaskDone(key, worker.name, answer.value, answer.seconds)
        else:
            yield TaskFailed(key, worker.name, answer.exception(f"{worker.name}, {key}"), attempt.number)
        if worker.calls:
            yield TaskStarted(worker.calls[0][0].task.key, worker.name)

    def _lost(self, worker: _Worker, error: RayError, backlog: Backlog) -> Iterator[Event]:
        state, reason = worker.state, _reason(error)
        if state != "ready":
            worker.rest(backlog)
            yield from self._lost_in_setup(worker, state, error)
            return
        begun, _ = worker.calls.popleft()
        worker.rest(backlog)
        yield WorkerLost(worker.name, reason)
        if begun.number < MAX_ATTEMPTS:
            backlog.give_back(Attempt(begun.task, begun.number + 1))
        else:
            yield _given_up(worker, begun, reason)

    def _lost_in_setup(self, worker: _Worker, state: str, error: RayError) -> Iterator[Event]:
        """No answer from a worker that is not ready: it is still coming back, or died again."""
        if isinstance(error, ActorUnavailableError) and state == "called":
            return
        reason = _reason(error)
        hopeless = isinstance(error, ActorUnschedulableError | RuntimeEnvSetupError)
        if hopeless or (isinstance(error, ActorDiedError) and error.actor_init_failed):
            raise PoolError(
                f"{worker.name} cannot be started: {reason}. Is the same code, with what it imports, on every node?"
            )
        yield WorkerLost(worker.name, f"died while it was set up: {reason}")
        worker.deaths_in_setup += 1
        if worker.deaths_in_setup == MAX_ATTEMPTS:
            raise PoolError(
                f"{worker.name} died {MAX_ATTEMPTS} times while it was set up, the last time because: {reason}. "
                "Most often its machine runs out of memory: take fewer workers, or give each more."
            )
        if state == "called":  # Ray has given it up
            worker.actor = self._actor()

    def _mind_absence(self, alone_since_s: float) -> float:
        """Say what is missing when no worker has been placed for long; returns since when that has been so."""
        now_s = time.monotonic()
        if any(worker.state in ("building", "ready") for worker in self._workers):
            return now_s
        if now_s - alone_since_s < _PATIENCE_S:
            return alone_since_s
        self._notices.append(
            f"no worker for {_PATIENCE_S:.0f} s: each asks for {_amounts(self._asked)}; "
            f"the whole cluster has {_amounts(ray.cluster_resources())}, and {_amounts(ray.available_resources())} of "
            "that free. The run goes on when a node that fits is free or added."
        )
        return now_s


def _given_up(worker: _Worker, attempt: Attempt, reason: str) -> TaskFailed:
    error = PoolError(
        f"{attempt.task.key}: {MAX_ATTEMPTS} workers died at it, the last, {worker.name}, because {reason}. "
        "If it needs more memory than it gets, take fewer workers or smaller tasks."
    )
    return TaskFailed(attempt.task.key, worker.name, error, attempt.number)


def _connect(address: str) -> bool:
    """Connect this process to Ray unless it is connected; says whether that was done here."""
    if ray.is_initialized():
        return False
    try:
        if address == "local":
            _start_local()
        else:
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        ray.shutdown()
        remedy = "free memory and disk under /tmp" if address == "local" else "check the address and `ray status` there"
        raise PoolError(f"Ray at {address!r} cannot be reached or started: {error}\nPlease {remedy}.") from error
    return True


def _knock(address: str) -> None:
    """Raise OSError when nothing listens there; Ray itself would try for a minute, then end the process."""
    host, colon, port = address.rpartition(":")
    if colon and "://" not in address:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()


def _start_local() -> None:
    """Start Ray for this process alone.

    Ray replaces a loopback address by the machine's own, and then listens on every interface, unless it takes the
    system for one without cluster support (as on macOS); the flag says so while it starts.
    """
    had = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        ray.init(
            address="local",
            num_cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address=_LOOPBACK,
        )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = had


def _amounts(resources: Mapping[str, float]) -> str:
    cpus, gpus, memory_bytes = (resources.get(kind, 0) for kind in ("CPU", "GPU", "memory"))
    return f"{cpus:g} CPU, {gpus:g} GPU, {memory_bytes / 2**30:.1f} GiB memory"


def _reason(error: RayError) -> str:
    """What took a worker, on one line."""
    text = " ".join(str(error).split())
    if isinstance(error, ActorUnavailableError):  # Ray knows no more than a closed connection
        return "its process or its machine is gone"
    return text[:500]
