"""Rows in order, some at a time, into numbered shards and parts of a plan.

The result does not depend on how many rows come at a time: what is still open is kept until the rows that follow are
known. Does not know what a row is.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from enformer_core.dataset.order import Boundaries
from enformer_core.dataset.plan import Shards

PART_ROWS = 1 << 16
"""Rows of a part: some 1 MB, which is what a worker fetches to read one of its shards."""

TILES_LEAST, TILES_MOST = 1, 8
"""Tiles of a shard: 8 of 5,313 tracks are 150 MB; seven of eight share a part of their tower with the one before."""

_AIMED_AT_SHARDS = 64  # of a small run, so that a few dozen workers have something to share


def default_shard_size(rows: int, *, least: int = 8, most: int = 2_000) -> int:
    """Rows of a shard where nobody says how many: some 64 shards a run, of `least` to `most` rows each.

    The defaults are for alleles. A tile has 896 rows of values: see `TILES_LEAST` and `TILES_MOST`.
    """
    rows_of_one = -(-rows // _AIMED_AT_SHARDS)
    return min(max(least, rows_of_one), most)


class Sharder:
    """Cuts rows into shards and collects shards into parts.

    A shard has `shard_size` rows; up to half as many more where that keeps rows of one window together; and one run of
    equal alleles is never cut. No shard crosses contigs or parts. A part has at most PART_ROWS rows, or one shard.

    Args:
        shard_size: rows of a shard.
        boundaries: where given rows may be cut.
    """

    def __init__(self, shard_size: int, boundaries: Callable[[pa.Table], Boundaries]) -> None:
        self._shard_size = shard_size
        self._boundaries = boundaries
        self._open_shard: pa.Table | None = None
        # the part under way
        self._part: list[pa.Table] = []
        self._part_rows = 0
        self._part_first_shard = 0
        self._parts_closed = 0
        # columns of the shards so far, and the names to which _shard_contigs points
        self._contigs: list[str | None] = []
        self._shard_contigs: list[int] = []
        self._shard_parts: list[int] = []
        self._shard_rows: list[int] = []

    def add(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Take the rows that follow, and give the parts that they complete, with the column shard."""
        if self._open_shard is not None:
            rows = pa.concat_tables([self._open_shard, rows])
        firsts = shard_firsts(self._boundaries(rows), self._shard_size)
        # Where the last shard ends is not known before the next rows are, or there are none.
        self._open_shard = rows.slice(firsts[-1]) if firsts else None
        yield from self._collect(rows, firsts)

    def finish(self) -> Iterator[pa.Table]:
        """Give the parts that remain when all rows have come; none where there were no rows."""
        if self._open_shard is not None:
            rows = self._open_shard
            self._open_shard = None
            yield from self._collect(rows, [0, rows.num_rows])
        if self._part:
            yield self._close_part()

    def shards(self) -> Shards:
        """All shards that were cut, in order; complete when `finish` is through."""
        return Shards(
            self._contigs,
            contig=self._shard_contigs,
            part=self._shard_parts,
            rows=self._shard_rows,
        )

    def _collect(self, rows: pa.Table, firsts: list[int]) -> Iterator[pa.Table]:
        """Put the shards between neighbouring `firsts` into parts, and give each part that is full."""
        chroms = rows["chrom"].take(pa.array(firsts[:-1], pa.int64())).to_pylist()
        # Shards that stay in one part are sliced off together: rows from `taken` on are in no part yet.
        taken = 0
        for chrom, (first, end) in zip(chroms, pairwise(firsts), strict=True):
            size = end - first
            if self._part_rows and self._part_rows + size > PART_ROWS:
                self._part.append(rows.slice(taken, first - taken))
                taken = first
                yield self._close_part()
            self._part_rows += size
            self._count_shard(chrom, size)
        if len(firsts) > 1:
            self._part.append(rows.slice(taken, firsts[-1] - taken))

    def _count_shard(self, chrom: str | None, rows: int) -> None:
        if not self._contigs or self._contigs[-1] != chrom:
            self._contigs.append(chrom)
        self._shard_contigs.append(len(self._contigs) - 1)
        self._shard_parts.append(self._parts_closed)
        self._shard_rows.append(rows)

    def _close_part(self) -> pa.Table:
        rows = pa.concat_tables(self._part)
        shards = np.arange(self._part_first_shard, len(self._shard_rows))
        # Shards 5 and 6 of 3 and 2 rows: 5 5 5 6 6
        shard_of_row = np.repeat(shards, self._shard_rows[self._part_first_shard :])
        self._part = []
        self._part_rows = 0
        self._part_first_shard = len(self._shard_rows)
        self._parts_closed += 1
        return rows.append_column("shard", pa.array(shard_of_row, pa.int64()))


def shard_firsts(boundaries: Boundaries, shard_size: int) -> list[int]:
    """First rows of shards: at contigs; where a window begins soon after `shard_size` rows; else at an allele.

    Whatever rows follow, these stay first rows of shards; only the end of the last shard is open.

    Args:
        boundaries: of rows of which the first begins a shard.
        shard_size: in rows.
    """
    window_firsts = np.flatnonzero(boundaries.new_window)
    allele_firsts = np.flatnonzero(boundaries.new_allele)
    contig_firsts = np.flatnonzero(boundaries.new_contig).tolist()
    firsts = []
    for contig_first, contig_end in pairwise([*contig_firsts, boundaries.new_contig.size]):
        first = contig_first
        while first < contig_end:
            firsts.append(first)
            full = first + shard_size
            first = _next(window_firsts, full, contig_end)
            # A window that two shards need is computed twice: a shard is made larger for it, but not without end.
            if first > full + shard_size // 2:
                first = _next(allele_firsts, full, contig_end)
    return firsts


def _next(firsts: Int64[np.ndarray, " n"], row: int, end: int) -> int:
    """The least of the ascending `firsts` that is not below `row`, or `end` where that comes before."""
    later = int(np.searchsorted(firsts, row))
    if later == firsts.size:
        return end
    return min(int(firsts[later]), end)
