"""The tables of a run as they lie in its directory: those that receipts name, in the order of shards."""

from collections.abc import Container, Iterator

import pyarrow as pa

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import DatasetError


def stored_objects(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Objects that receipts name with their bytes, by table and in the order of shards: these are the run, no others.

    A listing of the directory would give more: what somebody left there, and tables of shards under way.

    Args:
        ledger: of the run; a table of which nothing is committed has no objects.

    Returns:
        Bytes by key, by table.

    Raises:
        DatasetError: for a receipt that is damaged or of another run.
    """
    sizes: dict[str, dict[str, int]] = {name: {} for name in ledger.run_type.tables}
    for receipt in ledger.receipts():
        for name, entry in receipt.tables.items():
            sizes.setdefault(name, {})[entry.key] = entry.bytes
    return sizes


def stored_tables(
    ledger: Ledger,
    name: str,
    *,
    shards: Container[int] | None = None,
) -> Iterator[tuple[str | None, pa.Table]]:
    """One table of each committed shard, one after another.

    Args:
        ledger: of the run.
        name: of the table, one of `ledger.run_type.tables`.
        shards: numbers of those that are read; all by default.

    Yields:
        The contig (None for rows without a place) and the rows.

    Raises:
        DatasetError: for an object that is missing or damaged.
    """
    for receipt in ledger.receipts():
        if shards is not None and receipt.shard not in shards:
            continue
        entry = receipt.tables.get(name)
        if entry is None:
            raise DatasetError(f"shard {receipt.shard}: its receipt names no table {name}")
        key = entry.key
        content = ledger.store.get(key)
        if content is None:
            raise DatasetError(f"{key}: missing, though a receipt names it")
        # an export may be the last that anybody looks at: damage must not pass through it
        if sha256(content) != entry.sha256:
            raise DatasetError(
                f"{key}: is not what its receipt names; `enformer-ray verify` says more"
            )
        yield receipt.chrom, from_parquet(content, key)[0]
