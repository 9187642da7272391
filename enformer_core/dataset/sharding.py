"""Rows in order, some at a time, into numbered shards and parts of a plan.

The result does not depend on how many rows come at a time: what is still open is kept until the rows that follow are
known. Does not know what a row is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from enformer_core.dataset.order import Boundaries
from enformer_core.dataset.plan import Shards, ShardsBuilder

PART_ROWS = 1 << 16
"""Rows of a part: some 1 MB, which is what a worker fetches to read one of its shards."""

ALLELES_LEAST = 8
"""Alleles of a shard where neighbours need not share a window."""

RowNumbers = Int64[np.ndarray, " chosen"]

# of a small run, so that a few dozen workers have something to share
_AIMED_AT_SHARDS = 64


def default_shard_size(
    rows: int,
    *,
    least: int = ALLELES_LEAST,
    most: int = 2_000,
) -> int:
    """Rows of a shard where nobody says how many: some 64 shards a run, of `least` to `most` rows each.

    The defaults are for alleles. A tile has 896 rows of values, and other rows cost minutes each: of them few make a
    shard.
    """
    rows_of_one = -(-rows // _AIMED_AT_SHARDS)
    at_least = max(least, rows_of_one)
    return min(at_least, most)


@dataclass
class _Part:
    """The part under way.

    Attributes:
        rows: how many there are in all tables.
        tables: its rows, in order.
        shard_rows: rows of each of its shards.
    """

    rows: int = 0
    tables: list[pa.Table] = field(default_factory=list)
    shard_rows: list[int] = field(default_factory=list)


class Sharder:
    """Cuts rows into shards and collects shards into parts.

    A shard has `shard_size` rows; up to half as many more where that keeps rows of one window together; and one run of
    equal alleles is never cut. No shard crosses contigs or parts. A part has at most PART_ROWS rows, or one shard.

    Args:
        shard_size: rows of a shard.
        boundaries: from rows in order, where they may be cut.
        window_rows: likewise for `shard_firsts`.
    """

    def __init__(
        self,
        shard_size: int,
        boundaries: Callable[[pa.Table], Boundaries],
        *,
        window_rows: int | None = None,
    ) -> None:
        self._shard_size = shard_size
        self._boundaries = boundaries
        self._window_rows = window_rows
        self._open_shard: pa.Table | None = None
        self._part = _Part()
        self._parts_closed = 0
        self._shards = ShardsBuilder()

    def add(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Take the rows that follow, and give the parts that they complete, with the column shard."""
        if self._open_shard is not None:
            rows = pa.concat_tables([self._open_shard, rows])
        boundaries = self._boundaries(rows)
        firsts = shard_firsts(boundaries, self._shard_size, window_rows=self._window_rows)
        # Where the last shard ends is not known before the next rows are, or there are none.
        self._open_shard = rows.slice(firsts[-1]) if firsts else None
        yield from self._collect(rows, firsts)

    def finish(self) -> Iterator[pa.Table]:
        """Give the parts that remain when all rows have come; none where there were no rows."""
        rows = self._open_shard
        self._open_shard = None
        if rows is not None:
            yield from self._collect(rows, [0, rows.num_rows])
        if self._part.rows:
            yield self._close_part()

    def shards(self) -> Shards:
        """All shards that were cut, in order; complete when `finish` is through."""
        return self._shards.build()

    def _collect(self, rows: pa.Table, firsts: list[int]) -> Iterator[pa.Table]:
        """Put the shards between neighbouring `firsts` into parts, and give each part that is full."""
        begins = pa.array(firsts[:-1], pa.int64())
        chroms = rows["chrom"].take(begins).to_pylist()
        # Shards that stay in one part are sliced off together: rows from `taken` on are in no part yet.
        taken = 0
        for chrom, (first, end) in zip(chroms, pairwise(firsts), strict=True):
            size = end - first
            if self._part.rows and self._part.rows + size > PART_ROWS:
                self._part.tables.append(rows.slice(taken, first - taken))
                taken = first
                yield self._close_part()
            self._part.rows += size
            self._part.shard_rows.append(size)
            self._shards.append(chrom, part=self._parts_closed, rows=size)
        if len(firsts) > 1:
            end = firsts[-1]
            self._part.tables.append(rows.slice(taken, end - taken))

    def _close_part(self) -> pa.Table:
        part = self._part
        self._part = _Part()
        self._parts_closed += 1
        # The last shards so far, 5 and 6, of 3 and 2 rows: 5 5 5 6 6
        shards = len(self._shards)
        first = shards - len(part.shard_rows)
        numbers = np.arange(first, shards)
        shard_of_row = np.repeat(numbers, part.shard_rows)
        rows = pa.concat_tables(part.tables)
        column = pa.array(shard_of_row, pa.int64())
        return rows.append_column("shard", column)


def shard_firsts(
    boundaries: Boundaries,
    shard_size: int,
    *,
    window_rows: int | None = None,
) -> list[int]:
    """First rows of shards: at contigs; where a window begins soon after `shard_size` rows; else at an allele.

    Whatever rows follow, these stay first rows of shards; only the end of the last shard is open.

    Args:
        boundaries: of rows of which the first begins a shard.
        shard_size: in rows.
        window_rows: a window of at most so many rows is never cut, however small shards are; None where a shard grows
            by half of its size at most.
    """
    window_firsts = np.flatnonzero(boundaries.new_window)
    allele_firsts = np.flatnonzero(boundaries.new_allele)
    rows = boundaries.new_contig.size
    contig_firsts = np.flatnonzero(boundaries.new_contig).tolist()
    most = shard_size + shard_size // 2
    if window_rows is not None:
        most = max(shard_size, window_rows)
    firsts = []
    contig_edges = [*contig_firsts, rows]
    for contig_first, contig_end in pairwise(contig_edges):
        first = contig_first
        while first < contig_end:
            firsts.append(first)
            begun = first
            full = begun + shard_size
            first = _next(window_firsts, full, contig_end)
            # A window that two shards need is computed twice: a shard is made larger for it, but not without end.
            if first > begun + most:
                cut = full if window_rows is None else _last(window_firsts, begun, most)
                first = _next(allele_firsts, cut, contig_end)
    return firsts


def _last(firsts: RowNumbers, begun: int, most: int) -> int:
    """The last of the ascending `firsts` within `most` rows behind `begun`; the row after those where none is there."""
    behind = int(np.searchsorted(firsts, begun + most, side="right"))
    last = int(firsts[behind - 1])
    return last if last > begun else begun + most


def _next(firsts: RowNumbers, row: int, end: int) -> int:
    """The least of the ascending `firsts` that is not below `row`, or `end` where that comes before."""
    later = int(np.searchsorted(firsts, row))
    if later == firsts.size:
        return end
    return min(int(firsts[later]), end)
