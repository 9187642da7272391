"""Which items of a task are at fault: halve what fails until each bad item stands alone (poison-item isolation).

Knows numbers of items only. Does not know what they are, nor who computes them.

A task of 8 items, of which item 5 is bad; each line is a range that is tried:

    [0, 4) passes    [4, 8) fails, so its halves follow
    [4, 6) fails     [6, 8) passes
    [4, 5) passes    [5, 6) fails: a single item, so it is bad
"""

from collections import deque
from dataclasses import dataclass, field

SINGLE_FAILURES = 2
"""How often a single item must fail before it is taken to be at fault."""


@dataclass
class Bisection:
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
    _probed: set[range] = field(default_factory=set)

    @classmethod
    def begin(cls, items: int, reason: str) -> "Bisection":
        """A search after the whole task has failed for a reason; a single item needs none and is bad at once."""
        bisection = cls(items)
        if items == 1:
            bisection.bad[0] = reason
        else:
            bisection._halve(range(items))
        return bisection

    @property
    def is_over(self) -> bool:
        """Whether no range waits and none is being tried."""
        return not self._waiting and not self._probed

    @property
    def all_bad(self) -> bool:
        """Whether every item at which there is anything to compute fails."""
        return len(self.bad) == self.items - self.idle

    def take(self) -> range | None:
        """The next items to try, if any wait; they are being tried until `passed` or `failed` is called for them."""
        if not self._waiting:
            return None
        items = self._waiting.popleft()
        self._probed.add(items)
        return items

    def passed(self, items: range, *, idle: bool = False) -> None:
        """These items are sound, or were at this attempt; or, when `idle`, nothing is computed for them."""
        self._probed.discard(items)
        if idle:
            self.idle += len(items)

    def failed(self, items: range, reason: str) -> None:
        """These items failed, once where they are many, `SINGLE_FAILURES` times where it is one."""
        self._probed.discard(items)
        # Both halves follow: several items may be bad, in both of them.
        if len(items) == 1:
            self.bad[items.start] = reason
        else:
            self._halve(items)

    def _halve(self, items: range) -> None:
        middle = (items.start + items.stop) // 2
        self._waiting.append(range(items.start, middle))
        self._waiting.append(range(middle, items.stop))
