"""Several commands on one output: each with a part of the shards as its own (`--share 3/8`), or all alike.

Nobody hands out work: every command knows its place, or looks for one when it meets another, and sees by the receipts
what the others have done. Knows numbers of shards and receipts. Does not know what a shard holds.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from enformer_core.errors import InputError

if TYPE_CHECKING:  # settings read a share too, and must load at once
    from enformer_core.dataset.ledger import Ledger
    from enformer_core.dataset.plan import Shard, Shards

_ASK_AFTER_S = 0.5

_SHARE = re.compile(r"([1-9]\d{0,8})/([1-9]\d{0,8})")


@dataclass(frozen=True)
class Share:
    """The place of one command among those that work at one output.

    Attributes:
        number: which it is, from 1.
        of: how many there are.
    """

    number: int
    of: int

    @classmethod
    def read(cls, text: str) -> "Share":
        """`3/8` as the third of eight.

        Raises:
            InputError: for anything else.
        """
        match = _SHARE.fullmatch(text)
        if match is None or int(match[1]) > int(match[2]):
            raise InputError(
                f"--share {text}: must be I/N, this command's number of how many, such as 3/8"
            )
        return cls(int(match[1]), int(match[2]))

    def order(self, shards: int) -> list[int]:
        """All shards, in the order in which this command takes them: its own part, then what others may leave.

        The third of three commands, twelve shards in parts of four: 8 9 10 11, forwards. Then it helps: of each part
        every second shard, for the first command helps the second too, and backwards, for a part's own command comes
        forwards and is met only once: 3 6 1 4. Then 0 2 5 7 shuffled, which other helpers may have left: of two that
        took those in one order, one would compute each shard just behind the other.
        """
        own: list[int] = []
        helped: list[tuple[int, int]] = []
        rest: list[int] = []
        for part in range(1, self.of + 1):
            first, end = (shards * at // self.of for at in (part - 1, part))
            if part == self.number:
                own.extend(range(first, end))
                continue
            # of this helper among all but the part's own: 0 for the command that comes next in the circle
            behind = (self.number - part) % self.of
            rank = behind - 1
            for shard in range(first, end):
                if shard % (self.of - 1) == rank:
                    helped.append((end - shard, shard))
                else:
                    rest.append(shard)
        random.Random(self.number).shuffle(rest)  # noqa: S311 - spreads work, keeps no secret
        return [*own, *(shard for _, shard in sorted(helped)), *rest]


class OpenShards:
    """The shards that this command is to compute, in its order; which those are shows as others get on.

    With a share it begins with its own part. Without one the command that has begun the run goes from the first to the
    last, as if alone; one that finds the run begun starts amid the largest stretch of open shards, for whoever began
    it may be at its first. Each goes on so until it meets another: a shard that has a receipt since, or of which
    another attempt had put something before. Then it looks again for the largest stretch that nobody seems to have
    begun:

        shards     0  1  2  3  4  5  6  7  8  9
        A          0  1  2  3  4                  has begun the run
        B                      5  6  7            came later: somewhere amid 0 to 9

    Args:
        ledger: where receipts are looked for.
        shards: of the plan.
        done: those with a receipt when the command began.
        share: its place among others; None where it was not told of any.
        is_first: whether this command has begun the run.
        tell: is told of every shard that another command has committed meanwhile.
        objects_there: how many objects this command's workers have found where they wanted to put theirs.
        clock: seconds, for how often receipts are asked for.
    """

    def __init__(
        self,
        ledger: "Ledger",
        shards: "Shards",
        *,
        done: set[int],
        share: Share | None,
        is_first: bool,
        tell: "Callable[[Shard], None]",
        objects_there: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._shards = shards
        self._share = share
        self._is_first = is_first
        self._tell = tell
        self._objects_there = objects_there
        self._clock = clock
        # a byte each: 0 while open, 1 when committed or given to this command's workers
        self._taken = bytearray(len(shards))
        for number in done:
            self._taken[number] = 1
        self._met_before = 0
        self._asked_s = clock()

    def __iter__(self) -> "Iterator[Shard]":
        numbers = self._by_stretches() if self._share is None else self._by_share(self._share)
        for number in numbers:
            self._taken[number] = 1
            yield self._shards[number]

    def _by_share(self, share: Share) -> Iterator[int]:
        for number in share.order(len(self._shards)):
            # One small request before the work of minutes. Where it finds a receipt there are probably more, and a
            # listing of all names costs less than to ask for each.
            if not self._taken[number] and self._ledger.has_receipt(number):
                self._see_others(number)
            if not self._taken[number]:
                yield number

    def _by_stretches(self) -> Iterator[int]:
        start = 0 if self._is_first else self._amid_the_largest_stretch()
        while start is not None:
            for number in range(start, len(self._shards)):
                if self._taken[number]:
                    continue
                if self._has_met_another(number):
                    break
                yield number
            start = self._amid_the_largest_stretch()

    def _has_met_another(self, number: int) -> bool:
        """Whether another command is at work here, as far as this one can see before it begins a shard."""
        met, self._met_before = self._met_before, self._objects_there()
        if self._met_before > met:
            self._see_others()
            return True
        # shards of less are not worth a request each
        if self._clock() - self._asked_s < _ASK_AFTER_S:
            return False
        self._asked_s = self._clock()
        is_done = self._ledger.has_receipt(number)
        if is_done:
            self._see_others(number)
        return is_done

    def _amid_the_largest_stretch(self) -> int | None:
        """Where nobody is known to be: by chance between its quarters, since others may look for a place too."""
        stretches = list(self._open_stretches())
        if not stretches:
            return None
        start, end = max(stretches, key=lambda stretch: stretch[1] - stretch[0])
        quarter = (end - start) // 4
        return random.randint(start + quarter, max(start, end - quarter - 1))  # noqa: S311 - keeps no secret

    def _open_stretches(self) -> Iterator[tuple[int, int]]:
        """From and to of each: of open, taken, open, open these are (0, 1) and (2, 4)."""
        start = self._taken.find(0)
        while start >= 0:
            end = self._taken.find(1, start)
            if end < 0:
                end = len(self._taken)
            yield start, end
            start = self._taken.find(0, end)

    def _see_others(self, *known: int) -> None:
        """Find out what others have committed meanwhile, beside these, and tell of it."""
        for other in sorted({*known, *self._ledger.committed()}):
            if not self._taken[other]:
                self._taken[other] = 1
                self._tell(self._shards[other])
