"""What may go wrong, when, and how often it did."""

import random
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

from tests.simulation.world import Hub, Process


class Kind(Enum):
    """A kind of fault."""

    WORKER_KILLED = "worker killed"
    WORKER_FROZEN = "worker frozen that wakes later"
    NODE_LOST = "node lost"
    NODE_PREEMPTED = "node preempted with notice"
    HEAD_LOST = "head lost"
    DRIVER_KILLED = "driver killed"
    KILLED_BEFORE_RECEIPT = "driver and workers killed between a data put and its receipt"
    TWO_DRIVERS = "two drivers at once"
    CUT_OFF = "worker cut off from its driver"
    SLOW_DOWN = "503 storm"
    LOST_ANSWER = "put applied but its answer lost"
    PRECONDITION = "412"
    CONFLICT = "409"
    TORN_UPLOAD = "torn upload"
    DISK_FULL = "disk full"
    OUT_OF_MEMORY = "out of memory"
    EXPIRED_CREDENTIALS = "expired credentials"
    CORRUPT_BYTES = "corrupt bytes on reading"
    CORRUPT_WEIGHTS = "corrupt bytes of weights"
    CORRUPT_INPUT = "corrupt bytes of input"
    OTHER_GENOME = "another genome on some machines"
    POISON = "poison allele"
    STRAGGLER = "straggler"
    CLOCK_JUMP = "clock jump"
    # Beyond the list of what must be survived:
    SERVER_ERROR = "500"
    RESET = "connection reset before a request arrived"
    NODE_JOINED = "node joined"
    INTERRUPTED = "Ctrl-C"
    ALWAYS_FAILING = "worker that fails at everything"  # planted, not drawn, as is the next
    IGNORED_PRECONDITION = "store that ignores preconditions"


SPELLS = {
    Kind.SLOW_DOWN: (5.0, 90.0, 0.9),
    Kind.LOST_ANSWER: (20.0, 200.0, 0.35),
    Kind.TORN_UPLOAD: (10.0, 100.0, 0.4),
    Kind.DISK_FULL: (5.0, 60.0, 1.0),
    Kind.EXPIRED_CREDENTIALS: (5.0, 60.0, 1.0),
    Kind.CORRUPT_BYTES: (20.0, 200.0, 0.4),
    Kind.SERVER_ERROR: (5.0, 100.0, 0.5),
    Kind.RESET: (5.0, 100.0, 0.5),
}
"""Weather of the store: shortest and longest spell, and the share of requests that it hits."""

_ONLY_PUTS = frozenset({Kind.LOST_ANSWER, Kind.TORN_UPLOAD, Kind.DISK_FULL})
_ONLY_GETS = frozenset({Kind.CORRUPT_BYTES})

SUDDEN = (
    Kind.WORKER_KILLED,
    Kind.WORKER_FROZEN,
    Kind.NODE_LOST,
    Kind.NODE_PREEMPTED,
    Kind.HEAD_LOST,
    Kind.DRIVER_KILLED,
    Kind.KILLED_BEFORE_RECEIPT,
    Kind.CUT_OFF,
    Kind.OUT_OF_MEMORY,
    Kind.CORRUPT_WEIGHTS,
    Kind.CORRUPT_INPUT,
    Kind.OTHER_GENOME,
    Kind.STRAGGLER,
    Kind.CLOCK_JUMP,
    Kind.NODE_JOINED,
    Kind.INTERRUPTED,
)
"""Faults that befall processes and machines at a moment."""


@dataclass(frozen=True)
class Fault:
    """A fault and when it comes."""

    kind: Kind
    at_s: float


def draw_faults(chance: random.Random, *, horizon_s: float) -> list[Fault]:
    """The faults of one seed: from none to eight, of kinds that are all equally likely, before `horizon_s`."""
    kinds = [*SUDDEN, *SPELLS]
    count = chance.choice((0, 1, 1, 2, 2, 3, 4, 5, 8))
    return sorted(
        (Fault(chance.choice(kinds), chance.uniform(0.0, horizon_s)) for _ in range(count)),
        key=lambda fault: fault.at_s,
    )


@dataclass
class Spell:
    """Weather of one kind for a while."""

    kind: Kind
    ends_s: float
    share: float


@dataclass
class Weather:
    """How the store is today, and the account of all faults.

    Attributes:
        injected: how often each kind came over this world.
        effective: how often it really hit somebody.
    """

    hub: Hub
    injected: Counter[Kind] = field(default_factory=Counter)
    effective: Counter[Kind] = field(default_factory=Counter)
    spells: list[Spell] = field(default_factory=list)

    def begin(self, kind: Kind) -> None:
        shortest_s, longest_s, share = SPELLS[kind]
        self.injected[kind] += 1
        self.hub.note(f"spell of {kind.value}")
        self.spells.append(
            Spell(kind, self.hub.now_s + self.hub.random.uniform(shortest_s, longest_s), share)
        )

    def count(self, kind: Kind) -> None:
        """Something that comes by itself has come, and hit."""
        self.injected[kind] += 1
        self.effective[kind] += 1

    def took_effect(self, kind: Kind, really: bool = True) -> None:
        self.effective[kind] += really

    def of_put(self, process: Process, key: str) -> Kind | None:
        """What befalls a put."""
        return self._drawn(_ONLY_GETS)

    def of_read(self, process: Process, key: str) -> Kind | None:
        """What befalls a get, head or listing."""
        return self._drawn(_ONLY_PUTS)

    def _drawn(self, spared: frozenset[Kind]) -> Kind | None:
        self.spells = [spell for spell in self.spells if spell.ends_s > self.hub.now_s]
        for spell in self.spells:
            if spell.kind not in spared and self.hub.random.random() < spell.share:
                if spell.kind is not Kind.LOST_ANSWER:
                    self.took_effect(spell.kind)
                return spell.kind
        return None
