"""Which worker does which task when, and again after a failure: the same loop over every kind of fleet.

What fails is judged by `judgement`, workers are looked after by `crew`. Does not know where workers run, nor what they
compute.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from statistics import median
from types import TracebackType
from typing import Self

from cluster.backend import Call, Fleet, Gone, Outcome
from cluster.failure_policy import Backoff, Judge
from cluster.pool import (
    Classify,
    Event,
    PoolError,
    Task,
    TaskDone,
    TaskStarted,
    WorkerLost,
    blame_task,
)
from cluster.task_queue import Backlog, Errand
from cluster.worker_process import Done, Dropped, Failure
from cluster.worker_set import Asked, Crew, Hand

_TICK_S = 1.0
_REST_TICK_S = 0.25  # while a worker comes back
_DRAIN_S = 30.0  # for what is being stored when a run is interrupted
_LAST_WORDS_S = 0.5  # for results that are on their way when all is stored
_STRAGGLES = 1.5  # times the median of finished tasks
_SHORTEST_TWIN_S = 5.0  # shorter tasks are not worth a second copy
_SAMPLE = 1000


class Scheduler:
    """A pool of workers over a fleet (see `cluster.pool.Pool`).

    A worker is given a task to compute and, while others wait too, one to fetch beside it; the one before is stored
    meanwhile. When it dies, the oldest of its tasks is to blame, unless its machine is gone with it. A task that has
    failed is alone on its worker. At the end, when workers are idle, slow tasks are run twice, and the first wins.

    Args:
        fleet: where workers are hired; closed with this pool.
        workers: how many, at most; None for as many as the machines hold, whenever they are asked.
        classify: whose fault an exception is; the task's own by default.
        twins: whether slow tasks may be run twice.
        seed: of the pauses between attempts.
    """

    def __init__(
        self,
        fleet: Fleet,
        *,
        workers: int | None,
        classify: Classify = blame_task,
        twins: bool = True,
        seed: int = 0,
    ) -> None:
        self._fleet = fleet
        self._classify = classify
        self._twins = twins
        self._backoff = Backoff(seed)
        self._crew = Crew(fleet, size=workers, classify=classify, backoff=self._backoff)
        self._durations_s: deque[float] = deque(maxlen=_SAMPLE)
        self._interrupted = False
        self._closed = False
        self._backlog = Backlog(())
        self._judge = self._new_judge()

    @property
    def waiting(self) -> int:
        """Tasks that were read and are not begun."""
        return self._backlog.waiting

    def run(self, tasks: Iterable[Task]) -> Iterator[Event]:
        """Work through the tasks; leaving the loop early stops the workers."""
        if self._closed:
            raise PoolError("the pool is closed: make a new one")
        self._backlog = Backlog(tasks)
        self._judge = self._new_judge()
        self._crew.begin()
        try:
            while not self._interrupted and not self._is_over():
                self._hire()
                yield from self._resume_rested()
                yield from self._assign()
                yield from self._listen()
                yield from self._crew.mind_absence()
            if self._interrupted:
                yield from self._drain()
        except BaseException:
            self._crew.dismiss()  # whatever they were at, nobody waits for it any more
            raise
        self._crew.dismiss_busy()  # with second copies of what is done

    def interrupt(self) -> None:
        """Begin nothing more; `run` ends when what is being stored is stored."""
        self._interrupted = True
        self._fleet.interrupt()

    def report(self, name: str, value: float) -> None:
        """Nothing shows figures here."""

    def close(self) -> None:
        """Stop the workers and give the fleet back."""
        self._crew.dismiss()
        self._fleet.close()
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

    def _new_judge(self) -> Judge:
        return Judge(self._backlog, classify=self._classify, backoff=self._backoff)

    def _is_over(self) -> bool:
        return self._backlog.is_empty and not self._judge.searches and not self._wanted()

    def _wanted(self) -> list[Asked]:
        """What workers were given and is still of use: not the second copy of what is done."""
        return [
            asked for hand in self._crew.hands for asked in hand.asked if not asked.errand.settled
        ]

    def _has_other_copy(self, errand: Errand) -> bool:
        """Whether a worker still has it, once another's copy has been taken back."""
        return any(asked.errand is errand for hand in self._crew.hands for asked in hand.asked)

    def _hire(self) -> None:
        if self._crew.is_due():
            most = self._crew.most()
            needed = self._backlog.look_ahead(most) + len(self._wanted())
            self._crew.grow(min(most, max(needed, 1)))

    def _resume_rested(self) -> Iterator[Event]:
        now_s = self._fleet.now()
        for errand in self._backlog.rested(now_s):
            machine_lost = errand.lost_on is not None and self._fleet.is_machine_lost(
                errand.lost_on
            )
            yield from self._judge.after_pause(errand, now_s, machine_lost=machine_lost)
        yield from self._replace_faulty()

    def _assign(self) -> Iterator[Event]:
        wanted = self._wanted()
        if any(asked.errand.solitary for asked in wanted):
            return
        idle = [hand for hand in self._crew.hands if hand.is_idle]
        if idle and not wanted and (errand := self._backlog.take_solitary()):
            yield from self._give(idle[0], errand)
            return
        trusted = self._trusted()
        for limit in range(1, self._fleet.tasks_at_once + 1):
            if limit > 1 and not self._may_queue():
                break
            for hand in sorted(trusted, key=lambda hand: len(hand.asked)):
                if hand.has_room(limit) and (limit == 1 or self._may_queue()):
                    yield from self._give_next(hand, trusted)
        yield from self._run_twice([hand for hand in trusted if hand.is_idle])

    def _trusted(self) -> list[Hand]:
        """Workers that may be given something: those that do not fail at everything, or all when all do."""
        ready, now_s = (
            [hand for hand in self._crew.hands if hand.state == "ready"],
            self._fleet.now(),
        )
        sound = [hand for hand in ready if not self._judge.records.doubts(hand.name, now_s)]
        return sound if any(hand.is_of_use for hand in sound) else ready

    def _may_queue(self) -> bool:
        """Whether tasks may be given to busy workers: the last are not made to wait while another might get free."""
        enough = len(self._crew.hands) + 1
        return not self._backlog.wants_empty_worker and self._backlog.look_ahead(enough) == enough

    def _give_next(self, hand: Hand, trusted: list[Hand]) -> Iterator[Event]:
        others, now_s = (
            [other for other in trusted if other is not hand and other.is_of_use],
            self._fleet.now(),
        )

        def fits(errand: Errand) -> bool:
            """What has failed goes to another machine, or at least to another worker, where there is one."""
            if errand.alone_on_worker and hand.asked:
                return False
            if not errand.avoided or now_s >= errand.avoided_until_s:
                return True
            if hand.machine != errand.avoided_machine:
                return True
            return (
                not others
                if hand.name == errand.avoided
                else all(o.machine == hand.machine for o in others)
            )

        errand = self._backlog.take(fits)
        if errand is not None:
            yield from self._give(hand, errand)

    def _give(self, hand: Hand, errand: Errand, *, again: bool = False) -> Iterator[Event]:
        errand.has_copy = again
        hand.give(errand, self._fleet.now())
        yield from self._began(hand)

    def _began(self, hand: Hand) -> Iterator[Event]:
        """Say so when a worker has nothing before its oldest task any more."""
        if hand.asked and hand.asked[0].began_s is None:
            hand.asked[0].began_s = self._fleet.now()
            yield TaskStarted(hand.asked[0].errand.key, hand.name)

    def _run_twice(self, idle: list[Hand]) -> Iterator[Event]:
        """Give idle workers second copies of the tasks that take longest, when there is nothing else to do."""
        if not self._twins or not idle or not self._durations_s:
            return
        slow_s, now_s = (
            max(_SHORTEST_TWIN_S, _STRAGGLES * median(self._durations_s)),
            self._fleet.now(),
        )
        whole = [asked for asked in self._wanted() if asked.errand.probe is None]
        # Not a third when one of two has failed: there would always be one that runs, and no failure would count.
        slow = [
            asked for asked in whole if not asked.errand.has_copy and asked.seconds(now_s) > slow_s
        ]
        slow.sort(key=lambda asked: asked.given_s)
        for hand, asked in zip(idle, slow, strict=False):
            yield from self._give(hand, asked.errand, again=True)

    def _listen(self) -> Iterator[Event]:
        resting = self._crew.call()
        for hand, reason in [*self._crew.stuck()]:
            yield from self._lost(hand, Gone(reason, coming_back=True))
            self._crew.replace(hand)
        whose = {call: hand for hand in self._crew.hands for call in hand.calls()}
        for call, outcome in self._fleet.wait(list(whose), self._longest_wait_s(resting=resting)):
            hand = whose[call]
            if (
                call in hand.calls()
            ):  # else it was given back when its worker was lost, a moment ago
                hand.heard_s = self._fleet.now()
                yield from self._hear(hand, call, outcome)
        yield from self._replace_faulty()

    def _longest_wait_s(self, *, resting: bool) -> float:
        tick_s, ends_s = _REST_TICK_S if resting else _TICK_S, self._backlog.next_rest_ends_s()
        return tick_s if ends_s is None else min(tick_s, max(ends_s - self._fleet.now(), 0.01))

    def _hear(self, hand: Hand, call: Call, outcome: Outcome) -> Iterator[Event]:
        if isinstance(outcome, Gone):
            yield from self._lost(hand, outcome)
        elif call in (hand.question, hand.pulse):
            yield from self._crew.answered(hand, call, outcome)
        elif outcome is None:  # its process died and came back unnoticed, so it had not begun
            had, _ = self._crew.lost(hand, Gone("its process died between two tasks"))
            self._give_back(had)
            yield WorkerLost(hand.name, "its process died between two tasks")
        else:
            yield from self._finished(hand, call, outcome)

    def _finished(
        self, hand: Hand, call: Call, outcome: Done | Dropped | Failure
    ) -> Iterator[Event]:
        asked, now_s = hand.take_back(call), self._fleet.now()
        errand = asked.errand
        if not errand.settled and isinstance(outcome, Done):
            if errand.probe is None:
                yield from self._done(hand, asked, outcome)
            yield from self._judge.succeeded(
                hand.name, errand, outcome.value, machine=hand.machine, now_s=now_s
            )
        elif not errand.settled and not self._has_other_copy(errand):
            if isinstance(outcome, Failure):
                yield from self._judge.raised(
                    hand.name, errand, outcome, machine=hand.machine, now_s=now_s
                )
            else:
                self._give_back([errand])
        yield from self._began(hand)

    def _done(self, hand: Hand, asked: Asked, outcome: Done) -> Iterator[Event]:
        key = asked.errand.key
        if asked.began_s is None:  # it overtook another
            yield TaskStarted(key, hand.name)
        else:
            self._durations_s.append(asked.seconds(self._fleet.now()))
        yield TaskDone(key, hand.name, outcome.value, outcome.seconds)

    def _lost(self, hand: Hand, gone: Gone) -> Iterator[Event]:
        machine, (had, events) = hand.machine, self._crew.lost(hand, gone)
        yield from events
        if had:
            oldest, *others = had
            for errand in others:
                errand.beside_death = True
            self._give_back(others)
            if not oldest.settled and not self._has_other_copy(oldest):
                self._judge.lost(hand.name, oldest, gone, machine=machine, now_s=self._fleet.now())

    def _give_back(self, errands: Iterable[Errand]) -> None:
        for errand in reversed([*errands]):
            if not errand.settled and not self._has_other_copy(errand):
                self._backlog.put_first(errand)

    def _replace_faulty(self) -> Iterator[Event]:
        for name in self._judge.records.take_faulty():
            for hand in [hand for hand in self._crew.hands if hand.name == name]:
                had, notice = self._crew.replace_faulty(hand)
                self._give_back(had)
                yield notice

    def _drain(self) -> Iterator[Event]:
        """After an interruption: wait for what is being stored, report it, and end all workers."""
        ends_s = self._fleet.now() + _DRAIN_S
        draining = {hand.worker.drain() for hand in self._crew.hands if hand.asked}
        while draining and self._fleet.now() < ends_s:
            yield from self._hear_results(draining, ends_s - self._fleet.now())
        ends_s = self._fleet.now() + _LAST_WORDS_S
        while self._wanted() and self._fleet.now() < ends_s:
            yield from self._hear_results(draining, ends_s - self._fleet.now())
        self._crew.dismiss()

    def _hear_results(self, draining: set[Call], timeout_s: float) -> Iterator[Event]:
        whose = {asked.call: hand for hand in self._crew.hands for asked in hand.asked}
        for call, outcome in self._fleet.wait([*whose, *draining], timeout_s):
            draining.discard(call)
            if call in whose and isinstance(outcome, Done):
                yield from self._finished(whose[call], call, outcome)
            elif call in whose:
                whose[call].take_back(call)
