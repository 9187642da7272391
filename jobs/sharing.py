"""Several commands on one output, each with a part of the shards as its own: `--share 3/8`.

Nobody hands out work: every command knows its place, and sees by the receipts what the others have done. Knows numbers
of shards and receipts. Does not know what a shard holds.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from enformer_core.errors import InputError

if TYPE_CHECKING:  # settings read a share too, and must load at once
    from enformer_core.dataset.ledger import Ledger
    from enformer_core.dataset.plan import Shard, Shards

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

    Args:
        ledger: where receipts are looked for.
        shards: of the plan.
        done: those with a receipt when the command began.
        share: its place among others; None for a command that works alone, which looks for no more receipts.
        tell: is told of every shard that another command has committed meanwhile.
    """

    def __init__(
        self,
        ledger: "Ledger",
        shards: "Shards",
        *,
        done: set[int],
        share: Share | None,
        tell: "Callable[[Shard], None]",
    ) -> None:
        self._ledger = ledger
        self._shards = shards
        self._done = set(done)
        self._share = share
        self._tell = tell
        self._given: set[int] = set()

    def __iter__(self) -> "Iterator[Shard]":
        if self._share is None:
            yield from (shard for shard in self._shards if shard.number not in self._done)
            return
        for number in self._share.order(len(self._shards)):
            if not self._is_done(number):
                self._given.add(number)
                yield self._shards[number]

    def _is_done(self, number: int) -> bool:
        if number in self._done:
            return True
        # One small request before the work of minutes. Where it finds a receipt there are probably more, and a
        # listing of all names costs less than to ask for each.
        if not self._ledger.has_receipt(number):
            return False
        for other in sorted({number, *self._ledger.committed()} - self._done - self._given):
            self._done.add(other)
            self._tell(self._shards[other])
        return True
