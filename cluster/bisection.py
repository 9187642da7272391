"""Which items of a task are at fault: halve what fails until each bad item stands alone.

Knows numbers of items only. Does not know what they are, nor who computes them.
"""

from collections import deque
from dataclasses import dataclass, field

SINGLE_FAILURES = 2
"""How often a single item must fail before it is taken to be at fault."""


@dataclass
class Isolation:
    """The search for a task's bad items.

    Attributes:
        items: how many the task has.
        bad: those found so far, each with its reason.
        idle: how many were passed without anything being computed: they are neither sound nor bad.
    """

    items: int
    bad: dict[int, str] = field(default_factory=dict)
    idle: int = 0
    _waiting: deque[range] = field(default_factory=deque)
    _out: set[range] = field(default_factory=set)

    @classmethod
    def begin(cls, items: int, reason: str) -> "Isolation":
        """After the whole has failed; a single item needs no search."""
        search = cls(items)
        if items == 1:
            search.bad[0] = reason
        else:
            search._halve(range(items))
        return search

    @property
    def is_over(self) -> bool:
        """Nothing waits, and nobody is at anything."""
        return not self._waiting and not self._out

    def take(self) -> range | None:
        """The next items to try, if any wait."""
        if not self._waiting:
            return None
        probe = self._waiting.popleft()
        self._out.add(probe)
        return probe

    @property
    def all_bad(self) -> bool:
        """Whether every item at which there is anything to compute fails."""
        return len(self.bad) == self.items - self.idle

    def passed(self, probe: range, *, idle: bool = False) -> None:
        """These items are sound, or were at this attempt; or, when `idle`, nothing is computed for them."""
        self._out.discard(probe)
        self.idle += len(probe) if idle else 0

    def failed(self, probe: range, reason: str) -> None:
        """These items failed, once where they are many, `SINGLE_FAILURES` times where it is one."""
        self._out.discard(probe)
        if len(probe) == 1:
            self.bad[probe.start] = reason
        else:
            self._halve(probe)

    def _halve(self, probe: range) -> None:
        middle = (probe.start + probe.stop) // 2
        self._waiting.extend((range(probe.start, middle), range(middle, probe.stop)))
