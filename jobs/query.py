"""`enformer-ray query`: ask a run with SQL, through DuckDB over the Parquet files that its receipts name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_keys
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.open import sql_filesystem
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.option_types import Directory
from jobs.result_rows import print_drawing, print_json, print_text

# One row for each of the strongest effects, strongest first, with what people call its variant and its track. A value
# that is a millionth or less of the statistic's largest in the run is what rounding in float32 leaves of nothing: a
# list of hits has none of it. `effects` has every row.
_TOP = """
CREATE VIEW top AS
SELECT e.variant_id, named.id, coalesce(t.description, t.identifier, t.index::VARCHAR) AS track,
       e.statistic, e.value, round(abs(e.value::DOUBLE) / largest.value, 6) AS share, e.track AS track_index
FROM effects e
JOIN (
    SELECT statistic, max(abs(value::DOUBLE)) AS value FROM effects GROUP BY statistic
) largest ON largest.statistic = e.statistic AND abs(e.value) > 1e-6 * largest.value
JOIN tracks t ON t.index = e.track
LEFT JOIN (
    SELECT variant_id, string_agg(DISTINCT id, ',' ORDER BY id) AS id
    FROM scores WHERE id IS NOT NULL GROUP BY variant_id
) named ON named.variant_id = e.variant_id
ORDER BY abs(e.value) DESC, e.variant_id, e.track
"""

_SLIPS = (
    duckdb.ParserException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.DataError,  # a value that cannot be converted, or is out of range
)
"""What DuckDB says of SQL alone, whatever the files hold."""


@dataclass(frozen=True)
class QuerySettings:
    """What `enformer-ray query` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run"""

    sql: str
    """what to ask, in DuckDB's SQL; `FROM top LIMIT 20` shows the strongest effects, `effects` has rounding too"""

    json: bool = field(default=False, kw_only=True)
    """print one JSON list of rows; NaN and infinities are null, dates and blobs (hexadecimal) text"""


def query(settings: QuerySettings) -> int:
    """Print the rows of a query over the run's tables, each a view of its name.

    Returns:
        The exit code.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason; for files of the run that are damaged.
    """
    ledger = open_ledger(settings.out)
    with _sql_errors(ledger, settings.out):
        relation = _connect(ledger).sql(settings.sql)
        # a statement without a result has none
        if relation is not None:
            _printer(settings)(relation)
    return exit_codes.DONE


def run_query(out: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query over the tables of a run; none for a statement without a result.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason; for files of the run that are damaged.
    """
    ledger = open_ledger(out)
    with _sql_errors(ledger, out):
        relation = _connect(ledger).sql(sql)
        return [] if relation is None else relation.fetchall()


def _printer(settings: QuerySettings) -> Callable[[duckdb.DuckDBPyRelation], None]:
    if settings.json:
        return print_json
    # EXPLAIN answers with a drawing
    is_drawing = settings.sql.lstrip().lower().startswith("explain")
    return print_drawing if is_drawing else print_text


def _connect(ledger: Ledger) -> duckdb.DuckDBPyConnection:
    """A connection with a view for each table; of what is not there yet, DuckDB says that there is no such table."""
    connection = duckdb.connect()
    root = ledger.store.location
    filesystem = sql_filesystem(root)
    if filesystem is None:
        root = str(Path(root).resolve())
    else:
        connection.register_filesystem(filesystem)
    keys = {table: keys for table, keys in stored_keys(ledger).items() if keys}
    if ledger.store.get(TRACKS_KEY) is not None:
        keys["tracks"] = [TRACKS_KEY]
    for table, of_table in keys.items():
        _create_view(connection, table, [f"{root}/{key}" for key in of_table])
    if {"scores", "effects", "tracks"} <= keys.keys():
        connection.execute(_TOP)
    return connection


def _create_view(connection: duckdb.DuckDBPyConnection, view: str, files: Sequence[str]) -> None:
    quoted = ", ".join(f"'{_literal(file)}'" for file in files)
    partitioned = "false" if view == "tracks" else "true, hive_types = {'chrom': VARCHAR}"
    connection.execute(
        f"CREATE VIEW {view} AS FROM read_parquet([{quoted}], hive_partitioning = {partitioned})"
    )


def _literal(path: str) -> str:
    """A path within quotes that stands for itself alone: `[` in a class of one letter is no pattern."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path).replace("'", "''")


@contextmanager
def _sql_errors(ledger: Ledger, out: str) -> Iterator[None]:
    """Say what was wrong: the SQL, or a file of the run."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        # to look for damage is to read the run, which nobody should wait for after a slip of the pen
        damage = None if isinstance(error, _SLIPS) else _damage(ledger)
        if damage is not None:
            raise InputError(
                f"{damage}. `enformer-ray verify {out}` says what else is damaged."
            ) from error
        raise InputError(f"this SQL was refused: {error}") from error


def _damage(ledger: Ledger) -> str | None:
    """What is wrong with the first file of the run that cannot be read; None where the SQL is at fault."""
    for key in (TRACKS_KEY, *(key for keys in stored_keys(ledger).values() for key in keys)):
        content = ledger.store.get(key)
        if content is None:
            return f"{key}: missing, though a receipt names it"
        try:
            from_parquet(content, key)
        except DatasetError as error:
            return str(error)
    return None
