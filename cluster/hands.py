"""The scheduler's view of one worker: what it was asked, and since when. Knows no engine, and judges nothing."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from cluster.errands import Errand
from cluster.fleet import Call, Worker


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
        return self.state == "ready" and (not self.asked or any(not asked.errand.settled for asked in self.asked))

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
            and not any(asked.errand.alone_on_worker or asked.errand.settled for asked in self.asked)
        )
