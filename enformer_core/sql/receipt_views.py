"""What `query` says of how a run's rows came about: a view of its receipts, and one that joins them to the rows.

Receipts are read where a question names one of them: a large run has thousands.
"""

import re
from collections.abc import Iterable, Mapping

import duckdb

from enformer_core.dataset.computed_on import receipt_rows
from enformer_core.dataset.fenced_tables import quoted
from enformer_core.dataset.ledger import Ledger
from enformer_core.storage.fenced_files import FENCED

RECEIPTS = "receipts"

COMPUTED_BY = "computed_by"

_NAMED = re.compile(
    rf"\b({RECEIPTS}|{COMPUTED_BY}|show|information_schema|duckdb_\w+)\b", re.IGNORECASE
)
"""These, and what lists all tables that there are."""

_WHICH_ROW = ("variant_id", "chrom", "pos", "ref", "alt", "input_file", "input_line", "alt_index")
"""Of `scores`: what a row is, and by its last three what it is joined by."""

# A file's rows stand in the order of the plan, and so does what a receipt says of them.
_COMPUTED_BY = """
CREATE VIEW computed_by AS
SELECT {columns}, r.shard, r.how, r.engine, r.arithmetic, r.device_type, r.device, r.cpu_features, r.threads, r.torch
FROM read_parquet([{files}], hive_partitioning = true, hive_types = {{'chrom': VARCHAR}},
                  filename = true, file_row_number = true) s
JOIN receipts r ON r.shard = regexp_extract(s.filename, 'shard-([0-9]+)[.]parquet$', 1)::BIGINT
               AND s.file_row_number >= r.first_row AND s.file_row_number < r.end_row
"""


def names_receipts(question: str) -> bool:
    """Whether SQL may ask for one of these views."""
    return _NAMED.search(question) is not None


def create_receipts(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, tables: Mapping[str, Iterable[str]]
) -> None:
    """Make the view `receipts`, and `computed_by` where there are scores.

    Args:
        connection: with the run's files behind its fence.
        ledger: of the run, whose receipts are read.
        tables: the objects of each table.
    """
    rows = receipt_rows(iter(ledger.receipts()))
    connection.register("receipts_as_read", rows)
    connection.execute(
        f"CREATE TABLE {RECEIPTS} AS FROM receipts_as_read ORDER BY shard, first_row"
    )
    connection.unregister("receipts_as_read")
    if "scores" in tables:
        files = ", ".join(f"'{quoted(FENCED + key)}'" for key in tables["scores"])
        columns = ", ".join(f"s.{name}" for name in _WHICH_ROW)
        connection.execute(_COMPUTED_BY.format(columns=columns, files=files))
