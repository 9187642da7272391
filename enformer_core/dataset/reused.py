"""Rows that were copied from other runs: how they are named in receipts, and what proves that they stand as copied.

Knows stretches of rows and digests. Does not know which rows may be copied.
"""

from collections.abc import (
    Iterable,
    Iterator,
    Sequence,
)

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.digests import content_digest
from enformer_core.dataset.receipts import ReusedRows
from enformer_core.variants.table import Status

Stretches = tuple[tuple[int, int], ...]


def stretches(rows: Iterable[int]) -> Stretches:
    """Rows as stretches [first, end): 3 4 5 9 are (3, 6) and (9, 10)."""
    in_order = np.array(sorted(rows), np.int64)
    if not in_order.size:
        return ()
    begins = np.flatnonzero(np.diff(in_order, prepend=in_order[0] - 2) != 1)
    ends = np.append(begins[1:], in_order.size)
    return tuple(
        (int(in_order[begin]), int(in_order[end - 1]) + 1)
        for begin, end in zip(begins, ends, strict=True)
    )


def digest_of_values(
    table: pa.Table,
    columns: Sequence[str],
    rows: Stretches,
) -> str:
    """Digest of what stands in some columns of some rows."""
    values = table.select(list(columns))
    parts = [values.slice(first, end - first) for first, end in rows]
    return content_digest(pa.concat_tables([values.slice(0, 0), *parts]))


def problems_of_reused(
    reused: Sequence[ReusedRows],
    table: pa.Table,
    statuses: pa.ChunkedArray,
    columns: Sequence[str],
) -> Iterator[str]:
    """What of a receipt's copied rows is not as it says.

    Args:
        reused: as the receipt has it.
        table: the first value table as stored.
        statuses: of the shard's rows.
        columns: those that hold values.
    """
    is_ok = np.asarray(pc.equal(statuses, Status.OK))
    seen = np.zeros(is_ok.size, dtype=bool)
    for each in reused:
        of = f"rows copied from shard {each.shard} of {each.run}"
        if any(not 0 <= first < end <= is_ok.size for first, end in each.rows):
            yield f"{of} are not the shard's"
            continue
        here = np.zeros(is_ok.size, dtype=bool)
        for first, end in each.rows:
            here[first:end] = True
        if np.any(here & seen):
            yield f"{of} were copied from elsewhere too"
        if np.any(here & ~is_ok):
            yield f"{of} are not all ok"
        seen |= here
        found = digest_of_values(
            table,
            columns,
            each.rows,
        )
        if found != each.values:
            yield f"{of}: digest of their values is {found}, its receipt says {each.values}"
