"""Whose fault a failure is, and what follows: another attempt, a search for the items at fault, or giving up.

Knows errands, their failures, and workers by name. Does not know when or where anything runs.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from cluster.backend import Gone
from cluster.bisection import Isolation
from cluster.pool import (
    Classify,
    Divisible,
    Event,
    PoolError,
    TaskFailed,
    TaskIsolated,
    TaskRetried,
)
from cluster.task_queue import Backlog, Errand, Setback
from cluster.worker_process import Failure

_FIRST_S, _LONGEST_S = 1.0, 60.0


class Backoff:
    """Pauses that double with each failure, from 1 s to 60 s, and vary, so that many do not try again at once.

    Args:
        seed: of the variation.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - spreads load, keeps no secret

    def seconds(self, failures: int) -> float:
        """The pause after so many earlier failures: the doubled one, or up to half of it less."""
        longest_s = min(_LONGEST_S, _FIRST_S * 2 ** min(failures, 10))
        return longest_s * (0.5 + 0.5 * self._random.random())


SUSPICIOUS_TASKS = 3
"""A worker that fails at so many different tasks in a row, while others succeed, is at fault itself."""

_DOUBT_S = 300.0  # before a worker that is in doubt is tried again in any case


@dataclass
class _Failures:
    """Of one worker since its last success.

    Attributes:
        since_s: when the first was.
        last_s: when the last was.
        by_task: the errands that they were counted against.
    """

    since_s: float
    last_s: float
    by_task: dict[str, list[Errand]] = field(default_factory=dict)


class Records:
    """Counted failures of each worker since its last success."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failures] = {}
        self._success_s: dict[str, float] = {}
        self._faulty: list[str] = []

    def succeeded(self, worker: str, now_s: float) -> None:
        """It has done something; those that were in doubt meanwhile are at fault themselves."""
        self._failures.pop(worker, None)
        self._success_s[worker] = now_s
        for other in [
            name for name, failures in self._failures.items() if self._is_faulty(name, failures)
        ]:
            self._condemn(other)

    def failed(self, worker: str, errand: Errand, now_s: float) -> bool:
        """A failure was counted against an errand; whether that stays so."""
        failures = self._failures.setdefault(worker, _Failures(now_s, now_s))
        failures.last_s = now_s
        failures.by_task.setdefault(errand.key, []).append(errand)
        if self._is_faulty(worker, failures):
            self._condemn(worker)
            return False
        return True

    def doubts(self, worker: str, now_s: float) -> bool:
        """Whether it has failed at so much that it should be given nothing while others can be."""
        failures = self._failures.get(worker)
        if failures is None or len(failures.by_task) < SUSPICIOUS_TASKS:
            return False
        return now_s - failures.last_s < _DOUBT_S

    def take_faulty(self) -> list[str]:
        """Those found at fault since this was asked last; their failures count no more."""
        faulty, self._faulty = self._faulty, []
        return faulty

    def _is_faulty(self, worker: str, failures: _Failures) -> bool:
        elsewhere_s = max(
            (at_s for name, at_s in self._success_s.items() if name != worker),
            default=float("-inf"),
        )
        return len(failures.by_task) >= SUSPICIOUS_TASKS and elsewhere_s > failures.since_s

    def _condemn(self, worker: str) -> None:
        for errand in (
            errand for errands in self._failures.pop(worker).by_task.values() for errand in errands
        ):
            errand.counted = max(0, errand.counted - 1)
        self._faulty.append(worker)


_STORAGE_ATTEMPTS = 3  # each has tried again for minutes by itself

_STORAGE_IN_A_ROW = 5

_HOPELESS_TASKS = 3  # so many different ones spent, and nothing ever done: not they are at fault

_HOPELESS_PROBES = 16

_SEARCHES = 2  # for items at fault, in one task

_AVOIDED_S = 300.0  # where a task failed last, unless nobody else is there


@runtime_checkable
class Counting(Protocol):
    """A result that says for how many items something was computed.

    One that says 0 proves nothing: a broken GPU does not show in it. A result that does not say counts as proof.
    """

    @property
    def computed(self) -> int | None:
        """Items computed by this very worker; None where that was not counted."""
        ...


def proves_health(result: object) -> bool:
    """Whether a result shows that the worker it comes from can compute."""
    return not isinstance(result, Counting) or result.computed != 0


@dataclass
class _Search:
    isolation: Isolation
    whole: Errand
    setbacks: dict[int, list[Setback]] = field(default_factory=dict)  # of the items found bad


class Judge:
    """Judges the failures of one run, one after another.

    Attributes:
        records: how workers fare.
        searches: tasks that are being taken apart, by key.

    Args:
        backlog: takes up what is to be tried again.
        classify: whose fault an exception is.
        backoff: pauses before other attempts.
    """

    def __init__(self, backlog: Backlog, *, classify: Classify, backoff: Backoff) -> None:
        self.records = Records()
        self.searches: dict[str, _Search] = {}
        self._backlog = backlog
        self._classify = classify
        self._backoff = backoff
        self._successes = 0
        self._proven: set[str] = set()  # machines on which something was computed
        self._storage_in_a_row = 0
        self._spent_tasks: set[str] = set()
        self._spent_probes = 0
        self._all_bad_in_a_row = 0

    def succeeded(
        self, worker: str, errand: Errand, result: Any, *, machine: str, now_s: float
    ) -> Iterator[Event]:
        """A worker has done an errand."""
        proof = proves_health(result)
        self._storage_in_a_row = 0
        if proof:
            self._successes += 1
            self._all_bad_in_a_row = 0
            self._proven.add(machine)
            self.records.succeeded(worker, now_s)
        if errand.probe is None:
            self._settle(errand)
        elif errand.key in self.searches:
            self.searches[errand.key].isolation.passed(errand.probe, idle=not proof)
            yield from self._search_on(errand.key)

    def raised(
        self, worker: str, errand: Errand, failure: Failure, *, machine: str, now_s: float
    ) -> Iterator[Event]:
        """An errand's code has raised an exception."""
        error = failure.exception(f"{worker}, {errand.key}")
        errand.error, errand.reason = error, _told(error)
        errand.avoided, errand.avoided_machine = worker, machine
        verdict = self._classify(error)
        if verdict == "stop":
            raise error
        if verdict == "storage":
            yield from self._storage_failed(errand, error, now_s)
            return
        resume_s = now_s + self._backoff.seconds(errand.failures)
        yield from self._count(errand, now_s, resume_s=resume_s)

    def lost(self, worker: str, errand: Errand, gone: Gone, *, machine: str, now_s: float) -> None:
        """A worker has died at an errand; whether its machine did is not known at once."""
        errand.reason, errand.error = gone.reason, None
        errand.avoided, errand.avoided_machine = worker, machine
        errand.lost_on, errand.lost_with_machine = machine, gone.with_machine
        self._backlog.pause(errand, now_s + self._backoff.seconds(errand.failures))

    def after_pause(self, errand: Errand, now_s: float, *, machine_lost: bool) -> Iterator[Event]:
        """An errand may go on."""
        if errand.settled:
            return
        if errand.lost_on is None:
            self._backlog.put(errand)
            return
        machine_lost, errand.lost_on = machine_lost or errand.lost_with_machine, None
        if machine_lost and not errand.solitary:
            errand.uncounted += 1
            errand.avoided_until_s = now_s
            yield TaskRetried(errand.key, errand.avoided, errand.reason, counted=False)
            self._backlog.put(errand)
        else:
            yield from self._count(errand, now_s, resume_s=now_s)

    def _storage_failed(
        self, errand: Errand, error: BaseException, now_s: float
    ) -> Iterator[Event]:
        self._storage_in_a_row += 1
        if self._storage_in_a_row >= _STORAGE_IN_A_ROW:
            raise error
        errand.storage += 1
        if errand.storage >= _STORAGE_ATTEMPTS:
            yield self._give_up(errand, error)
            return
        yield TaskRetried(errand.key, errand.avoided, errand.reason, counted=False)
        self._backlog.pause(errand, now_s + self._backoff.seconds(errand.failures))

    def _count(self, errand: Errand, now_s: float, *, resume_s: float) -> Iterator[Event]:
        """Put a failure to the errand's account, unless its worker fails at everything."""
        errand.counted += 1
        errand.setbacks.append(
            Setback(errand.avoided_machine, errand.reason, errand.error is not None)
        )
        counted = self.records.failed(errand.avoided, errand, now_s)
        if errand.is_spent:
            yield from self._spent(errand)
            return
        errand.avoided_until_s = resume_s + _AVOIDED_S
        yield TaskRetried(errand.key, errand.avoided, errand.reason, counted=counted)
        if resume_s > now_s:
            self._backlog.pause(errand, resume_s)
        else:
            self._backlog.put(errand)

    def _spent(self, errand: Errand) -> Iterator[Event]:
        self._check_hope(errand)
        if errand.probe is not None:
            if errand.key in self.searches:
                search = self.searches[errand.key]
                search.setbacks[errand.probe.start] = errand.setbacks
                search.isolation.failed(errand.probe, errand.reason)
                yield from self._search_on(errand.key)
            return
        if not isinstance(errand.task.payload, Divisible) or errand.fate.searches >= _SEARCHES:
            yield self._give_up(errand, errand.error or _deaths(errand))
            return
        errand.fate.searches += 1
        isolation = Isolation.begin(errand.task.payload.items, errand.reason)
        self.searches[errand.key] = _Search(isolation, errand, {0: errand.setbacks})
        yield from self._search_on(errand.key)

    def _check_hope(self, errand: Errand) -> None:
        """Stop the run when everything that was tried has failed: a search is not begun for that, or not ended."""
        if self._successes:
            return
        self._spent_probes += errand.probe is not None
        if not isinstance(errand.task.payload, Divisible):
            self._spent_tasks.add(errand.key)
        if len(self._spent_tasks) >= _HOPELESS_TASKS or self._spent_probes >= _HOPELESS_PROBES:
            raise _nothing_succeeds(errand) from errand.error

    def _search_on(self, key: str) -> Iterator[Event]:
        search = self.searches[key]
        whole, isolation = search.whole, search.isolation
        payload = whole.task.payload
        assert isinstance(payload, Divisible)
        while (probe := isolation.take()) is not None:
            self._backlog.put(
                Errand(
                    whole.task,
                    payload.probing(probe.start, probe.stop),
                    fate=whole.fate,
                    probe=probe,
                )
            )
        if isolation.is_over:
            del self.searches[key]
            yield from self._searched(search, payload)

    def _searched(self, search: _Search, payload: Divisible) -> Iterator[Event]:
        whole, isolation = search.whole, search.isolation
        if isolation.bad and isolation.all_bad and (len(isolation.bad) > 1 or not self._successes):
            self._all_bad_in_a_row += 1
            if self._all_bad_in_a_row >= _HOPELESS_TASKS:
                raise _nothing_succeeds(whole) from whole.error
            yield self._give_up(whole, _all_bad(whole, isolation))
        elif isolation.bad and all(
            self._is_proven(search.setbacks[item]) for item in isolation.bad
        ):
            whole.fate.searches = _SEARCHES
            failures = {
                item: self._telling_reason(search.setbacks[item]) for item in sorted(isolation.bad)
            }
            yield TaskIsolated(whole.key, failures)
            self._backlog.put(Errand(whole.task, payload.without(failures), fate=whole.fate))
        else:  # nothing was found, or it may be their machine's fault
            self._backlog.put(Errand(whole.task, payload, fate=whole.fate))

    def _is_proven(self, setbacks: list[Setback]) -> bool:
        """Whether one of the failures was on a machine that is known to compute."""
        return any(setback.machine in self._proven for setback in setbacks)

    def _telling_reason(self, setbacks: list[Setback]) -> str:
        """What a sound machine says rather than another, and an exception rather than a death; else the last."""
        ranked = [
            (each.machine in self._proven, each.raised, at) for at, each in enumerate(setbacks)
        ]
        return setbacks[max(ranked)[-1]].reason

    def _give_up(self, errand: Errand, error: BaseException) -> TaskFailed:
        self._settle(errand)
        self._backlog.forget(errand.key)
        return TaskFailed(errand.key, errand.avoided, error, errand.failures)

    def _settle(self, errand: Errand) -> None:
        errand.fate.settled = True
        self.searches.pop(errand.key, None)


def _told(error: BaseException) -> str:
    """An exception on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{type(error).__name__}: {text}"[:500]


def _deaths(errand: Errand) -> PoolError:
    return PoolError(
        f"{errand.key}: {errand.counted} workers died at it, the last, {errand.avoided}, because {errand.reason}. "
        "If it needs more memory than it gets, take fewer workers or smaller tasks."
    )


def _all_bad(errand: Errand, isolation: Isolation) -> PoolError:
    return PoolError(
        f"{errand.key}: each of its {len(isolation.bad)} items fails by itself, the last because: {errand.reason}. "
        "That is rather the workers' fault than theirs, so none is marked as failed. Mend that, then run the same "
        "command again."
    )


def _nothing_succeeds(errand: Errand) -> PoolError:
    return PoolError(
        f"nothing succeeds: tasks fail again and again, whole and in parts, on every worker. The last was {errand.key} "
        f"on {errand.avoided}: {errand.reason}. Look at the workers' memory, their GPU and what they read; then run "
        "the same command again."
    )
