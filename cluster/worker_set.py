"""The workers of a pool: hired as machines join, called, set up, watched for silence, and replaced.

Knows workers and time. What they were doing when they died is given back to the caller, who decides what follows.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Self

from cluster.backend import Call, Fleet, Gone, Outcome, Worker
from cluster.failure_policy import Backoff
from cluster.pool import (
    MAX_ATTEMPTS,
    Classify,
    Event,
    PoolError,
    PoolNotice,
    WorkerLost,
    WorkerReady,
)
from cluster.task_queue import Errand
from cluster.worker_process import Done, Failure


@dataclass(eq=False)
class Asked:
    """An errand that a worker was given.

    Attributes:
        errand: which; another worker may have it too.
        call: what will be answered.
        given_s: when it was given.
        began_s: when the worker had nothing before it any more.
    """

    errand: Errand
    call: Call
    given_s: float
    began_s: float | None = None

    def seconds(self, now_s: float) -> float:
        """How long it takes already."""
        return now_s - (self.given_s if self.began_s is None else self.began_s)


@dataclass(eq=False)
class Hand:
    """One worker.

    It goes through `called` (is anyone there?), `building` and `ready`; after a death it is `resting`, then called.

    Attributes:
        name: in events and messages.
        worker: the worker itself.
        state: see above.
        question: the call that it is to answer before it is ready.
        pulse: the call by which it is to show that it lives while it is at something.
        asked_s: when it was last asked for a sign of life.
        heard_s: when it last answered anything.
        rest_until_s: when it may be called again.
        machine: the machine it is on, once it has answered.
        asked: what it was given and has not answered, the oldest first.
        setup_failures: in a row.
        replacements: how often it was replaced because it failed at everything.
        useless_since_s: since when it has only been at what others have done.
    """

    name: str
    worker: Worker
    state: Literal["resting", "called", "building", "ready"] = "resting"
    question: Call | None = None
    pulse: Call | None = None
    asked_s: float = 0.0
    heard_s: float = 0.0
    rest_until_s: float = 0.0
    machine: str = ""
    asked: deque[Asked] = field(default_factory=deque)
    setup_failures: int = 0
    replacements: int = 0
    useless_since_s: float | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it could begin something at once."""
        return self.state == "ready" and not self.asked

    @property
    def is_of_use(self) -> bool:
        """Whether it is ready, and not only at what others have done meanwhile."""
        return self.state == "ready" and (
            not self.asked or any(not asked.errand.settled for asked in self.asked)
        )

    @property
    def is_busy(self) -> bool:
        """Whether it is at something."""
        return self.state == "building" or (self.state == "ready" and bool(self.asked))

    def call(self, now_s: float) -> None:
        """Ask whether it is there."""
        self.state, self.question, self.asked_s = "called", self.worker.ping(), now_s

    def feel_pulse(self, now_s: float) -> None:
        """Ask whether it lives, while it is at something."""
        self.pulse, self.asked_s = self.worker.ping(), now_s

    def build(self, machine: str, now_s: float) -> None:
        """Let it make its function."""
        self.state, self.machine, self.heard_s = "building", machine, now_s
        self.question = self.worker.build()

    def rest(self, until_s: float) -> list[Errand]:
        """Be left alone for a while; gives back what it had, the oldest first."""
        had = [asked.errand for asked in self.asked]
        self.asked.clear()
        self.state, self.question, self.pulse, self.rest_until_s = "resting", None, None, until_s
        return had

    def give(self, errand: Errand, now_s: float) -> None:
        """Hand it an errand."""
        if not self.asked:
            self.heard_s = now_s
        self.asked.append(Asked(errand, self.worker.apply(errand.payload), now_s))

    def take_back(self, call: Call) -> Asked:
        """Take out what it has answered."""
        (asked,) = [asked for asked in self.asked if asked.call == call]
        self.asked.remove(asked)
        return asked

    def calls(self) -> list[Call]:
        """All that it has yet to answer."""
        waited = [asked.call for asked in self.asked]
        return [*waited, *(call for call in (self.question, self.pulse) if call is not None)]

    def has_room(self, limit: int) -> bool:
        """Whether it may be given one more."""
        return (
            self.state == "ready"
            and len(self.asked) < limit
            and not any(
                asked.errand.alone_on_worker or asked.errand.settled for asked in self.asked
            )
        )


_REST_S = 0.5  # between two calls to a worker that is coming back

_GROW_S = 5.0  # between two looks at what the machines can hold

_PATIENCE_S = 60.0  # without any worker, before saying what is waited for

_LISTEN_S = 60.0  # a busy worker that has said nothing for so long is asked whether it lives

_SILENCE_S = 300.0  # and given up when it does not answer for so long

_SETUPS_LATER = 10  # attempts in a row when some were set up before, and `MAX_ATTEMPTS` otherwise

_USELESS_S = 60.0  # for what another has done meanwhile; then it is given up


class Crew:
    """All workers of a pool.

    Attributes:
        hands: those that are hired, whatever their state.

    Args:
        fleet: where they are hired.
        size: how many, at most; None for as many as the machines hold, whenever they are asked.
        classify: whose fault an exception in a worker's set-up is.
        backoff: pauses before other attempts.
    """

    def __init__(
        self, fleet: Fleet, *, size: int | None, classify: Classify, backoff: Backoff
    ) -> None:
        self.hands: list[Hand] = []
        self._fleet = fleet
        self._size = size
        self._classify = classify
        self._backoff = backoff
        self._hired = 0
        self._any_was_ready = False
        self._grown_s = self._absent_since_s = self._fleet.now()
        self._last_loss = ""

    def begin(self) -> Self:
        """A run begins."""
        self._absent_since_s = self._fleet.now()
        self._grown_s = float("-inf")
        return self

    def is_due(self) -> bool:
        """Whether it is time to look again at what the machines can hold."""
        return self._fleet.now() - self._grown_s >= _GROW_S

    def most(self) -> int:
        """How many workers there may be now; at least one, so that a cluster which grows on demand sees some."""
        return max(1, self._fleet.capacity()) if self._size is None else self._size

    def grow(self, count: int) -> None:
        """Hire until there are so many."""
        self._grown_s = self._fleet.now()
        while len(self.hands) < count:
            name = f"worker-{self._hired}"
            self._hired += 1
            hand = Hand(name, self._fleet.hire(name))
            self.hands.append(hand)
            hand.call(self._fleet.now())

    def call(self) -> bool:
        """Call those that have rested, and busy ones that have been silent; says whether some rest still."""
        now_s, resting = self._fleet.now(), False
        for hand in self.hands:
            if hand.state == "resting" and now_s >= hand.rest_until_s:
                hand.call(now_s)
            elif hand.state == "resting":
                resting = True
            elif hand.is_busy and hand.pulse is None and now_s - hand.heard_s >= _LISTEN_S:
                hand.feel_pulse(now_s)
        return resting

    def stuck(self) -> Iterator[tuple[Hand, str]]:
        """Workers that were there once and are of use no more, each with the reason."""
        now_s = self._fleet.now()
        for hand in self.hands:
            unanswered = hand.pulse is not None or (hand.state == "called" and hand.machine)
            if unanswered and now_s - hand.asked_s >= _SILENCE_S:
                yield hand, "it does not answer any more"
            elif hand.state != "ready" or hand.is_of_use:
                hand.useless_since_s = None
            elif hand.useless_since_s is None:
                hand.useless_since_s = now_s
            elif now_s - hand.useless_since_s >= _USELESS_S:
                yield hand, "it does not get done with what another has done meanwhile"

    def answered(self, hand: Hand, call: Call, outcome: Outcome) -> Iterator[Event]:
        """A worker has answered a question about itself."""
        if call == hand.pulse:
            hand.pulse = None
        elif isinstance(outcome, Failure):
            error = outcome.exception(f"the set-up of {hand.name}")
            at_once = not self._any_was_ready and self._classify(error) != "storage"
            yield from self._failed_in_setup(hand, error, at_once=at_once)
        elif isinstance(outcome, Done) and hand.state == "called":
            hand.build(outcome.value, self._fleet.now())
        elif isinstance(outcome, Done):
            hand.state, hand.question, hand.setup_failures = "ready", None, 0
            self._any_was_ready = True
            yield WorkerReady(hand.name, outcome.value)
        else:  # begun anew since it was called
            hand.rest(self._fleet.now() + _REST_S)

    def lost(self, hand: Hand, gone: Gone) -> tuple[list[Errand], list[Event]]:
        """A worker is gone; what it had, the oldest first, and what is to be said."""
        state, self._last_loss = hand.state, gone.reason
        had = hand.rest(self._fleet.now() + _REST_S)
        if state == "ready":
            return had, [WorkerLost(hand.name, gone.reason)]
        return [], [*self._lost_in_setup(hand, state, gone)]

    def replace(self, hand: Hand, *, pause_s: float = 0.0) -> None:
        """Dismiss a worker and hire another in its place; what it had must have been taken from it."""
        hand.worker.dismiss()
        hand.rest(self._fleet.now() + pause_s)
        hand.worker, hand.machine = self._fleet.hire(hand.name), ""

    def replace_faulty(self, hand: Hand) -> tuple[list[Errand], PoolNotice]:
        """Replace a worker that fails at everything; what it had, and what is to be said."""
        had, machine = hand.rest(0), hand.machine
        self.replace(hand, pause_s=self._backoff.seconds(hand.replacements))
        hand.replacements += 1
        text = (
            f"{hand.name} on {machine} failed at one task after another while others succeeded, and is replaced. "
            "If this happens again, look at that machine."
        )
        return had, PoolNotice(text)

    def mind_absence(self) -> Iterator[Event]:
        """Say what is missing when no worker has been there for long, and again as long as that is so."""
        now_s = self._fleet.now()
        if any(hand.state in ("building", "ready") for hand in self.hands):
            self._absent_since_s = now_s
        elif now_s - self._absent_since_s >= _PATIENCE_S:
            self._absent_since_s = now_s
            died = f" The last one was lost because {self._last_loss}." if self._last_loss else ""
            yield PoolNotice(
                f"no worker for {_PATIENCE_S:.0f} s: {self._fleet.shortage()}.{died} "
                "The run goes on when a node that fits is free or added."
            )

    def dismiss(self) -> None:
        """End all, whatever they are at."""
        hands, self.hands = self.hands, []
        for hand in hands:
            hand.worker.dismiss()

    def dismiss_busy(self) -> None:
        """End those that are still at something."""
        for hand in [hand for hand in self.hands if hand.asked]:
            hand.worker.dismiss()
            self.hands.remove(hand)

    def _lost_in_setup(self, hand: Hand, state: str, gone: Gone) -> Iterator[Event]:
        """No answer from a worker that is not ready: it is still coming back, or died again."""
        if gone.hopeless:
            raise PoolError(
                f"{hand.name} cannot be started: {gone.reason}. Is the same code, with what it imports, on every node?"
            )
        if state == "called":
            if not gone.coming_back:
                self.replace(hand, pause_s=_REST_S)
            return
        yield WorkerLost(hand.name, f"died while it was set up: {gone.reason}")
        if gone.with_machine or self._fleet.is_machine_lost(hand.machine):
            return
        error = PoolError(
            f"{hand.name} died {hand.setup_failures + 1} times while it was set up, the last because: {gone.reason}. "
            "Most often its machine runs out of memory: take fewer workers, or give each more."
        )
        yield from self._failed_in_setup(hand, error, at_once=False)

    def _failed_in_setup(
        self, hand: Hand, error: BaseException, *, at_once: bool
    ) -> Iterator[Event]:
        """Another attempt after a pause; when there have been enough and nobody else is there, the run ends."""
        hand.rest(self._fleet.now() + self._backoff.seconds(hand.setup_failures))
        hand.setup_failures += 1
        alone = not any(other.state == "ready" for other in self.hands)
        enough = _SETUPS_LATER if self._any_was_ready else MAX_ATTEMPTS
        if alone and (at_once or hand.setup_failures >= enough):
            raise error
        if hand.setup_failures % MAX_ATTEMPTS == 0:
            machine = hand.machine
            self.replace(hand, pause_s=self._backoff.seconds(hand.setup_failures))
            reason = " ".join(str(error).split())[:500]
            yield PoolNotice(
                f"{hand.name} cannot be set up on {machine}: {reason}. Another is hired in its place."
            )
