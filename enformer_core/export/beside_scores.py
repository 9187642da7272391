"""Scores of a run with what stands beside them in its other tables: for exports of which a row has both.

A column of the table `pca` is called `pca.pc1` here: a column that a run keeps of its input may be called `pc1`. Knows
which columns of tables beside runs go into lines of text: those of one number for each allele.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from types import MappingProxyType

import pyarrow as pa

from enformer_core.dataset.codec import JsonObject
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.dataset.summary_tables import SummaryReceipt, summary_receipt

PCA = "pca"
PERCENTILES = "percentiles"
"""Kinds of tables beside runs, and the names that they usually have."""


def component_columns(identity: JsonObject) -> list[str]:
    """The columns of a table of components that was made of this, the strongest first."""
    count = int(identity["components"])
    return [f"pc{number}" for number in range(1, count + 1)]


def largest_phred(statistic: str) -> str:
    """The column of percentiles that has the largest PHRED of an allele; the one of its track has `_track` behind."""
    return f"max_{statistic}_phred"


def _percentile_columns(identity: JsonObject) -> list[str]:
    largest = [largest_phred(statistic) for statistic in identity["statistics"]]
    tracks = [f"{column}_track" for column in largest]
    return [*largest, *tracks]


_COLUMNS: Mapping[str, Callable[[JsonObject], Sequence[str]]] = MappingProxyType(
    {
        PCA: component_columns,
        PERCENTILES: _percentile_columns,
    }
)


def table_beside(ledger: Ledger, name: str) -> SummaryReceipt | None:
    """The receipt of a run's table of this kind, if it has one of the usual name.

    Raises:
        DatasetError: where the receipt is damaged.
    """
    receipt = summary_receipt(ledger, name)
    return receipt if receipt is not None and receipt.begun.kind == name else None


def scores_with_beside(
    ledger: Ledger,
    *,
    shards: Container[int] | None = None,
) -> Iterator[tuple[str | None, pa.Table]]:
    """The table `scores` of each shard, with columns of the tables that the run has beside it.

    Args:
        ledger: of the run.
        shards: numbers of those that are read; all by default.

    Yields:
        The contig (None for rows without a place) and the rows.

    Raises:
        DatasetError: for an object that is missing or damaged.
    """
    tables = [stored_tables(ledger, "scores", shards=shards)]
    names: list[str] = []
    for name, columns_of in _COLUMNS.items():
        receipt = table_beside(ledger, name)
        if receipt is None:
            continue
        columns = columns_of(receipt.begun.identity)
        tables.append(stored_tables(ledger, name, shards=shards, columns=columns))
        names += [f"{name}.{column}" for column in columns]
    # all are in the order of shards, and of rows
    for (chrom, scores), *beside in zip(*tables, strict=True):
        every = scores
        added = [column for _, rows in beside for column in rows.columns]
        for name, column in zip(names, added, strict=True):
            every = every.append_column(name, column)
        yield chrom, every
