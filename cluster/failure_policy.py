"""Whose fault a failure is, and what follows: another attempt, a search for the items at fault, or giving up.

Knows attempts, their failures, and workers by name. Does not know when or where anything runs.

| what failed                          | counts against the task | what follows                                       |
|--------------------------------------|-------------------------|----------------------------------------------------|
| it raised                            | yes                     | another attempt after a pause, elsewhere           |
| its worker died, the node is there   | yes                     | the same                                           |
| its worker died with its node        | no, ten times           | the same; then it runs alone, and deaths count     |
| storage                              | apart, three times      | the same; five in a row end the run                |
| it counted three times               |                         | a bisection of its items, or it is given up        |
| each of its items, by itself         |                         | they are isolated if a sound item computes then    |
| its worker fails at everything       | taken back              | the worker is replaced                             |
| everything that was ever tried       |                         | the run ends                                       |
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cluster.backend import WorkerGone
from cluster.bisection import Bisection
from cluster.pool import (
    Classify,
    Control,
    Event,
    Node,
    PoolError,
    ProbeResult,
    Splittable,
    TaskFailed,
    TaskIsolated,
    TaskRetried,
    no_control,
)
from cluster.task_queue import (
    ExponentialBackoff,
    FailureRecord,
    InFlight,
    TaskAttempt,
    TaskQueue,
)
from cluster.worker_handle import WorkerHealth
from cluster.worker_process import Failure

_AVOID_S = 300.0  # where a task failed last, unless nobody else is there
_STORAGE_ATTEMPTS = 3  # each has tried again for minutes by itself
_STORAGE_IN_A_ROW = 5
_HOPELESS_TASKS = 3  # so many different ones spent, and nothing ever done: not they are at fault
_HOPELESS_PROBES = 16
_BISECTIONS = 2  # searches for items at fault, in one task


def proves_health(result: object) -> bool:
    """Whether a result shows that the worker it comes from can compute."""
    return not isinstance(result, ProbeResult) or result.computed != 0


@dataclass
class _TaskBisection:
    """The search for a task's bad items, the failures of those found, and the control of workers that it led to."""

    whole: TaskAttempt
    payload: Splittable
    bisection: Bisection
    failures: dict[int, list[FailureRecord]] = field(default_factory=dict)
    control: TaskAttempt | None = None


class FailurePolicy:
    """Judges the failures of one run, one after another.

    Attributes:
        health: how workers fare.

    Args:
        queue: takes up what is to be tried again.
        classify: whose fault an exception is.
        backoff: pauses before other attempts.
        is_node_lost: whether a node is gone, as far as is known now.
        control: a payload that a sound worker is known to compute, which shows whether workers are at fault; None where
            there is none.
    """

    def __init__(
        self,
        queue: TaskQueue,
        *,
        classify: Classify,
        backoff: ExponentialBackoff,
        is_node_lost: Callable[[Node], bool],
        control: Control = no_control,
    ) -> None:
        self.health = WorkerHealth()
        self._control = control
        self._queue = queue
        self._classify = classify
        self._backoff = backoff
        self._is_node_lost = is_node_lost
        self._bisections: dict[str, _TaskBisection] = {}
        self._evicted: list[str] = []
        self._successes = 0
        self._proven: set[Node] = set()  # on which something was computed
        self._storage_in_a_row = 0
        self._spent_tasks: set[str] = set()
        self._spent_probes = 0
        self._all_bad_in_a_row = 0

    @property
    def is_bisecting(self) -> bool:
        """Whether some task is taken apart; its probes may be in flight, paused or waiting."""
        return bool(self._bisections)

    def take_evicted(self) -> list[str]:
        """Workers found at fault since this was asked last, which are to be replaced."""
        evicted = self._evicted
        self._evicted = []
        return evicted

    # What workers answer.

    def succeeded(self, flight: InFlight, result: object, now_s: float) -> Iterator[Event]:
        """A worker has done what it was given."""
        attempt = flight.attempt
        proof = proves_health(result)
        self._storage_in_a_row = 0
        if proof:
            self._successes += 1
            self._all_bad_in_a_row = 0
            self._proven.add(flight.node)
            self.health.record_success(flight.worker, now_s)
            self._evict(self.health.faulty_workers())
        if attempt.probed is None:
            self._end(attempt)
        elif attempt.key in self._bisections:
            search = self._bisections[attempt.key]
            if search.control is attempt:
                attempt.state.workers_can_compute = proof
            else:
                search.bisection.passed(attempt.probed, idle=not proof)
            yield from self._continue_bisection(attempt.key)

    def raised(self, flight: InFlight, failure: Failure, now_s: float) -> Iterator[Event]:
        """The code of an attempt has raised an exception."""
        attempt = flight.attempt
        error = failure.exception(f"{flight.worker}, {attempt.key}")
        record = FailureRecord(flight.worker, flight.node, _on_one_line(error), raised=True)
        attempt.failed(record, error)
        match self._classify(error):
            case "stop":
                raise error
            case "storage":
                yield from self._storage_failed(attempt, error, now_s)
            case "task":
                resume_s = now_s + self._backoff.seconds(attempt.failures)
                yield from self._count(attempt, record, now_s, resume_s=resume_s)

    def died(self, flight: InFlight, gone: WorkerGone, now_s: float) -> None:
        """A worker has died at an attempt; whether its node did is known better after a pause."""
        attempt = flight.attempt
        attempt.failed(FailureRecord(flight.worker, flight.node, gone.reason, raised=False), None)
        attempt.undecided_death = gone
        self._queue.pause(attempt, now_s + self._backoff.seconds(attempt.failures))

    def resume_paused(self, now_s: float) -> Iterator[Event]:
        """Take up the attempts whose pause is over; deaths among them are judged now."""
        for attempt in self._queue.take_resumable(now_s):
            if attempt.done:
                continue
            if attempt.undecided_death is None:
                self._queue.put(attempt)
            else:
                yield from self._judge_death(attempt, attempt.undecided_death, now_s)

    # What a failure counts.

    def _judge_death(self, attempt: TaskAttempt, gone: WorkerGone, now_s: float) -> Iterator[Event]:
        record = attempt.last_failure
        assert record is not None, "a death is a failure"
        attempt.undecided_death = None
        # Asked only now: when the worker died, nobody knew yet whether its node was gone too.
        node_lost = gone.with_node or self._is_node_lost(record.node)
        if node_lost and not attempt.exclusive:
            attempt.uncounted += 1
            attempt.avoid_until_s = now_s
            yield TaskRetried(attempt.key, record.worker, record.reason, counted=False)
            self._queue.put(attempt)
        else:
            yield from self._count(attempt, record, now_s, resume_s=now_s)

    def _storage_failed(
        self, attempt: TaskAttempt, error: BaseException, now_s: float
    ) -> Iterator[Event]:
        # One failure after another, whatever the task: storage is down or forbids it, so no task is to be given up.
        self._storage_in_a_row += 1
        if self._storage_in_a_row >= _STORAGE_IN_A_ROW:
            raise error
        attempt.storage += 1
        if attempt.storage >= _STORAGE_ATTEMPTS:
            yield self._give_up(attempt, error)
            return
        yield TaskRetried(attempt.key, attempt.last_failed_on, attempt.last_reason, counted=False)
        self._queue.pause(attempt, now_s + self._backoff.seconds(attempt.failures))

    def _count(
        self, attempt: TaskAttempt, record: FailureRecord, now_s: float, *, resume_s: float
    ) -> Iterator[Event]:
        """Charge an attempt with a failure, unless its worker turns out to fail at everything."""
        attempt.counted += 1
        attempt.counted_failures.append(record)
        self.health.record_failure(record.worker, attempt, now_s)
        # If its worker is at fault itself, what was counted above is taken back at once.
        faulty = self.health.faulty_workers()
        self._evict(faulty)
        if attempt.is_spent:
            yield from self._spent(attempt)
            return
        attempt.avoid_until_s = resume_s + _AVOID_S
        counted = record.worker not in faulty
        yield TaskRetried(attempt.key, record.worker, record.reason, counted=counted)
        if resume_s > now_s:
            self._queue.pause(attempt, resume_s)
        else:
            self._queue.put(attempt)

    def _evict(self, faulty: Sequence[str]) -> None:
        """Take back what was counted at workers that are at fault themselves, and let them be replaced."""
        for worker in faulty:
            for attempt in self.health.evict(worker):
                attempt.counted = max(0, attempt.counted - 1)
        self._evicted += faulty

    # What follows when it has failed often enough.

    def _spent(self, attempt: TaskAttempt) -> Iterator[Event]:
        self._stop_if_hopeless(attempt)
        if attempt.probed is not None:
            yield from self._probe_failed(attempt, attempt.probed)
            return
        payload = attempt.task.payload
        if not isinstance(payload, Splittable) or attempt.state.bisections >= _BISECTIONS:
            yield self._give_up(attempt, attempt.last_error or _deaths(attempt))
            return
        attempt.state.bisections += 1
        bisection = Bisection.begin(payload.items, attempt.last_reason)
        self._bisections[attempt.key] = _TaskBisection(
            attempt, payload, bisection, {0: attempt.counted_failures}
        )
        yield from self._continue_bisection(attempt.key)

    def _stop_if_hopeless(self, attempt: TaskAttempt) -> None:
        """Stop the run when everything that was tried has failed: a search is not begun for that, or not ended."""
        if self._successes:
            return
        if attempt.probed is not None:
            self._spent_probes += 1
        if not isinstance(attempt.task.payload, Splittable):
            self._spent_tasks.add(attempt.key)
        if len(self._spent_tasks) >= _HOPELESS_TASKS or self._spent_probes >= _HOPELESS_PROBES:
            raise _nothing_succeeds(attempt) from attempt.last_error

    def _probe_failed(self, attempt: TaskAttempt, probed: range) -> Iterator[Event]:
        search = self._bisections.get(attempt.key)
        if search is None:
            return
        if search.control is attempt:
            yield from self._continue_bisection(attempt.key)
            return
        search.failures[probed.start] = attempt.counted_failures
        search.bisection.failed(probed, attempt.last_reason)
        yield from self._continue_bisection(attempt.key)

    def _continue_bisection(self, key: str) -> Iterator[Event]:
        search = self._bisections[key]
        task = search.whole.task
        while (items := search.bisection.take()) is not None:
            payload = search.payload.probe(items.start, items.stop)
            self._queue.put(TaskAttempt(task, payload, search.whole.state, probed=items))
        if search.bisection.is_over and not self._begin_control(search):
            del self._bisections[key]
            yield from self._conclude(search)

    def _begin_control(self, search: _TaskBisection) -> bool:
        """Whether it must be seen first if workers can compute at all: where every item fails by itself."""
        # Such as the only item of a run's last task, which may have been left by an earlier run; or pairs of one
        # window, which fail together where that cannot be read.
        if search.control is not None or not self._looks_like_bad_workers(search):
            return False
        payload = self._control()
        if payload is None:
            return False
        task = search.whole.task
        search.control = TaskAttempt(task, payload, search.whole.state, probed=range(1))
        self._queue.put(search.control)
        return True

    def _conclude(self, search: _TaskBisection) -> Iterator[Event]:
        """What a bisection has shown: bad workers, bad items, or nothing."""
        task = search.whole.task
        state = search.whole.state
        bad = search.bisection.bad
        if self._looks_like_bad_workers(search):
            self._all_bad_in_a_row += 1
            if self._all_bad_in_a_row >= _HOPELESS_TASKS:
                raise _nothing_succeeds(search.whole) from search.whole.last_error
            yield self._give_up(search.whole, _all_bad(search.whole, len(bad)))
        elif search.control is not None:
            # Workers can compute after all: from here on, what fails again and again fails by itself.
            self._queue.put(TaskAttempt(task, search.payload, state))
        elif bad and all(self._failed_on_proven_node(search.failures[item]) for item in bad):
            # What fails without them is not searched again.
            state.bisections = _BISECTIONS
            reasons = {item: self._best_reason(search.failures[item]) for item in sorted(bad)}
            yield TaskIsolated(task.key, reasons)
            self._queue.put(TaskAttempt(task, search.payload.without(reasons), state))
        else:
            # Nothing was found, or it may be the fault of the only node that tried it: the whole again.
            self._queue.put(TaskAttempt(task, search.payload, state))

    def _looks_like_bad_workers(self, search: _TaskBisection) -> bool:
        """Whether every item fails by itself, which rather shows that the workers are at fault than the items."""
        bisection = search.bisection
        if not bisection.bad or not bisection.all_bad:
            return False
        # A task with a single item to compute is all bad as soon as that is; it is believed once anything succeeded.
        # Several are believed once something succeeded after them: workers may break in mid-run.
        is_single = len(bisection.bad) == 1
        is_believed = is_single and self._successes > 0
        return not (is_believed or search.whole.state.workers_can_compute)

    def _failed_on_proven_node(self, failures: Sequence[FailureRecord]) -> bool:
        # Else a broken GPU may have failed at it twice, with no sound one to say otherwise.
        return any(failure.node in self._proven for failure in failures)

    def _best_reason(self, failures: Sequence[FailureRecord]) -> str:
        """What a sound node says rather than another, and an exception rather than a death; else the last."""
        # `max` takes the first of equals, and the last failure is wanted.
        best = max(reversed(failures), key=lambda each: (each.node in self._proven, each.raised))
        return best.reason

    def _give_up(self, attempt: TaskAttempt, error: BaseException) -> TaskFailed:
        self._end(attempt)
        self._queue.forget(attempt.key)
        return TaskFailed(attempt.key, attempt.last_failed_on, error, attempt.failures)

    def _end(self, attempt: TaskAttempt) -> None:
        attempt.state.done = True
        self._bisections.pop(attempt.key, None)


def _on_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {text}"[:500]


def _deaths(attempt: TaskAttempt) -> PoolError:
    return PoolError(
        f"{attempt.key}: {attempt.counted} workers died at it, the last, {attempt.last_failed_on}, because "
        f"{attempt.last_reason}. If it needs more memory than it gets, take fewer workers or smaller tasks."
    )


def _all_bad(attempt: TaskAttempt, items: int) -> PoolError:
    return PoolError(
        f"{attempt.key}: each of its {items} items fails by itself, the last because: {attempt.last_reason}. "
        "That is rather the workers' fault than theirs, so none is marked as failed. Mend that, then run the same "
        "command again."
    )


def _nothing_succeeds(attempt: TaskAttempt) -> PoolError:
    return PoolError(
        "nothing succeeds: tasks fail again and again, whole and in parts, on every worker. The last was "
        f"{attempt.key} on {attempt.last_failed_on}: {attempt.last_reason}. Look at the workers' memory, their GPU "
        "and what they read; then run the same command again."
    )
