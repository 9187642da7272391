"""A run that can be asked in SQL: its tables, and the views that are made of them, behind the fence.

    with run_connection(ledger, RunObjects.of(ledger)) as connection:
        connection.sql("FROM top LIMIT 20")

What goes wrong with a question is DuckDB's to say; who asks makes a message of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from enformer_core.dataset.fenced_tables import (
    Sizes,
    create_table_views,
    fenced_connection,
    sizes_of,
    spill_folder,
    table_objects,
)
from enformer_core.dataset.ledger import Ledger
from enformer_core.sql.receipt_views import create_receipts, names_receipts
from enformer_core.sql.views import create_views
from enformer_core.storage.fenced_files import FencedFiles, fenced_files


@dataclass(frozen=True)
class RunObjects:
    """What a question may read of a run.

    Attributes:
        tables: the objects of each table that has any, with their bytes.
        files: through which they are read.
    """

    tables: dict[str, Sizes]
    files: FencedFiles

    @classmethod
    def of(cls, ledger: Ledger) -> "RunObjects":
        """Those that receipts name now."""
        tables = table_objects(ledger)
        return cls(tables, fenced_files(ledger.store.location, sizes_of(tables)))


def _nothing(connection: duckdb.DuckDBPyConnection) -> None:
    del connection


@contextmanager
def run_connection(
    ledger: Ledger,
    objects: RunObjects,
    before: Callable[[duckdb.DuckDBPyConnection], object] = _nothing,
    *,
    memory: str | None = None,
    question: str | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a run to be asked while the block lasts.

    Args:
        ledger: of the run.
        objects: what of it may be read.
        before: what is done with the connection before the fence is closed: a user's own tables are read.
        memory: the most that DuckDB holds, as `2GB`, beyond which it writes to disk; its own choice by default.
        question: what will be asked: receipts are read where it names a view of them. None where that is not known.
    """

    def prepare(opened: duckdb.DuckDBPyConnection) -> None:
        if memory is not None:
            opened.execute(f"SET memory_limit = '{memory}'")
        before(opened)

    with spill_folder() as spill, fenced_connection(objects.files, spill, prepare) as connection:
        create_table_views(connection, objects.tables)
        create_views(connection, ledger, list(objects.tables))
        if question is None or names_receipts(question):
            create_receipts(connection, ledger, objects.tables)
        yield connection
