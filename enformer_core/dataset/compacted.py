"""Shards that were put together from smaller ones: which of their rows were whose, and what proves it.

Knows run types and digests. Does not know how they are put together (`compact`).
"""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.digests import content_digest
from enformer_core.dataset.receipts import Receipt
from enformer_core.dataset.run_type import RunType

Tables = Mapping[str, pa.Table]


def taken_apart(
    run_type: RunType,
    planned: pa.Table,
    tables: Tables,
    sizes: Sequence[int],
) -> Iterator[dict[str, pa.Table]]:
    """The tables of each shard that a larger one was put together from.

    Args:
        run_type: which tables there are.
        planned: rows of the larger shard.
        tables: of it, as stored; those that are missing are passed over.
        sizes: planned rows of each of the smaller ones, in order.
    """
    answered = {
        table.name: run_type.expected_keys(table, planned)["row"]
        for table in run_type.value_tables
        if table.name in tables
    }
    first_table = run_type.value_tables[0].name
    first = 0
    for size in sizes:
        end = first + size
        part = {}
        for name, row in answered.items():
            is_within = pc.and_(pc.greater_equal(row, first), pc.less(row, end))
            part[name] = tables[name].filter(is_within)
        for name in run_type.derived_tables:
            if name in tables and first_table in part:
                part[name] = run_type.derived_rows(name, tables[name], part[first_table])
        yield part
        first = end


def problems_of_compacted(
    receipt: Receipt,
    run_type: RunType,
    planned: pa.Table,
    tables: Tables,
) -> Iterator[str]:
    """What of a shard is not what the shards were that it was put together from.

    Args:
        receipt: of the larger shard.
        run_type: which tables there are.
        planned: its rows.
        tables: as stored.
    """
    sources = receipt.put_together_from
    if not sources:
        return
    sizes = [source.rows for source in sources]
    if sum(sizes) != planned.num_rows:
        yield f"was put together from {sum(sizes)} rows, planned {planned.num_rows}"
        return
    parts = taken_apart(run_type, planned, tables, sizes)
    for number, (source, part) in enumerate(zip(sources, parts, strict=True)):
        for name, rows in part.items():
            found = content_digest(rows)
            expected = source.digests.get(name)
            if found != expected:
                yield (
                    f"part {number} of {len(sources)} that it was put together from: digest of values of {name} is "
                    f"{found}, was {expected}"
                )
