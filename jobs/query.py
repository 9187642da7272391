"""`enformer-ray query`: ask a run with SQL, through DuckDB over its Parquet files."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.errors import InputError
from enformer_core.storage.open import sql_filesystem
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.option_types import Directory


@dataclass(frozen=True)
class QuerySettings:
    """What `enformer-ray query` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run"""

    sql: str
    """what to ask, in DuckDB's SQL"""

    json: bool = field(default=False, kw_only=True)
    """print the rows as one JSON list"""


def query(settings: QuerySettings) -> int:
    """Print the rows of a query over the run's tables, each a view of its name.

    Returns:
        The exit code.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason.
    """
    relation = run_query(settings.out, settings.sql)
    if relation is None:
        return exit_codes.DONE
    if settings.json:
        columns = relation.columns
        print(
            json.dumps(
                [dict(zip(columns, row, strict=True)) for row in relation.fetchall()], default=str
            )
        )
    else:
        relation.show(max_rows=10_000, max_width=200)
    return exit_codes.DONE


def run_query(out: str, sql: str) -> duckdb.DuckDBPyRelation | None:
    """The result of a query; None for a statement without one.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason.
    """
    ledger = open_ledger(out)
    store = ledger.store
    connection = duckdb.connect()
    root = store.location
    filesystem = sql_filesystem(root)
    if filesystem is None:
        root = str(Path(root).resolve())
    else:
        connection.register_filesystem(filesystem)
    # of what is not there yet, DuckDB says that there is no such table
    for table in ledger.run_type.tables:
        if any(store.keys(f"{table}/")):
            _create_view(connection, table, f"{root}/{table}/**/*.parquet")
    if store.get(TRACKS_KEY) is not None:
        _create_view(connection, "tracks", f"{root}/{TRACKS_KEY}")
    try:
        return connection.sql(sql)
    except duckdb.Error as error:
        raise InputError(f"this SQL was refused: {error}") from error


def _create_view(connection: duckdb.DuckDBPyConnection, view: str, files: str) -> None:
    quoted = files.replace("'", "''")
    partitioned = "false" if view == "tracks" else "true, hive_types = {'chrom': VARCHAR}"
    connection.execute(
        f"CREATE VIEW {view} AS FROM read_parquet('{quoted}', hive_partitioning = {partitioned})"
    )
