"""Alleles whose scores another run has computed: what is known of them, and what a receipt says.

Does not know how they are found.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa

from enformer_core.dataset.receipts import Provenance, ReusedRows
from enformer_core.dataset.reused import digest_of_values, stretches
from enformer_core.scoring.statistics import AlleleScores, Statistic
from enformer_core.variants.table import Flag


@dataclass(frozen=True)
class Origin:
    """Which shard of which run computed a row."""

    run: str
    identity: str
    shard: int


@dataclass(frozen=True)
class CopiedAllele:
    """An allele as another run has scored it.

    Attributes:
        scores: each statistic, as stored there.
        origin: the shard that computed it.
        provenance: of that shard.
        spread: of each statistic over replicates, as stored there; nothing of one model alone.
    """

    scores: AlleleScores
    origin: Origin
    provenance: Provenance
    spread: AlleleScores = field(default_factory=dict)


@runtime_checkable
class AlleleSource(Protocol):
    """What knows scores of alleles already."""

    def find(self, rows: pa.Table, wanted: Collection[int]) -> Mapping[int, CopiedAllele]:
        """The alleles that are known, by row.

        Args:
            rows: of the plan, those of a shard.
            wanted: rows that are to be scored, from 0.
        """
        ...


def with_repeats(copied: Mapping[int, CopiedAllele], rows: pa.Table) -> dict[int, CopiedAllele]:
    """Copied rows with those that repeat them, which stand behind."""
    if not copied:
        return {}
    of_all: dict[int, CopiedAllele] = {}
    for at, flags in enumerate(rows["flags"].to_pylist()):
        before = of_all.get(at - 1) if Flag.DUPLICATE in (flags or ()) else copied.get(at)
        if before is not None:
            of_all[at] = before
    return of_all


def reused_rows(
    copied: Mapping[int, CopiedAllele], scores: pa.Table, statistics: Sequence[Statistic]
) -> tuple[ReusedRows, ...]:
    """What a receipt says of copied rows.

    Args:
        copied: by row, repeats too.
        scores: the table that they stand in.
        statistics: its columns of values.
    """
    by_origin: dict[Origin, list[int]] = defaultdict(list)
    for at, each in copied.items():
        by_origin[each.origin].append(at)
    entries = []
    for origin, at_rows in by_origin.items():
        rows = stretches(at_rows)
        entries.append(
            ReusedRows(
                run=origin.run,
                identity=origin.identity,
                shard=origin.shard,
                rows=rows,
                values=digest_of_values(scores, statistics, rows),
                provenance=copied[at_rows[0]].provenance,
            )
        )
    return tuple(entries)
