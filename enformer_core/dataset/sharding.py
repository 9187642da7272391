"""Rows in order, a stretch at a time, into numbered shards and parts of a plan.

Where a stretch ends leaves no trace: the open end is kept until what follows it is known. Does not know what rows are.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from enformer_core.dataset.order import Marks

PART_ROWS = 1 << 16
"""Rows of a part: some 1 MB, which is what a worker fetches to read one of its shards."""


class Divider:
    """Cuts shards and gathers them into parts.

    A shard has `shard_size` rows; up to half as many more where that keeps rows of one window together; and one run of
    equal alleles is never cut. No shard crosses contigs or parts. A part has at most PART_ROWS rows, or one shard.

    Attributes:
        contigs: names of contigs in the order in which they came; None for rows without a place.
        shard_rows: rows of each shard so far.
        shard_parts: its part.
        shard_contigs: index into `contigs`.
    """

    def __init__(self, shard_size: int, marks: Callable[[pa.Table], Marks]) -> None:
        self._shard_size, self._marks = shard_size, marks
        self._open: pa.Table | None = None
        self._part: list[pa.Table] = []
        self._part_shards = 0  # the first shard of the part under way
        self._part_rows = 0
        self.contigs: list[str | None] = []
        self.shard_rows: list[int] = []
        self.shard_parts: list[int] = []
        self.shard_contigs: list[int] = []
        self._parts = 0

    def add(self, rows: pa.Table) -> Iterator[pa.Table]:
        """Take the rows that follow; gives the parts that they complete, with the column shard."""
        rows = rows if self._open is None else pa.concat_tables([self._open, rows])
        firsts = cuts(self._marks(rows), self._shard_size)
        self._open = (
            rows.slice(firsts[-1]) if firsts else None
        )  # where the last shard ends is not known yet
        yield from self._gather(rows, firsts)

    def finish(self) -> Iterator[pa.Table]:
        """The parts that remain; none where there were no rows."""
        if self._open is not None:
            rows, self._open = self._open, None
            yield from self._gather(rows, [0, rows.num_rows])
        if self._part:
            yield self._close_part()

    def _gather(self, rows: pa.Table, firsts: list[int]) -> Iterator[pa.Table]:
        """Shards between neighbouring `firsts`."""
        chroms = rows["chrom"].take(pa.array(firsts[:-1], pa.int64())).to_pylist()
        taken = 0
        for chrom, (first, end) in zip(chroms, pairwise(firsts), strict=True):
            if self._part_rows and self._part_rows + end - first > PART_ROWS:
                self._part.append(rows.slice(taken, first - taken))
                taken = first
                yield self._close_part()
            if not self.contigs or self.contigs[-1] != chrom:
                self.contigs.append(chrom)
            self._part_rows += end - first
            self.shard_rows.append(end - first)
            self.shard_parts.append(self._parts)
            self.shard_contigs.append(len(self.contigs) - 1)
        if len(firsts) > 1:
            self._part.append(rows.slice(taken, firsts[-1] - taken))

    def _close_part(self) -> pa.Table:
        rows = pa.concat_tables(self._part)
        sizes = self.shard_rows[self._part_shards :]
        numbers = np.repeat(np.arange(self._part_shards, len(self.shard_rows)), sizes)
        self._part, self._part_rows, self._part_shards = [], 0, len(self.shard_rows)
        self._parts += 1
        return rows.append_column("shard", pa.array(numbers, pa.int64()))


def cuts(marks: Marks, shard_size: int) -> list[int]:
    """First rows of shards: at contigs; where a window begins soon after `shard_size` rows; else at an allele.

    All but the end of the last shard hold whatever rows follow.

    Args:
        marks: of rows of which the first begins a shard.
        shard_size: in rows.
    """
    window_firsts, allele_firsts = (
        np.flatnonzero(marks.new_window),
        np.flatnonzero(marks.new_allele),
    )
    found = []
    contig_firsts = np.flatnonzero(marks.new_contig).tolist()
    for first, end in pairwise([*contig_firsts, marks.new_contig.size]):
        cut = first
        while cut < end:
            found.append(cut)
            full = cut + shard_size
            window, allele = _next(window_firsts, full, end), _next(allele_firsts, full, end)
            cut = window if window <= full + shard_size // 2 else allele
    return found


def _next(firsts: Int64[np.ndarray, " n"], row: int, end: int) -> int:
    """The first of `firsts` from `row` on, or `end`."""
    later = int(np.searchsorted(firsts, row))
    return min(int(firsts[later]), end) if later < firsts.size else end
