"""The fleet of workers on Ray, on this machine or on a cluster. The only file that imports Ray.

Each worker is an actor. Knows how actors start, die and come back; does not know what they compute, nor which task is
whose turn. Only the factory, payloads and results pass through Ray: large data never do.
"""

import logging
import math
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray  # noqa: TID251 - this is the file
from ray import cloudpickle  # noqa: TID251
from ray._private import ray_constants  # noqa: TID251 - see _start_local
from ray._private.state import state  # noqa: TID251 - nowhere else is it said which nodes are about to go
from ray.exceptions import (  # noqa: TID251
    ActorDiedError,
    ActorUnavailableError,
    ActorUnschedulableError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
)
from ray.util.metrics import Counter, Gauge, Histogram  # noqa: TID251

from cluster.backend import Call, Gone, Outcome
from cluster.pool import (
    Classify,
    Divisible,
    Event,
    PoolError,
    PoolNotice,
    Task,
    TaskDone,
    TaskFailed,
    TaskRetried,
    WorkerFactory,
    blame_task,
)
from cluster.scheduler import Scheduler
from cluster.worker_process import Done, Failure, Replica

_EVERY_S = 5.0

_PATIENCE_S = 40.0  # a head may be begun anew; after a minute, Ray ends this very process

_KNOCK_QUICK_S = 2.0


def knock(address: str, *, timeout_s: float = _KNOCK_QUICK_S) -> None:
    """Raise OSError when nothing listens at `host:port`."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()


class Head:
    """Watches an address from time to time.

    Where it cannot be reached from here in the first place, as through a proxy, it is not watched.

    Args:
        address: `host:port`.
        clock: seconds that only grow.
    """

    def __init__(self, address: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._silent_since_s: float | None = None
        self._knocked_s = clock()
        self._watched = self._answers()

    def answers(self) -> bool:
        """Whether it does, asked anew every few seconds."""
        now_s = self._clock()
        if self._watched and now_s - self._knocked_s >= _EVERY_S:
            self._knocked_s = now_s
            if self._answers():
                self._silent_since_s = None
            elif self._silent_since_s is None:
                self._silent_since_s = now_s
        return self._silent_since_s is None

    def check(self) -> None:
        """Raise PoolError when it has been silent for long."""
        if not self.answers() and self._silent_since_s is not None:
            silent_s = self._clock() - self._silent_since_s
            if silent_s >= _PATIENCE_S:
                raise PoolError(
                    f"the head of the cluster, {self._address}, has not answered for {silent_s:.0f} s. What is "
                    "committed stays: run the same command again when the cluster is back."
                )

    def _answers(self) -> bool:
        try:
            knock(self._address)
        except (OSError, ValueError):
            return False
        return True


_TASKS_AT_ONCE = 3

_THREADS = 2 * _TASKS_AT_ONCE  # of a worker: its tasks, and questions beside them

_LOOPBACK = "127.0.0.1"

_OBJECT_STORE_BYTES = (
    100 * 2**20
)  # nothing large passes; Ray's default would reserve a third of the memory

_KNOCK_S = 10.0

_NODE_S = 2.0

_SECONDS = (1, 3, 10, 30, 100, 300, 1000, 3000)


class RayPool(Scheduler):
    """Workers on Ray.

    Where this process is connected to Ray already, that connection is used and left open. Otherwise the pool starts
    Ray on this machine, or connects to a cluster, and undoes that when closed. Ray on this machine listens on loopback
    only and serves no dashboard; its token authentication stays as Ray has it (on by default).

    Ray sets OMP_NUM_THREADS in each worker to `cpus_per_worker` (rounded down, at least 1) unless the environment has
    it already; torch takes its number of threads from there.

    Args:
        factory: makes the worker function.
        workers: how many, at most; None for as many as the machines hold, also those that join later. On this machine,
            fewer where no more fit; on a cluster, those that do not fit wait for nodes to be added.
        address: `local`, `auto` (the cluster of this machine), or the address of a cluster.
        cpus_per_worker: CPUs reserved for each; fractions are allowed.
        gpus_per_worker: GPUs reserved for each; fractions share one.
        memory_bytes_per_worker: host memory reserved for each (a reservation, not a limit).
        classify: whose fault an exception is.
        twins: whether slow tasks may be run twice.

    Raises:
        PoolError: when no cluster answers, or `local` is asked for and this machine cannot hold a single worker.
    """

    def __init__(
        self,
        factory: WorkerFactory,
        *,
        workers: int | None,
        address: str,
        cpus_per_worker: float,
        gpus_per_worker: float = 0,
        memory_bytes_per_worker: int | None = None,
        classify: Classify = blame_task,
        twins: bool = True,
    ) -> None:
        if workers is not None and workers < 1:
            raise PoolError(f"a pool of {workers} workers: ask for at least 1")
        if not cpus_per_worker and not gpus_per_worker:
            raise PoolError(
                "workers that ask for no CPU and no GPU: there would be no end of them. Ask for a share"
            )
        asked = {
            "CPU": cpus_per_worker,
            "GPU": gpus_per_worker,
            "memory": memory_bytes_per_worker or 0,
        }
        fleet = _RayFleet(cloudpickle.dumps(factory), asked, _connect(address))
        try:
            fitting, self._notices = fleet.fitting(workers) if address == "local" else (workers, [])
        except BaseException:
            fleet.close()
            raise
        self._metrics = _Metrics()
        super().__init__(fleet, workers=fitting, classify=classify, twins=twins)

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Work through the tasks (see `cluster.pool.Pool.run`), and tell Ray's metrics how it goes."""
        yield from self._notices
        self._notices = []
        try:
            for event in super().run(self._metrics.sized(tasks)):
                self._metrics.observe(event, waiting=self.waiting)
                yield event
        except RayError as error:
            raise PoolError(
                f"the cluster is gone: {_told(error)}. What is committed stays: "
                "run the same command again when it is back."
            ) from error

    def report(self, name: str, value: float) -> None:
        """Show a further figure among Ray's metrics."""
        self._metrics.report(name, value)


@dataclass(frozen=True)
class _RayWorker:
    """An actor."""

    actor: Any
    pickled_factory: bytes
    head: Head

    def ping(self) -> Call:
        return self.actor.ping.remote()

    def build(self) -> Call:
        return self.actor.build.remote(self.pickled_factory)

    def apply(self, payload: Any) -> Call:
        return self.actor.apply.remote(payload)

    def drain(self) -> Call:
        return self.actor.drain.remote()

    def dismiss(self) -> None:
        if ray.is_initialized() and self.head.answers():  # else this would wait for it
            ray.kill(self.actor, no_restart=True)


class ReplicaOnRay(Replica):
    """A replica that knows its node."""

    def ping(self) -> str:
        """The node's identifier, as a sign of life."""
        return str(ray.get_runtime_context().get_node_id())


class _RayFleet:
    """See `cluster.backend.Fleet`; `connected_here` says who ends Ray, or the connection to it."""

    tasks_at_once = _TASKS_AT_ONCE

    def __init__(
        self, pickled_factory: bytes, asked: Mapping[str, float], connected_here: bool
    ) -> None:
        self._pickled_factory = pickled_factory
        self._asked = asked
        self._connected_here = connected_here
        self._head = Head(ray.get_runtime_context().gcs_address)
        self._capacity = 0

    def now(self) -> float:
        return time.monotonic()

    def hire(self, name: str) -> _RayWorker:
        del name
        options = {
            "num_cpus": self._asked["CPU"],
            "num_gpus": self._asked["GPU"],
            "memory": self._asked["memory"],
        }
        # Ray brings dead actors back; their tasks are tried again by the scheduler, where attempts are counted.
        actor = ray.remote(ReplicaOnRay).options(
            **options, max_restarts=-1, max_task_retries=0, max_concurrency=_THREADS
        )
        return _RayWorker(actor.remote(), self._pickled_factory, self._head)

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        self._head.check()
        if not calls:
            time.sleep(timeout_s)
            return []
        ray.wait([*calls], num_returns=1, timeout=timeout_s)
        answered, _ = ray.wait([*calls], num_returns=len(calls), timeout=0)
        return [(call, _outcome(call)) for call in answered]

    def is_machine_lost(self, machine: str) -> bool:
        """Asks the node itself too: Ray takes some 15 s to notice that one is gone, longer than the task rests."""
        if not self._head.answers():
            return True  # nobody can tell
        alive = any(_is_there(node) for node in ray.nodes() if node["NodeID"] == machine)
        return not alive or machine in state.get_draining_nodes()

    def capacity(self) -> int:
        if self._head.answers():
            self._capacity = sum(
                self._holds(node["Resources"]) for node in ray.nodes() if node["Alive"]
            )
        return self._capacity

    def shortage(self) -> str:
        if not self._head.answers():
            return "the head of the cluster does not answer"
        return (
            f"each asks for {_amounts(self._asked)}; the whole cluster has {_amounts(ray.cluster_resources())}, "
            f"and {_amounts(ray.available_resources())} of that free"
        )

    def fitting(self, workers: int | None) -> tuple[int, list[Event]]:
        """How many of the workers asked for this machine holds, where waiting for more would not help."""
        has = ray.cluster_resources()
        holds = self._holds(has)
        if holds < 1:
            raise PoolError(
                f"a worker asks for {_amounts(self._asked)}, and Ray finds {_amounts(has)} on this machine. "
                "Ask for less, or give the address of a cluster that has it."
            )
        if workers is None or workers <= holds:
            return workers or holds, []
        text = (
            f"{workers} workers are asked for and {holds} fit: each takes {_amounts(self._asked)}, "
            f"and this machine has {_amounts(has)}"
        )
        return holds, [PoolNotice(text)]

    def interrupt(self) -> None:
        """Nothing is computed in this process."""

    def close(self) -> None:
        if self._connected_here and ray.is_initialized():
            ray.shutdown()
        self._connected_here = False

    def _holds(self, resources: Mapping[str, float]) -> int:
        shares = (resources.get(kind, 0) / amount for kind, amount in self._asked.items() if amount)
        return min(math.floor(share + 1e-6) for share in shares)  # a GPU in tenths holds ten


def _is_there(node: Mapping[str, Any]) -> bool:
    """Whether a node lives as far as Ray knows, and takes connections."""
    if not node["Alive"]:
        return False
    try:
        knock(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}", timeout_s=_NODE_S)
    except OSError:
        return False
    return True


def _outcome(call: Any) -> Outcome:
    try:
        answer = ray.get(call)
    except (
        RayTaskError
    ) as error:  # around the worker's function: a payload or result that cannot be pickled
        return Failure(None, str(error))
    except RayError as error:
        hopeless = isinstance(error, ActorUnschedulableError | RuntimeEnvSetupError) or (
            isinstance(error, ActorDiedError) and error.actor_init_failed
        )
        return Gone(
            _told(error),
            hopeless=hopeless,
            with_machine=bool(getattr(error, "preempted", False)),
            coming_back=isinstance(error, ActorUnavailableError),
        )
    return Done(answer, 0.0) if isinstance(answer, str) else answer


class _Metrics:
    """What Ray's metrics show of a run; where they cannot be exported, Ray drops them by itself."""

    def __init__(self) -> None:
        self._items = Counter("enformer_ray_items_done", "Variants or tiles done.")
        self._tasks = Counter("enformer_ray_shards_done", "Shards done.")
        self._seconds = Histogram(
            "enformer_ray_shard_seconds", "Time to compute a shard.", boundaries=[*_SECONDS]
        )
        self._retries = Counter("enformer_ray_retries", "Shards tried again.")
        self._failures = Counter("enformer_ray_shards_failed", "Shards given up in this run.")
        self._waiting = Gauge(
            "enformer_ray_queue_depth", "Shards read ahead that no worker has begun."
        )
        self._reported: dict[str, Gauge] = {}
        self._items_of: dict[str, int] = {}

    def sized(self, tasks: Iterable[Task]) -> Iterator[Task]:
        """The tasks, with the number of their items remembered until they end."""
        for task in tasks:
            self._items_of[task.key] = (
                task.payload.items if isinstance(task.payload, Divisible) else 1
            )
            yield task

    def observe(self, event: Event, *, waiting: int) -> None:
        """Count what an event says."""
        self._waiting.set(waiting)
        match event:
            case TaskDone(key=key, seconds=seconds):
                self._tasks.inc()
                self._items.inc(max(self._items_of.pop(key, 1), 1))
                self._seconds.observe(max(seconds, 1e-9))
            case TaskRetried():
                self._retries.inc()
            case TaskFailed(key=key):
                self._failures.inc()
                self._items_of.pop(key, None)
            case _:
                pass

    def report(self, name: str, value: float) -> None:
        """Show a figure under a name of its own."""
        if name not in self._reported:
            self._reported[name] = Gauge(f"enformer_ray_{name}", name.replace("_", " "))
        self._reported[name].set(value)


def _connect(address: str) -> bool:
    """Connect this process to Ray unless it is connected; says whether that was done here."""
    if ray.is_initialized():
        return False
    try:
        if address == "local":
            _start_local()
        else:
            if ":" in address and "://" not in address:
                knock(
                    address, timeout_s=_KNOCK_S
                )  # Ray itself would try for a minute, then end the process
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        ray.shutdown()
        remedy = (
            "free memory and disk under /tmp"
            if address == "local"
            else "check the address and `ray status` there"
        )
        raise PoolError(
            f"Ray at {address!r} cannot be reached or started: {error}\nPlease {remedy}."
        ) from error
    return True


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
            num_cpus=len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
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


def _told(error: RayError) -> str:
    """What took a worker, on one line."""
    text = " ".join(str(error).split())
    if isinstance(error, ActorUnavailableError):  # Ray knows no more than a closed connection
        return "its process or its machine is gone"
    return text[:500]
