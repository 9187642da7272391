"""What a plan is: rows in order, in parts, and the shards they are cut into.

Every part of the program that works through a run speaks of these. Does not know how a plan is made (`plan_builder`),
nor how it is stored (`plan_storage`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from enformer_core.errors import DatasetError


@dataclass(frozen=True)
class Shard:
    """Neighbouring rows of the plan on one contig, computed as one piece of work.

    Attributes:
        number: counts from 0 over the run.
        chrom: the contig, or None for rows without a place.
        part: the part of the plan that holds its rows.
        first_row: its first row in that part.
        rows: how many.
    """

    number: int
    chrom: str | None
    part: int
    first_row: int
    rows: int


class Shards:
    """All shards of a plan, kept as columns: some 24 bytes each.

    Args:
        contigs: names, None for rows without a place.
        contig: index into `contigs` of each shard.
        part: the part of each shard; shards are in the order of parts and of rows.
        rows: rows of each shard.
    """

    def __init__(
        self,
        contigs: Sequence[str | None],
        *,
        contig: Sequence[int],
        part: Sequence[int],
        rows: Sequence[int],
    ) -> None:
        self._contigs = tuple(contigs)
        self._contig = np.array(contig, np.int32)
        self._part = np.array(part, np.int32)
        self._rows = np.array(rows, np.int64)
        # The row in its part is the row in the plan, minus the row at which this shard's part begins. Parts 0 0 1 1 and
        # rows 4 4 5 3: shards begin at rows 0 4 8 13 of the plan, their parts with shards 0 0 2 2, at rows 0 0 8 8.
        ends = np.cumsum(self._rows)
        row_in_plan = ends - self._rows
        first_of_part = np.searchsorted(self._part, self._part)
        self._first_row = row_in_plan - row_in_plan[first_of_part]

    @property
    def total_rows(self) -> int:
        """Rows of all shards together, which are all rows of the plan."""
        return int(self._rows.sum())

    def __len__(self) -> int:
        return int(self._rows.size)

    def __iter__(self) -> Iterator[Shard]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Shard:
        # A range counts negative indices from the end, and raises IndexError as a sequence must.
        number = range(len(self))[number]
        contig = self._contig[number]
        return Shard(
            number=number,
            chrom=self._contigs[contig],
            part=int(self._part[number]),
            first_row=int(self._first_row[number]),
            rows=int(self._rows[number]),
        )

    def __repr__(self) -> str:
        return f"Shards({len(self)} of {self.total_rows} rows)"


class ShardsBuilder:
    """Collects shards, part after part, each in the order of its rows."""

    def __init__(self) -> None:
        self._contigs: list[str | None] = []
        self._contig: list[int] = []
        self._part: list[int] = []
        self._rows: list[int] = []

    def __len__(self) -> int:
        return len(self._rows)

    def append(
        self,
        chrom: str | None,
        *,
        part: int,
        rows: int,
    ) -> None:
        """Add the shard that follows.

        Args:
            chrom: its contig, or None for rows without a place.
            part: its part; that of the shard before, or the next.
            rows: how many it has.
        """
        # Neighbours share a contig, so that few names are kept, however many shards there are.
        if not self._contigs or self._contigs[-1] != chrom:
            self._contigs.append(chrom)
        self._contig.append(len(self._contigs) - 1)
        self._part.append(part)
        self._rows.append(rows)

    def build(self) -> Shards:
        """Make columns of the shards that were added so far."""
        return Shards(
            self._contigs,
            contig=self._contig,
            part=self._part,
            rows=self._rows,
        )


@runtime_checkable
class Parts(Protocol):
    """Tables by number: a list of those in memory, or `StoredParts`, of which each is read when it is needed."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int, /) -> pa.Table: ...

    def __iter__(self) -> Iterator[pa.Table]: ...


@dataclass(frozen=True)
class Plan:
    """All alleles or tiles of a run in order, and the shards they are cut into.

    Attributes:
        parts: tables of rows, each row with its shard; no shard crosses parts.
        shards: in order; rows follow one another over parts.
    """

    parts: Parts
    shards: Shards


def check_complete(plan: Plan, answered: Mapping[int, int]) -> None:
    """Prove that receipts answer for each planned shard with as many rows as it has.

    Args:
        plan: what should be there.
        answered: rows by shard, from the receipts.

    Raises:
        DatasetError: naming the shards that differ.
    """
    planned = {shard.number: shard.rows for shard in plan.shards}
    if planned == answered:
        return
    missing = sorted(planned.keys() - answered.keys())
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(planned)} shards have no receipt, the first {missing[:5]}"
        )
    differing = [
        f"shard {number}: {rows} rows, planned {planned.get(number, 0)}"
        for number, rows in answered.items()
        if planned.get(number) != rows
    ]
    raise DatasetError(f"receipts and plan differ: {'; '.join(differing[:5])}")
