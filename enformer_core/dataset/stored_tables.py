"""The tables of a run as they lie in its directory: those that receipts name, in the order of shards.

Tables beside a run, made of its own later, are read like these.
"""

from collections.abc import Container, Iterator, Sequence

import pyarrow as pa

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import StoredTable
from enformer_core.dataset.summary_tables import (
    SummaryFile,
    summary_receipt,
    summary_receipts,
)
from enformer_core.errors import DatasetError


def stored_objects(ledger: Ledger) -> dict[str, dict[str, int]]:
    """Objects that receipts name with their bytes, by table and in the order of shards: these are the run, no others.

    A listing of the directory would give more: what somebody left there, and tables of shards under way.

    Args:
        ledger: of the run; a table of which nothing is committed has no objects. Tables beside it come last.

    Returns:
        Bytes by key, by table.

    Raises:
        DatasetError: for a receipt that is damaged or of another run.
    """
    sizes: dict[str, dict[str, int]] = {name: {} for name in ledger.run_type.tables}
    for receipt in ledger.receipts():
        for name, entry in receipt.tables.items():
            sizes.setdefault(name, {})[entry.key] = entry.bytes
    for name, summary in summary_receipts(ledger).items():
        sizes[name] = summary.sizes
    return sizes


def stored_tables(
    ledger: Ledger,
    name: str,
    *,
    shards: Container[int] | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[tuple[str | None, pa.Table]]:
    """One table of each committed shard, one after another.

    Args:
        ledger: of the run.
        name: of the table, one of `ledger.run_type.tables` or of those beside the run.
        shards: numbers of those that are read; all by default.
        columns: those that are decoded, which must be there; all by default.

    Yields:
        The contig (None for rows without a place) and the rows.

    Raises:
        DatasetError: for an object that is missing or damaged.
    """
    for shard, chrom, entry in _entries(ledger, name):
        if shards is not None and shard not in shards:
            continue
        key = entry.key
        content = ledger.store.get(key)
        if content is None:
            raise DatasetError(f"{key}: missing, though a receipt names it. {_more(ledger)}")
        # an export may be the last that anybody looks at: damage must not pass through it
        if sha256(content) != entry.sha256:
            raise DatasetError(f"{key}: is not what its receipt names. {_more(ledger)}")
        yield chrom, from_parquet(content, key, columns=columns)[0]


def _more(ledger: Ledger) -> str:
    return f"`enformer-ray verify {ledger.store.location}` says what else is damaged."


def _entries(
    ledger: Ledger, name: str
) -> Iterator[tuple[int, str | None, StoredTable | SummaryFile]]:
    """For each shard its number, its contig, and its file of one table."""
    if name not in ledger.run_type.tables:
        summary = summary_receipt(ledger, name)
        if summary is None:
            raise DatasetError(f"{ledger.store.location}: there is no table {name}")
        for file in summary.files:
            yield file.shard, file.chrom, file
        return
    for receipt in ledger.receipts():
        entry = receipt.tables.get(name)
        if entry is None:
            raise DatasetError(f"shard {receipt.shard}: its receipt names no table {name}")
        yield receipt.shard, receipt.chrom, entry
