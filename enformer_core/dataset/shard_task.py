"""A shard as a piece of work: the whole of it, a part that is only tried, or all but the rows that break it.

Knows rows of the plan by number. Does not know what is computed, nor where.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from enformer_core.dataset.plan import Shard


@dataclass(frozen=True)
class Trial:
    """What comes of a trial.

    Attributes:
        computed: rows for which something was computed; one of none proves nothing about who computed.
    """

    computed: int


@dataclass(frozen=True)
class ShardWork:
    """What a worker is asked to do with a shard.

    Attributes:
        shard: which.
        failed: rows of the shard that are not computed, each with the reason that it gets.
        trial: rows [first, end) that are computed for a trial, and nothing is kept; None for the whole shard.
    """

    shard: Shard
    failed: Mapping[int, str] = field(default_factory=dict)
    trial: tuple[int, int] | None = None

    @property
    def items(self) -> int:
        """Rows of the shard."""
        return self.shard.rows

    def probe(self, first: int, end: int) -> "ShardWork":
        """Only a trial of rows [first, end)."""
        return replace(self, trial=(first, end))

    def without(self, failures: Mapping[int, str]) -> "ShardWork":
        """The whole shard but for some rows, for each of which there is a reason."""
        return replace(self, failed={**self.failed, **failures}, trial=None)

    def left_out(self) -> Mapping[int, str | None]:
        """Rows that are not computed: with a reason where they have failed, with None beside a trial."""
        first, end = self.trial or (0, self.items)
        beside = (row for row in range(self.items) if not first <= row < end)
        return MappingProxyType({**dict.fromkeys(beside), **self.failed})
