"""One worker as the driver knows it: what state it is in, what it was given, what it has yet to answer, how it fares.

Knows one worker; how each fares is told beside the others. Does not know what follows when one is lost.
"""

from dataclasses import dataclass, field

from cluster.backend import Call, Worker
from cluster.pool import Node
from cluster.task_queue import InFlight, TaskAttempt


@dataclass(frozen=True)
class BackingOff:
    """It died or could not be set up: it is left alone until `until_s`, then pinged."""

    until_s: float


@dataclass(frozen=True)
class Starting:
    """It was pinged at `since_s` and has not answered: it waits for a place on a node, or is coming back."""

    ping: Call
    since_s: float


@dataclass(frozen=True)
class Building:
    """It has answered from its node and makes its function, such as by loading a model."""

    call: Call
    node: Node


@dataclass
class Ready:
    """It does tasks.

    Attributes:
        node: where.
        in_flight: what it was given and has not answered, by call, the oldest first.
        useless_since_s: since when it has only been at what others have done.
    """

    node: Node
    in_flight: dict[Call, InFlight] = field(default_factory=dict)
    useless_since_s: float | None = None

    @property
    def is_of_use(self) -> bool:
        """Whether it is idle, or at something that nobody else has done meanwhile."""
        if not self.in_flight:
            return True
        return any(not flight.attempt.done for flight in self.in_flight.values())


WorkerState = BackingOff | Starting | Building | Ready
"""Starting → Building → Ready; after a death, or a set-up that failed, BackingOff → Starting."""


@dataclass(frozen=True)
class Heartbeat:
    """A ping to a worker that is busy, sent at `sent_s` and not answered yet, while `flight` was its oldest task."""

    call: Call
    sent_s: float
    flight: InFlight | None = None


@dataclass(eq=False)
class WorkerHandle:
    """One worker, as the driver knows it, through all its processes.

    Attributes:
        name: in events and messages.
        worker: the worker itself.
        state: what it is at; a state holds what is known in that state only.
        heartbeat: by which it is to show that it lives while it is building or at a task.
        heard_s: when it last answered anything.
        last_node: from which it answered last; None when it has not answered since it was started.
        setup_failures: in a row.
        replacements: how often it was replaced because it failed at everything.
    """

    name: str
    worker: Worker
    state: WorkerState
    heartbeat: Heartbeat | None = None
    heard_s: float = 0.0
    last_node: Node | None = None
    setup_failures: int = 0
    replacements: int = 0

    @property
    def in_flight(self) -> dict[Call, InFlight]:
        """What it was given and has not answered, the oldest first; nothing unless it is ready."""
        return self.state.in_flight if isinstance(self.state, Ready) else {}

    def attempts(self) -> list[TaskAttempt]:
        """The attempts that it has in flight, the oldest first."""
        return [flight.attempt for flight in self.in_flight.values()]

    @property
    def node(self) -> Node | None:
        """Where it is, while its process is known to be there."""
        return self.state.node if isinstance(self.state, Building | Ready) else None

    @property
    def where(self) -> str:
        """Where it answered from last, for a message: ` on gpu-node-3`; empty before it has answered."""
        return "" if self.last_node is None else f" on {self.last_node}"

    @property
    def is_ready(self) -> bool:
        """Whether it has made its function."""
        return isinstance(self.state, Ready)

    @property
    def is_idle(self) -> bool:
        """Whether it could begin something at once."""
        return self.is_ready and not self.in_flight

    @property
    def is_of_use(self) -> bool:
        """Whether it is ready, and not only at what others have done meanwhile."""
        return isinstance(self.state, Ready) and self.state.is_of_use

    @property
    def is_busy(self) -> bool:
        """Whether it makes its function or is at a task."""
        return isinstance(self.state, Building) or bool(self.in_flight)

    def has_room(self, limit: int) -> bool:
        """Whether it may be given one more and then has `limit` at most."""
        if not self.is_ready or len(self.in_flight) >= limit:
            return False
        # Behind what another has done meanwhile a task would wait for nothing.
        return not any(attempt.exclusive_on_worker or attempt.done for attempt in self.attempts())

    def unanswered_s(self, now_s: float) -> float:
        """For how long a ping is not answered by a worker that was there once; 0 when nothing is owed."""
        if self.heartbeat is not None:
            return now_s - self.heartbeat.sent_s
        # One that was never there may wait for a node to be added, however long that takes.
        if isinstance(self.state, Starting) and self.last_node is not None:
            return now_s - self.state.since_s
        return 0.0

    def useless_s(self, now_s: float) -> float:
        """For how long it has only been at what others have done."""
        if isinstance(self.state, Ready) and self.state.useless_since_s is not None:
            return now_s - self.state.useless_since_s
        return 0.0

    def open_calls(self) -> list[Call]:
        """All that it has yet to answer."""
        # Results before signs of life: a backend may hand out answers in this order.
        calls = list(self.in_flight)
        match self.state:
            case Starting(ping=call) | Building(call=call):
                calls.append(call)
        if self.heartbeat is not None:
            calls.append(self.heartbeat.call)
        return calls

    def ping(self, now_s: float) -> None:
        """Ask whether it is there; what it was at before does not count any more."""
        self.state = Starting(self.worker.ping(), now_s)

    def ask_heartbeat(self, now_s: float) -> None:
        """Ask a busy worker whether it lives."""
        self.heartbeat = Heartbeat(self.worker.ping(), now_s, self._oldest)

    @property
    def _oldest(self) -> InFlight | None:
        return next(iter(self.in_flight.values()), None)

    def heartbeat_answered(self, items_done: int) -> None:
        """It lives, and has told how far it is with its oldest task, for it computes them in their order."""
        about = None if self.heartbeat is None else self.heartbeat.flight
        self.heartbeat = None
        # It may have got done with that meanwhile; then nobody knows of what it told.
        if about is not None and about is self._oldest:
            about.items_done = items_done

    def build(self, node: Node, now_s: float) -> None:
        """Let it make its function, after it has answered from a node."""
        self.state = Building(self.worker.build(), node)
        self.last_node = node
        self.heard_s = now_s

    def give(self, attempt: TaskAttempt, now_s: float) -> None:
        """Give a ready worker something to do."""
        assert isinstance(self.state, Ready), "only ready workers are given anything"
        # An idle worker owes no sign of life, so its silence counts from its first task on.
        if not self.state.in_flight:
            self.heard_s = now_s
        call = self.worker.apply(attempt.payload)
        self.state.in_flight[call] = InFlight(attempt, self.name, self.state.node, now_s)

    def back_off(self, until_s: float) -> None:
        """Leave it alone until then; what it had in flight is forgotten, so take that out before."""
        self.state = BackingOff(until_s)
        self.heartbeat = None  # what the process that is gone was asked, no other answers


SUSPICIOUS_TASKS = 3
"""A worker that fails at so many different tasks in a row, while others succeed, is at fault itself."""

_SUSPECT_S = 300.0  # before a worker that is suspect is tried again in any case


@dataclass
class _Streak:
    """Counted failures of one worker since its last success: from when to when, and by task the attempts."""

    first_s: float
    last_s: float
    attempts: dict[str, list[TaskAttempt]] = field(default_factory=dict)


class WorkerHealth:
    """How each worker fares: its counted failures since its last success."""

    def __init__(self) -> None:
        self._streaks: dict[str, _Streak] = {}
        self._success_s: dict[str, float] = {}

    def record_success(self, worker: str, now_s: float) -> None:
        """It has computed something, so its failures before that count no more against it."""
        self._streaks.pop(worker, None)
        self._success_s[worker] = now_s

    def record_failure(self, worker: str, attempt: TaskAttempt, now_s: float) -> None:
        """A failure at this worker was counted against an attempt."""
        streak = self._streaks.setdefault(worker, _Streak(now_s, now_s))
        streak.last_s = now_s
        streak.attempts.setdefault(attempt.key, []).append(attempt)

    def is_suspect(self, worker: str, now_s: float) -> bool:
        """Whether it has failed at so much that it should be given nothing while others can be."""
        streak = self._streaks.get(worker)
        if streak is None or len(streak.attempts) < SUSPICIOUS_TASKS:
            return False
        return now_s - streak.last_s < _SUSPECT_S

    def faulty_workers(self) -> list[str]:
        """Those that fail at one task after another while others succeed: at fault themselves."""
        return [worker for worker in self._streaks if self._is_faulty(worker)]

    def evict(self, worker: str) -> list[TaskAttempt]:
        """Forget a worker's failures, for it is replaced: gives each attempt as often as one was counted against it."""
        streak = self._streaks.pop(worker)
        return [attempt for attempts in streak.attempts.values() for attempt in attempts]

    def _is_faulty(self, worker: str) -> bool:
        streak = self._streaks[worker]
        if len(streak.attempts) < SUSPICIOUS_TASKS:
            return False
        # A success elsewhere since the streak began: so it was not the tasks, nor something that all workers share.
        return any(
            success_s > streak.first_s
            for other, success_s in self._success_s.items()
            if other != worker
        )
