"""Scores of a run with what stands beside them in its other tables: for exports of which a row has both.

A column of the table `pca` is called `pca.pc1` here: a column that a run keeps of its input may be called `pc1`.
"""

from collections.abc import Container, Iterator

import pyarrow as pa

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.dataset.summary_tables import SummaryReceipt, summary_receipt

PCA = "pca"
"""The kind of a table of components, and the name that it usually has."""


def component_table(ledger: Ledger) -> SummaryReceipt | None:
    """The receipt of a run's table of components, if it has one of the usual name.

    Raises:
        DatasetError: where the receipt is damaged.
    """
    receipt = summary_receipt(ledger, PCA)
    return receipt if receipt is not None and receipt.begun.kind == PCA else None


def component_columns(receipt: SummaryReceipt) -> list[str]:
    """The columns of a table of components, the strongest first."""
    count = int(receipt.begun.identity["components"])
    return [f"pc{number}" for number in range(1, count + 1)]


def scores_with_beside(
    ledger: Ledger,
    *,
    shards: Container[int] | None = None,
) -> Iterator[tuple[str | None, pa.Table]]:
    """The table `scores` of each shard, with the columns of its components where the run has them.

    Args:
        ledger: of the run.
        shards: numbers of those that are read; all by default.

    Yields:
        The contig (None for rows without a place) and the rows.

    Raises:
        DatasetError: for an object that is missing or damaged.
    """
    scores = stored_tables(ledger, "scores", shards=shards)
    receipt = component_table(ledger)
    if receipt is None:
        yield from scores
        return
    columns = component_columns(receipt)
    components = stored_tables(ledger, receipt.name, shards=shards, columns=columns)
    # both are in the order of shards, and of rows
    for (chrom, rows), (_, beside) in zip(scores, components, strict=True):
        names = [*rows.column_names, *(f"{PCA}.{name}" for name in columns)]
        yield chrom, pa.table([*rows.columns, *beside.select(columns).columns], names=names)
