"""Workers on Ray, on this machine or on a cluster. The only file that imports Ray.

Each worker is an actor. Knows how actors start, die and come back; does not know what they compute, nor which task is
whose turn. Only the factory, payloads and results pass through Ray: large data never do.
"""

import atexit
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import ray  # noqa: TID251 - this is the file
from ray import cloudpickle  # noqa: TID251
from ray._private import ray_constants, services, worker  # noqa: TID251 - see _start_local
from ray._private.state import state  # noqa: TID251 - nowhere else is it said which nodes are about to go
from ray.exceptions import (  # noqa: TID251
    ActorDiedError,
    ActorUnavailableError,
    ActorUnschedulableError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
)
from ray.util import metrics  # noqa: TID251

from cluster.backend import Call, Outcome, WorkerGone
from cluster.head_watcher import HeadWatcher, check_port, listens
from cluster.local_ray import (
    LocalHead,
    cannot_connect,
    directory_for_ray,
    end_within,
    kill_node,
    signals_kept,
)
from cluster.pool import (
    Classify,
    Control,
    Node,
    PoolError,
    PoolNotice,
    WorkerFactory,
    blame_task,
    no_control,
)
from cluster.pool_metrics import Figures, PoolMetrics
from cluster.reservation import Reservation, describe
from cluster.scheduler import Scheduler
from cluster.worker_process import Done, Failure, WorkerProcess

_TASKS_PER_WORKER = 3

_THREADS = 2 * _TASKS_PER_WORKER  # of a worker: its tasks, and questions beside them

_LOOPBACK = "127.0.0.1"

# Nothing large passes; Ray's default would reserve a third of the memory.
_OBJECT_STORE_BYTES = 100 * 2**20

_CONNECT_S = 10.0

_SHUTDOWN_S = (
    3.0  # of a Ray that is gone; its library ends this very process, without a word, after 10
)


def ray_pool(
    factory: WorkerFactory,
    *,
    workers: int | None,
    address: str,
    cpus_per_worker: float,
    gpus_per_worker: float = 0,
    memory_bytes_per_worker: int | None = None,
    classify: Classify = blame_task,
    speculative: bool = True,
    unit: str = "items",
    figures: Figures | None = None,
    control: Control = no_control,
) -> Scheduler:
    """A pool of workers on Ray.

    Where this process is connected to Ray already, that connection is used and left open. Otherwise the pool starts
    Ray on this machine, or connects to a cluster, and undoes that when closed. Ray on this machine listens on loopback
    only and serves no dashboard; its token authentication stays as Ray has it (on by default).

    Ray sets OMP_NUM_THREADS in each worker to `cpus_per_worker` (rounded down, at least 1) unless the environment has
    it already; torch takes its number of threads from there.

    Args:
        factory: makes the worker function.
        workers: how many, at most; None for as many as the nodes hold, also those that join later. On this machine,
            fewer where no more fit; on a cluster, those that do not fit wait for nodes to be added.
        address: `local`, `auto` (the cluster of this machine), or the address of a cluster.
        cpus_per_worker: CPUs reserved for each; fractions are allowed.
        gpus_per_worker: GPUs reserved for each; fractions share one.
        memory_bytes_per_worker: host memory reserved for each (a reservation, not a limit).
        classify: whose fault an exception is.
        speculative: whether slow tasks may have a second copy.
        unit: what a task's items are, in the plural, for the description of a metric.
        figures: further figures of an event, which are shown as metrics beside the pool's own.
        control: what shows whether workers can compute at all, where everything else fails.

    Raises:
        PoolError: when no cluster answers, or `local` is asked for and this machine cannot hold a single worker.
    """
    if workers is not None and workers < 1:
        raise PoolError(f"a pool of {workers} workers: ask for at least 1")
    each = Reservation(cpus_per_worker, gpus_per_worker, memory_bytes_per_worker or 0)
    pickled_factory = cloudpickle.dumps(factory)
    said = _connect(address)
    backend = RayBackend(pickled_factory, each, ends_ray=said is not None)
    notices = said or []
    if address == "local":
        try:
            workers, fewer = each.fit_on_machine(workers, ray.cluster_resources())
            notices += fewer
        except BaseException:
            backend.close()
            raise
    return Scheduler(
        backend,
        workers=workers,
        classify=classify,
        speculative=speculative,
        observers=[PoolMetrics(unit, figures, metrics)],
        notices=notices,
        control=control,
    )


@contextmanager
def _as_pool_error() -> Iterator[None]:
    """What goes wrong in Ray itself, rather than in a worker, is the end of the cluster."""
    try:
        yield
    except RayError as error:
        raise PoolError(
            f"the cluster is gone: {_on_one_line(error)}. What is committed stays: "
            "run the same command again when it is back."
        ) from error


@dataclass(frozen=True)
class _RayWorker:
    """An actor, seen as `cluster.backend.Worker` says."""

    actor: Any
    pickled_factory: bytes
    head: HeadWatcher | LocalHead

    @_as_pool_error()
    def ping(self) -> Call:
        return self.actor.ping.remote()

    @_as_pool_error()
    def build(self) -> Call:
        return self.actor.build.remote(self.pickled_factory)

    @_as_pool_error()
    def apply(self, payload: Any) -> Call:
        return self.actor.apply.remote(payload)

    @_as_pool_error()
    def drain(self) -> Call:
        return self.actor.drain.remote()

    @_as_pool_error()
    def stop(self) -> None:
        # Without its head, Ray would wait for it.
        if ray.is_initialized() and self.head.answers():
            ray.kill(self.actor, no_restart=True)


class RayWorkerProcess(WorkerProcess):
    """A worker's process that knows its node by Ray's identifier."""

    def ping(self) -> Done:
        """The node that it is on, as a sign of life."""
        alive = super().ping()
        node_id = str(ray.get_runtime_context().get_node_id())
        return replace(alive, value=replace(alive.value, id=node_id))


class RayBackend:
    """See `cluster.backend.Backend`.

    Args:
        pickled_factory: makes the worker function.
        each: what Ray is to reserve for a worker.
        ends_ray: whether `close` ends Ray, or the connection to it.
    """

    def __init__(self, pickled_factory: bytes, each: Reservation, *, ends_ray: bool) -> None:
        self._pickled_factory = pickled_factory
        self._each = each
        self._ends_ray = ends_ray
        self._head = _watched()
        self._capacity = 0

    def now(self) -> float:
        """The monotonic clock of this process, in seconds."""
        return time.monotonic()

    def tasks_per_worker(self) -> int:
        """Three: one is stored, one computes, one is fetched."""
        return _TASKS_PER_WORKER

    @_as_pool_error()
    def start_worker(self, name: str) -> _RayWorker:
        """Ask for one more actor; Ray places it when it can."""
        del name
        actor = ray.remote(RayWorkerProcess).options(
            num_cpus=self._each.cpus,
            num_gpus=self._each.gpus,
            memory=self._each.memory_bytes,
            # Ray brings dead actors back; their tasks are tried again by the scheduler, where attempts are counted.
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=_THREADS,
        )
        return _RayWorker(actor.remote(), self._pickled_factory, self._head)

    @_as_pool_error()
    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        """The calls that are answered, after at most so long; with no calls, a pause."""
        self._head.check()
        if not calls:
            time.sleep(timeout_s)
            return []
        # Sleep until the first answer, then take all that are there: `ray.wait` returns no more than are asked for.
        ray.wait([*calls], num_returns=1, timeout=timeout_s)
        answered, _ = ray.wait([*calls], num_returns=len(calls), timeout=0)
        return [(call, _outcome(call)) for call in answered]

    @_as_pool_error()
    def is_node_lost(self, node: Node) -> bool:
        """Asks the node itself too: Ray takes some 15 s to notice that one is gone, longer than a task is paused."""
        if not self._head.answers():
            return True  # nobody can tell
        for known in ray.nodes():
            if known["NodeID"] == node.id and known["Alive"]:
                address = f"{known['NodeManagerAddress']}:{known['NodeManagerPort']}"
                return not listens(address) or node.id in state.get_draining_nodes()
        return True

    @_as_pool_error()
    def capacity(self) -> int:
        """Workers that the live nodes can hold; what was last known of them while the head is silent."""
        if self._head.answers():
            alive = [node for node in ray.nodes() if node["Alive"]]
            self._capacity = sum(self._each.fits(node["Resources"]) for node in alive)
        return self._capacity

    @_as_pool_error()
    def describe_capacity(self) -> str:
        """What a worker asks for, and what the nodes have."""
        if not self._head.answers():
            return "the head of the cluster does not answer"
        is_local = isinstance(self._head, LocalHead)
        hope = "" if is_local else ". The run goes on when a node that fits is free or added"
        return (
            f"each asks for {self._each}; {'this machine' if is_local else 'the whole cluster'} has "
            f"{describe(ray.cluster_resources())}, and {describe(ray.available_resources())} of that free{hope}"
        )

    def interrupt(self) -> None:
        """Nothing is computed in this process."""

    @_as_pool_error()
    def close(self) -> None:
        """End Ray, or the connection to it, where this pool began it."""
        if self._ends_ray and ray.is_initialized():
            # Of what is gone, Ray would wait for a farewell.
            if self._head.answers():
                ray.shutdown()
            else:
                end_within(_kill_ray, _SHUTDOWN_S)
        self._ends_ray = False


def _watched() -> HeadWatcher | LocalHead:
    """What is to be watched so that the end of Ray is noticed: its processes here, or the head of a cluster."""
    node = worker._global_node
    if node is not None and node.is_head():
        return LocalHead(node)
    return HeadWatcher(ray.get_runtime_context().gcs_address)


def _kill_ray() -> None:
    node = worker._global_node
    if node is not None:
        kill_node(node)
    # at the end of this process it would be waited for once more
    atexit.unregister(ray.shutdown)
    ray.shutdown()


def _outcome(call: Any) -> Outcome:
    try:
        outcome: Outcome = ray.get(call)
    except RayTaskError as error:
        # Around the worker's function, which returns its own errors: something that cannot be pickled.
        return Failure(None, str(error))
    except RayError as error:
        never_began = isinstance(error, ActorDiedError) and error.actor_init_failed
        unplaceable = isinstance(error, ActorUnschedulableError | RuntimeEnvSetupError)
        return WorkerGone(
            _on_one_line(error),
            cannot_start=never_began or unplaceable,
            with_node=bool(getattr(error, "preempted", False)),
            coming_back=isinstance(error, ActorUnavailableError),
        )
    return outcome


def _connect(address: str) -> list[PoolNotice] | None:
    """Connect this process to Ray; what is to be said about that, or None where it was connected already."""
    if ray.is_initialized():
        return None
    try:
        with signals_kept():
            if address == "local":
                return _start_local()
            where = _answering(address)
            ray.init(address=where, log_to_driver=False, logging_level=logging.ERROR)
    except BaseException as error:
        ray.shutdown()  # what is started by now is ended, after a signal too
        # Of a start that takes too long Ray says so by a bare Exception.
        if isinstance(error, PoolError) or not isinstance(error, Exception):
            raise
        raise PoolError(cannot_connect(address, error)) from error
    return []


def _answering(address: str) -> str:
    """The address of a cluster; of one that can be asked, it is known that something listens there.

    Ray itself would try for a minute or two, then end the process.

    Raises:
        OSError: when nobody listens.
    """
    where = address
    if address == "auto" and "://" not in os.environ.get("RAY_ADDRESS", ""):
        where = services.canonicalize_bootstrap_address_or_die(None)
    if ":" in where and "://" not in where:
        try:
            check_port(where, timeout_s=_CONNECT_S)
        except OSError as error:
            # `auto` is what RAY_ADDRESS names, or what the last `ray start` on this machine has left behind.
            raise OSError(f"nothing answers at {where} ({error})") from error
    return where


def _start_local() -> list[PoolNotice]:
    """Start Ray for this process alone; what is to be said about where its files lie.

    Ray replaces a loopback address by the machine's own, and then listens on every interface, unless it takes the
    system for one without cluster support (as on macOS); the flag says so while it starts.
    """
    directory = directory_for_ray(os.environ)
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address=_LOOPBACK,
            _temp_dir=None if directory is None else str(directory),
        )
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
    if directory is None:
        return []
    text = f"Ray keeps its files in {directory}: TMPDIR is too long a path for its sockets"
    return [PoolNotice(f"{text}. RAY_TMPDIR names another place.")]


def _on_one_line(error: RayError) -> str:
    """What took a worker, or the whole cluster, in words that fit a message."""
    if isinstance(error, ActorUnavailableError):  # Ray knows no more than a closed connection
        return "its process or its machine is gone"
    return " ".join(str(error).split())[:500]
