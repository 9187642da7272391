"""The workers of a pool: started as nodes join, pinged, set up, watched for silence, and replaced.

Knows workers and time. What they were doing when they died is given back to the caller, who decides what follows.
"""

from collections.abc import Iterator, Sequence

from cluster.backend import Backend, Call, Outcome, WorkerGone
from cluster.pool import (
    MAX_ATTEMPTS,
    Classify,
    Event,
    Node,
    PoolError,
    PoolNotice,
    WorkerLost,
    WorkerReady,
)
from cluster.task_queue import ExponentialBackoff, InFlight
from cluster.worker_handle import BackingOff, Building, Ready, Starting, WorkerHandle
from cluster.worker_process import Done, Failure

_PING_AGAIN_S = 0.5  # between two pings of a worker that is coming back

_GROW_S = 5.0  # between two looks at what the nodes can hold

_PATIENCE_S = 60.0  # without any worker, before saying what is waited for

_LISTEN_S = 10.0  # a busy worker that has said nothing for so long is asked whether it lives, and how far it is

_SILENCE_S = 300.0  # and given up when it does not answer for so long

_SETUPS_LATER = 10  # attempts in a row when some were set up before, and `MAX_ATTEMPTS` otherwise

_USELESS_S = 60.0  # for what another has done meanwhile; then it is given up


class WorkerSet:
    """All workers of a pool.

    Iterating over it gives those that are started, whatever their state.

    Args:
        backend: where they are started.
        size: how many, at most; None for as many as the nodes hold at any time.
        classify: whose fault an exception in a worker's set-up is.
        backoff: pauses before other attempts.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        size: int | None,
        classify: Classify,
        backoff: ExponentialBackoff,
    ) -> None:
        self._handles: list[WorkerHandle] = []
        self._backend = backend
        self._size = size
        self._classify = classify
        self._backoff = backoff
        self._started = 0
        self._any_was_ready = False
        self._grown_s = float("-inf")
        self._absent_since_s = backend.now()
        self._last_loss = ""

    def begin_run(self) -> None:
        """A run begins: the nodes are looked at anew, and patience with absent workers starts again."""
        self._absent_since_s = self._backend.now()
        self._grown_s = float("-inf")

    def __iter__(self) -> Iterator[WorkerHandle]:
        return iter(self._handles)

    def __len__(self) -> int:
        return len(self._handles)

    def named(self, names: Sequence[str]) -> list[WorkerHandle]:
        """Those with such names, in the order of the names, as far as they are there."""
        by_name = {handle.name: handle for handle in self._handles}
        return [by_name[name] for name in names if name in by_name]

    def open_calls(self) -> dict[Call, WorkerHandle]:
        """All that workers have yet to answer, and who."""
        return {call: handle for handle in self._handles for call in handle.open_calls()}

    def in_flight(self) -> Iterator[InFlight]:
        """What all workers were given and have not answered."""
        for handle in self._handles:
            yield from handle.in_flight.values()

    # How many there are.

    def is_growth_due(self) -> bool:
        """Whether it is time to look again at what the nodes can hold."""
        return self._backend.now() - self._grown_s >= _GROW_S

    def limit(self) -> int:
        """How many workers there may be now; at least one, so that a cluster which grows on demand sees some."""
        if self._size is not None:
            return self._size
        return max(1, self._backend.capacity())

    def grow_to(self, count: int) -> None:
        """Start workers until there are so many."""
        self._grown_s = self._backend.now()
        while len(self._handles) < count:
            name = f"worker-{self._started}"
            self._started += 1
            worker = self._backend.start_worker(name)
            self._handles.append(
                WorkerHandle(name, worker, Starting(worker.ping(), self._backend.now()))
            )

    # Whether they are there.

    def poll(self) -> None:
        """Ping those that have backed off for long enough, and busy ones that have been silent."""
        now_s = self._backend.now()
        for handle in self._handles:
            match handle.state:
                case BackingOff(until_s=until_s) if now_s >= until_s:
                    handle.ping(now_s)
                case Ready() as ready if ready.is_of_use:
                    ready.useless_since_s = None
                case Ready(useless_since_s=None) as ready:
                    ready.useless_since_s = now_s
            silent = now_s - handle.heard_s >= _LISTEN_S
            if silent and handle.is_busy and handle.heartbeat is None:
                handle.ask_heartbeat(now_s)

    def any_backing_off(self) -> bool:
        """Whether a worker is to be pinged before long."""
        return any(isinstance(handle.state, BackingOff) for handle in self._handles)

    def stuck(self) -> list[tuple[WorkerHandle, str]]:
        """Workers that were there once and are of use no more, each with the reason."""
        stuck = []
        now_s = self._backend.now()
        for handle in self._handles:
            if handle.unanswered_s(now_s) >= _SILENCE_S:
                stuck.append((handle, "it does not answer any more"))
            elif handle.useless_s(now_s) >= _USELESS_S:
                reason = "it does not get done with what another has done meanwhile"
                stuck.append((handle, reason))
        return stuck

    def answered(self, handle: WorkerHandle, call: Call, outcome: Outcome) -> Iterator[Event]:
        """A worker has answered a question about itself."""
        if handle.heartbeat is not None and call == handle.heartbeat.call:
            handle.heartbeat_answered(outcome.items_done if isinstance(outcome, Done) else 0)
            return
        match handle.state, outcome:
            case _, Failure():
                error = outcome.exception(f"the set-up of {handle.name}")
                # Before any worker was ready, what is not storage's fault is the user's to mend: nothing is repeated.
                at_once = not self._any_was_ready and self._classify(error) != "storage"
                yield from self._setup_failed(handle, error, at_once=at_once)
            case Starting(), Done(value=node):
                handle.build(node, self._backend.now())
            case Building(node=node), Done():
                handle.state = Ready(node)
                handle.setup_failures = 0
                self._any_was_ready = True
                yield WorkerReady(handle.name, node)
            case _:
                # No worker answers so today. Whoever did would be pinged again, not waited for without end.
                handle.back_off(self._backend.now() + _PING_AGAIN_S)

    def report_absence(self) -> Iterator[Event]:
        """Say what is missing when no worker has been there for long, and again as long as that is so."""
        now_s = self._backend.now()
        if any(handle.node is not None for handle in self._handles):
            self._absent_since_s = now_s
        elif now_s - self._absent_since_s >= _PATIENCE_S:
            self._absent_since_s = now_s
            died = f" The last one was lost because {self._last_loss}." if self._last_loss else ""
            yield PoolNotice(
                f"no worker for {_PATIENCE_S:.0f} s: {self._backend.describe_capacity()}.{died}"
            )

    # When they are there no more.

    def lost(self, handle: WorkerHandle, gone: WorkerGone) -> list[Event]:
        """Let a worker that is gone back off; the events that follow. What it had must have been taken from it.

        Raises:
            PoolError: when it can never be had, or dies again and again in its set-up while nobody else is there.
        """
        state = handle.state
        self._last_loss = gone.reason
        handle.back_off(self._backend.now() + _PING_AGAIN_S)
        if isinstance(state, Ready):
            return [WorkerLost(handle.name, gone.reason)]
        if gone.cannot_start:
            raise PoolError(
                f"{handle.name} cannot be started: {gone.reason}. "
                "Is the same code, with what it imports, on every node?"
            )
        if isinstance(state, Building):
            return list(self._died_in_setup(handle, state.node, gone))
        if not gone.coming_back:
            self.replace(handle, pause_s=_PING_AGAIN_S)
        return []

    def replace(self, handle: WorkerHandle, *, pause_s: float = 0.0) -> None:
        """Stop a worker and start another in its place; what it had in flight must have been taken from it."""
        handle.worker.stop()
        handle.back_off(self._backend.now() + pause_s)
        handle.worker = self._backend.start_worker(handle.name)
        handle.last_node = None

    def replace_evicted(self, handle: WorkerHandle) -> PoolNotice:
        """Replace a worker that fails at everything, and say so; what it had must have been taken from it."""
        text = (
            f"{handle.name}{handle.where} failed at one task after another while others succeeded, and is "
            "replaced. If this happens again, look at that machine."
        )
        self.replace(handle, pause_s=self._backoff.seconds(handle.replacements))
        handle.replacements += 1
        return PoolNotice(text)

    def stop_all(self) -> None:
        """End all workers, whatever they are at."""
        handles = self._handles
        self._handles = []
        for handle in handles:
            handle.worker.stop()

    def stop_busy(self) -> None:
        """End those that are still at something."""
        for handle in [handle for handle in self._handles if handle.in_flight]:
            handle.worker.stop()
            self._handles.remove(handle)

    def _died_in_setup(self, handle: WorkerHandle, node: Node, gone: WorkerGone) -> Iterator[Event]:
        yield WorkerLost(handle.name, f"died while it was set up: {gone.reason}")
        if gone.with_node or self._backend.is_node_lost(node):
            return
        error = PoolError(
            f"{handle.name} died {handle.setup_failures + 1} times while it was set up, the last because: "
            f"{gone.reason}. Most often its machine runs out of memory: take fewer workers, or give each more."
        )
        yield from self._setup_failed(handle, error, at_once=False)

    def _setup_failed(
        self, handle: WorkerHandle, error: BaseException, *, at_once: bool
    ) -> Iterator[Event]:
        """Another attempt after a pause; when there have been enough and nobody else is there, the run ends."""
        handle.back_off(self._backend.now() + self._backoff.seconds(handle.setup_failures))
        handle.setup_failures += 1
        nobody_ready = not any(other.is_ready for other in self._handles)
        enough = _SETUPS_LATER if self._any_was_ready else MAX_ATTEMPTS
        if nobody_ready and (at_once or handle.setup_failures >= enough):
            raise error
        if handle.setup_failures % MAX_ATTEMPTS == 0:
            reason = " ".join(str(error).split())[:500]
            text = f"{handle.name} cannot be set up{handle.where}: {reason}. Another is started in its place."
            self.replace(handle, pause_s=self._backoff.seconds(handle.setup_failures))
            yield PoolNotice(text)
