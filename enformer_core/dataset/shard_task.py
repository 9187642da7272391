"""A shard as a task: all of it, some rows tried out, or all but the rows that break it.

Rows are numbered within the shard. Which of these a worker is handed is for the pool to decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from enformer_core.dataset.plan import Shard

LeftOut = Mapping[int, str | None]
"""Rows that are not computed: with a reason where they have failed, with None beside a trial."""


@dataclass(frozen=True)
class TrialResult:
    """What comes of trying some rows.

    Attributes:
        computed: rows for which something was computed; a trial of none proves nothing.
    """

    computed: int


@dataclass(frozen=True)
class ShardTask:
    """What a worker is handed.

    Attributes:
        shard: which.
        failed: rows that are not computed, each with the reason that its row will give.
        trial: rows [first, end) that are computed, and nothing is kept; None for all of them.
    """

    shard: Shard
    failed: Mapping[int, str] = field(default_factory=dict)
    trial: tuple[int, int] | None = None

    @property
    def items(self) -> int:
        """How many rows the shard has."""
        return self.shard.rows

    def probe(self, first: int, end: int) -> "ShardTask":
        """Only a trial of rows [first, end)."""
        return replace(self, trial=(first, end))

    def without(self, failures: Mapping[int, str]) -> "ShardTask":
        """All of the shard but some rows, for each of which there is a reason."""
        # rows that failed before stay out: they would end the worker again
        failed = {**self.failed, **failures}
        return replace(self, failed=failed, trial=None)

    def left_out(self) -> LeftOut:
        """Rows that are not computed, and why not."""
        first, end = self.trial or (0, self.items)
        beside = [row for row in range(self.items) if not first <= row < end]
        untried: dict[int, str | None] = dict.fromkeys(beside)
        # a row that has failed keeps its reason, tried or not
        left_out = {**untried, **self.failed}
        return MappingProxyType(left_out)
