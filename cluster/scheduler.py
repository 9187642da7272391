"""Which worker does which task when, and again after a failure: the same loop over every kind of backend.

What fails is judged by `failure_policy`, workers are looked after by `worker_set`, and `placement` says what may go
where. Does not know where workers run, nor what they compute.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Self

from cluster.backend import Backend, Call, Outcome, WorkerGone
from cluster.failure_policy import FailurePolicy
from cluster.placement import may_run_on, stragglers
from cluster.pool import (
    Classify,
    Control,
    Event,
    EventObserver,
    PoolError,
    PoolNotice,
    Task,
    TaskDone,
    TaskStarted,
    blame_task,
    no_control,
)
from cluster.task_queue import ExponentialBackoff, InFlight, TaskAttempt, TaskQueue
from cluster.worker_handle import WorkerHandle
from cluster.worker_process import Cancelled, Done, Failure, WorkerRestarted
from cluster.worker_set import WorkerSet

_TICK_S = 1.0
_BACKOFF_TICK_S = 0.25  # while a worker comes back
_DRAIN_S = 30.0  # for what is being stored when a run is interrupted
_LAST_WORDS_S = 0.5  # for results that are on their way when all is stored
_DURATIONS = 1000  # of the last tasks, with which slow ones are compared


class Scheduler:
    """A pool of workers over a backend (see `cluster.pool.Pool`).

    A worker is given a task to compute and, while others wait too, one to fetch beside it; the one before is stored
    meanwhile. When it dies, the oldest of its tasks is to blame, unless its node is gone with it. A task that has
    failed is alone on its worker. At the end, when workers are idle, slow tasks get a speculative copy, and the first
    of the two to end wins.

    Args:
        backend: where workers are started; closed with this pool.
        workers: how many, at most; None for as many as the nodes hold at any time.
        classify: whose fault an exception is; the task's own by default.
        speculative: whether slow tasks may have a second copy.
        observers: are told of every event before the loop over `run` is.
        notices: what the first run is to begin with.
        seed: of the pauses between attempts.
        control: what shows whether workers can compute at all, where everything else fails.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        workers: int | None,
        classify: Classify = blame_task,
        speculative: bool = True,
        observers: Sequence[EventObserver] = (),
        notices: Sequence[PoolNotice] = (),
        seed: int = 0,
        control: Control = no_control,
    ) -> None:
        self._backend = backend
        self._control = control
        self._now = backend.now
        self._classify = classify
        self._speculative = speculative
        self._observers = observers
        self._notices = list(notices)
        self._backoff = ExponentialBackoff(seed)
        self._workers = WorkerSet(backend, size=workers, classify=classify, backoff=self._backoff)
        self._durations_s: deque[float] = deque(maxlen=_DURATIONS)
        self._interrupted = False
        self._items_in_hand = 0
        self._closed = False
        self._queue = TaskQueue(())
        self._policy = self._new_policy()

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Work through the tasks; leaving the loop early stops the workers."""
        with closing(self._events(tasks)) as events:
            for event in events:
                for observer in self._observers:
                    observer.observe(event, queued=self._queue.waiting)
                yield event

    def items_in_hand(self) -> int:
        """Items computed of tasks that are not done, as far as workers have told, once a tick."""
        return self._items_in_hand

    def interrupt(self) -> None:
        """Begin nothing more; `run` ends when what is being stored is stored."""
        self._interrupted = True
        self._backend.interrupt()

    def close(self) -> None:
        """Stop the workers and give the backend back."""
        self._workers.stop_all()
        self._backend.close()
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _new_policy(self) -> FailurePolicy:
        return FailurePolicy(
            self._queue,
            classify=self._classify,
            backoff=self._backoff,
            is_node_lost=self._backend.is_node_lost,
            control=self._control,
        )

    def _events(self, tasks: Iterable[Task]) -> Generator[Event]:
        if self._closed:
            raise PoolError("the pool is closed: make a new one")
        while self._notices:
            yield self._notices.pop(0)
        self._queue = TaskQueue(tasks)
        self._policy = self._new_policy()
        self._workers.begin_run()
        try:
            while not self._interrupted and not self._is_over():
                yield from self._tick()
            if self._interrupted:
                yield from self._drain()
        except BaseException:
            self._workers.stop_all()  # whatever they were at, nobody waits for it any more
            raise
        self._workers.stop_busy()  # with speculative copies of what is done

    # A run of three tasks of 4 s on two workers, each on a node of its own, of which worker-1 is killed after 7 s.
    # A tick ends when a call is answered, or after a second; those in which nothing happens are left out:
    #
    #    s    worker-0  worker-1    queue      what happens
    #    0.0  Starting  Starting    t0 t1 t2   _start_workers: two, for there are tasks enough; both are pinged
    #    0.0  Building  Building    t0 t1 t2   _listen: both answer with their node and make their functions
    #    5.0  Ready t0  Ready       t1 t2      _listen: WorkerReady; _assign: t0 to whoever was ready first
    #    5.0  Ready t0  Ready t1    t2         _assign: t1; nobody prefetches t2, for whoever is free first will have it
    #    7.0  Ready t0  BackingOff  t2 (t1)    _listen: WorkerLost; t1 is paused, for the node may be gone too
    #    7.6  Ready t0  Starting    t1 t2      resume_paused: the node is there, so this counts, 1 of 3: TaskRetried
    #    9.0  Ready t1  Starting    t2         _listen: t0 is done; _assign: t1, alone, not where it failed
    #   13.0  Ready t2  Building    -          _listen: t1 is done; worker-1 is back and makes its function again
    #   17.0  Ready     Ready       -          _listen: t2 is done and nothing is in flight: the run is over
    def _tick(self) -> Iterator[Event]:
        self._start_workers()
        yield from self._policy.resume_paused(self._now())
        yield from self._replace_evicted()
        yield from self._assign()
        yield from self._listen()
        self._items_in_hand = self._count_items_in_hand()
        yield from self._workers.report_absence()

    def _count_items_in_hand(self) -> int:
        # By attempt, for a slow one is in flight twice; what is only tried out is thrown away.
        by_attempt: dict[TaskAttempt, int] = {}
        for flight in self._unfinished():
            if flight.attempt.probed is None:
                known = by_attempt.get(flight.attempt, 0)
                by_attempt[flight.attempt] = max(known, flight.items_done)
        return sum(by_attempt.values())

    def _is_over(self) -> bool:
        return self._queue.is_empty and not self._policy.is_bisecting and not self._unfinished()

    def _unfinished(self) -> list[InFlight]:
        """What workers were given and is still of use: not the second copy of what is done."""
        return [flight for flight in self._workers.in_flight() if not flight.attempt.done]

    def _is_needed(self, attempt: TaskAttempt) -> bool:
        """Whether it must be tried again, once a worker's copy of it has been taken back."""
        if attempt.done:
            return False
        return all(flight.attempt is not attempt for flight in self._workers.in_flight())

    # Giving workers something to do.

    def _start_workers(self) -> None:
        if not self._workers.is_growth_due():
            return
        limit = self._workers.limit()
        needed = self._queue.look_ahead(limit) + len(self._unfinished())
        self._workers.grow_to(min(limit, max(needed, 1)))

    def _assign(self) -> Iterator[Event]:
        unfinished = self._unfinished()
        # What must run alone is running: if that dies too, nothing else may be to blame.
        if any(flight.attempt.exclusive for flight in unfinished):
            return
        idle = [handle for handle in self._workers if handle.is_idle]
        if idle and not unfinished:
            exclusive = self._queue.take_exclusive()
            if exclusive is not None:
                yield from self._give(idle[0], exclusive)
                return
        trusted = self._trusted()
        yield from self._assign_in_rounds(trusted)
        if self._speculative:
            yield from self._speculate([handle for handle in trusted if handle.is_idle])

    def _assign_in_rounds(self, trusted: Sequence[WorkerHandle]) -> Iterator[Event]:
        """Every worker has one before any has a second, so that the last tasks are spread over all."""
        for limit in range(1, self._backend.tasks_per_worker() + 1):
            if limit > 1 and not self._may_prefetch():
                break
            for handle in sorted(trusted, key=lambda handle: len(handle.in_flight)):
                # Asked again for each: the one before may have taken the last task that could be prefetched.
                if handle.has_room(limit) and (limit == 1 or self._may_prefetch()):
                    yield from self._give_next(handle, trusted)

    def _trusted(self) -> list[WorkerHandle]:
        """Workers that may be given something: those that do not fail at everything, or all when all do."""
        now_s = self._now()
        health = self._policy.health
        ready = [handle for handle in self._workers if handle.is_ready]
        # With nobody else of use, a suspect worker is better than none: the run must end, well or not.
        sound = [handle for handle in ready if not health.is_suspect(handle.name, now_s)]
        return sound if any(handle.is_of_use for handle in sound) else ready

    def _may_prefetch(self) -> bool:
        """Whether tasks may be given to busy workers: the last are not made to wait while another might get free."""
        enough = len(self._workers) + 1
        return not self._queue.wants_empty_worker and self._queue.look_ahead(enough) == enough

    def _give_next(self, handle: WorkerHandle, trusted: Sequence[WorkerHandle]) -> Iterator[Event]:
        now_s = self._now()
        others = [other for other in trusted if other is not handle and other.is_of_use]
        attempt = self._queue.take(lambda attempt: may_run_on(attempt, handle, others, now_s))
        if attempt is not None:
            yield from self._give(handle, attempt)

    def _speculate(self, idle: Sequence[WorkerHandle]) -> Iterator[Event]:
        """Give idle workers second copies of the tasks that take longest, when there is nothing else to do."""
        if not idle:
            return
        slow = stragglers(self._unfinished(), self._durations_s, self._now())
        for handle, flight in zip(idle, slow, strict=False):
            yield from self._give(handle, flight.attempt, is_copy=True)

    def _give(
        self, handle: WorkerHandle, attempt: TaskAttempt, *, is_copy: bool = False
    ) -> Iterator[Event]:
        attempt.has_copy = (
            is_copy  # False for what is tried again: then slow attempts may be copied again
        )
        handle.give(attempt, self._now())
        yield from self._announce_oldest(handle)

    def _announce_oldest(self, handle: WorkerHandle) -> Iterator[Event]:
        """Say so when a worker has nothing before its oldest task any more."""
        oldest = next(iter(handle.in_flight.values()), None)
        if oldest is not None and oldest.began_s is None:
            oldest.began_s = self._now()
            yield TaskStarted(oldest.attempt.key, handle.name)

    # Hearing what comes of it.

    def _listen(self) -> Iterator[Event]:
        self._workers.poll()
        tick_s = _BACKOFF_TICK_S if self._workers.any_backing_off() else _TICK_S
        for handle, reason in self._workers.stuck():
            yield from self._lost(handle, WorkerGone(reason, coming_back=True))
            self._workers.replace(handle)
        owners = self._workers.open_calls()
        timeout_s = self._until_next_pause_ends_s(tick_s)
        for call, outcome in self._backend.wait(list(owners), timeout_s):
            handle = owners[call]
            # Else it was given back when its worker was lost, by an answer before this one.
            if call in handle.open_calls():
                handle.heard_s = self._now()
                yield from self._hear(handle, call, outcome)
        yield from self._replace_evicted()

    def _until_next_pause_ends_s(self, tick_s: float) -> float:
        """How long to wait for answers: a tick, or less where an attempt is to be taken up before that."""
        pause_ends_s = self._queue.next_pause_ends_s()
        if pause_ends_s is None:
            return tick_s
        return min(tick_s, max(pause_ends_s - self._now(), 0.01))

    def _hear(self, handle: WorkerHandle, call: Call, outcome: Outcome) -> Iterator[Event]:
        if isinstance(outcome, WorkerGone):
            yield from self._lost(handle, outcome)
        elif call not in handle.in_flight:
            yield from self._workers.answered(handle, call, outcome)
        elif isinstance(outcome, WorkerRestarted):
            # Nothing of what it had was begun, so there is nothing to judge.
            attempts = handle.attempts()
            events = self._workers.lost(handle, WorkerGone("its process died between two tasks"))
            self._give_back(attempts)
            yield from events
        else:
            yield from self._finished(handle, call, outcome)

    def _finished(
        self, handle: WorkerHandle, call: Call, outcome: Done | Cancelled | Failure
    ) -> Iterator[Event]:
        flight = handle.in_flight.pop(call)
        now_s = self._now()
        if isinstance(outcome, Done) and not flight.attempt.done:
            if flight.attempt.probed is None:
                yield from self._done(flight, outcome)
            yield from self._policy.succeeded(flight, outcome.value, now_s)
        elif self._is_needed(flight.attempt):
            if isinstance(outcome, Failure):
                yield from self._policy.raised(flight, outcome, now_s)
            else:
                self._give_back([flight.attempt])
        yield from self._announce_oldest(handle)

    def _done(self, flight: InFlight, outcome: Done) -> Iterator[Event]:
        task = flight.attempt.task
        if flight.began_s is None:  # it overtook another
            yield TaskStarted(task.key, flight.worker)
        else:
            self._durations_s.append(flight.seconds(self._now()))
        yield TaskDone(task.key, flight.worker, outcome.value, outcome.seconds, task.items)

    def _lost(self, handle: WorkerHandle, gone: WorkerGone) -> Iterator[Event]:
        flights = list(handle.in_flight.values())
        yield from self._workers.lost(handle, gone)
        if not flights:
            return
        # A worker computes its tasks in their order, so it died at the oldest; the others were only fetched.
        oldest, *others = flights
        for flight in others:
            flight.attempt.beside_death = True
        self._give_back([flight.attempt for flight in others])
        if self._is_needed(oldest.attempt):
            self._policy.died(oldest, gone, self._now())

    def _give_back(self, attempts: Sequence[TaskAttempt]) -> None:
        """Let attempts that a worker had be the next, in the order in which it had them."""
        for attempt in reversed(attempts):
            if self._is_needed(attempt):
                self._queue.put_first(attempt)

    def _replace_evicted(self) -> Iterator[Event]:
        for handle in self._workers.named(self._policy.take_evicted()):
            attempts = handle.attempts()
            notice = self._workers.replace_evicted(handle)
            self._give_back(attempts)
            yield notice

    # The end of a run that is interrupted.

    def _drain(self) -> Iterator[Event]:
        """Wait for what is being stored, report it, and end all workers."""
        ends_s = self._now() + _DRAIN_S
        busy = [handle for handle in self._workers if handle.in_flight]
        draining = {handle.worker.drain() for handle in busy}
        while draining and self._now() < ends_s:
            yield from self._hear_results(draining, ends_s - self._now())
        # Nothing is being stored any more, but what was stored last may not have been reported yet.
        ends_s = self._now() + _LAST_WORDS_S
        while self._unfinished() and self._now() < ends_s:
            yield from self._hear_results(draining, ends_s - self._now())
        self._workers.stop_all()

    def _hear_results(self, draining: set[Call], timeout_s: float) -> Iterator[Event]:
        """Hear for so long what is done; `draining` loses the workers that store nothing any more."""
        owners = {call: handle for handle in self._workers for call in handle.in_flight}
        for call, outcome in self._backend.wait([*owners, *draining], timeout_s):
            draining.discard(call)
            if call not in owners:
                continue
            if isinstance(outcome, Done):
                yield from self._finished(owners[call], call, outcome)
            else:
                del owners[call].in_flight[call]
