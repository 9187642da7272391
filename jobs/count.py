"""How many are done, how fast, and how long the rest will take, in words.

Knows counts and time. Does not know what is counted: the caller names the unit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from enformer_core.dataset.progress import Rate
from enformer_core.words import duration

_LEAST_FIRST = ("audited", "elapsed", "rate", "phase", "left")
"""Parts of what is said, in the order in which they are left out; how many are done is always said."""


@dataclass
class Count:
    """How many are done, and how fast.

    Attributes:
        total: how many there are, those of earlier runs included.
        unit: what is counted, in the plural.
        done_before: how many earlier runs have done; no part of the rate.
        done: how many are done by now, those included.
        audited: how many of those done here were computed twice, which takes its time too.
        phase: what the run is at while nothing is done here.
        in_hand: tells how many are computed that are not done yet.
    """

    total: int
    unit: str
    done_before: int = 0
    done: int = field(init=False)
    audited: int = field(init=False, default=0)
    phase: str = field(init=False, default="")
    in_hand: Callable[[], int] = field(init=False)
    _most: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.done = self.done_before
        self.in_hand = _none

    @property
    def computed(self) -> int:
        """How many are done or in hand; never fewer than before, also where a worker dies with what it had."""
        self._most = max(self._most, min(self.done + self.in_hand(), self.total), self.done)
        return self._most

    def rate(self, work_s: float) -> Rate:
        """How fast it goes since the first was begun, `work_s` ago; what earlier runs have done cost no time here."""
        return Rate(self.computed - self.done_before, work_s)

    def text(
        self, elapsed_s: float, work_s: float | None = None, *, most: int | None = None
    ) -> str:
        """`1,200 of 10,000 alleles (12 %), 35.2 alleles/s, 4 min left, 34 s elapsed`.

        Args:
            elapsed_s: since the start.
            work_s: since the first was begun; the same by default.
            most: letters for which there is room: of what is too long, what matters least is not said.
        """
        said = self._parts(elapsed_s, elapsed_s if work_s is None else work_s)
        for name in _LEAST_FIRST:
            if most is None or len(", ".join(said.values())) <= most:
                break
            said.pop(name, None)
        return ", ".join(said.values())

    def _parts(self, elapsed_s: float, work_s: float) -> dict[str, str]:
        """What there is to say, by name, in order."""
        computed = self.computed
        percent = 100 * computed // self.total if self.total else 100
        said = {"count": f"{computed:,} of {self.total:,} {self.unit} ({percent} %)"}
        rate = self.rate(work_s)
        left_s = rate.seconds_left(self.total - computed)
        if rate.per_second is not None and left_s is not None:
            said["rate"] = f"{significant(rate.per_second)} {self.unit}/s"
            if computed < self.total:
                said["left"] = f"{duration(left_s)} left"
        elif self.phase:
            said["phase"] = self.phase
        if self.audited:
            said["audited"] = f"{self.audited:,} audited"
        if elapsed_s >= 1:
            said["elapsed"] = f"{_to_the_second(elapsed_s)} elapsed"
        return said


def _none() -> int:
    return 0


def _to_the_second(seconds: float) -> str:
    # Lines come every 10 s: two that look alike would look like a standstill.
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if 90 <= seconds < 5400 else duration(seconds)


def significant(rate: float) -> str:
    """A rate in three digits, or in all that it has before its point."""
    # Three digits, but no exponent: .3g would write 1234 as 1.23e+03.
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
