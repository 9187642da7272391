"""The tables of a run as views of DuckDB, behind a fence: what is asked reads them alone, and writes nothing.

    with fenced_connection(files, spill) as connection:
        create_table_views(connection, tables)
        connection.sql("FROM scores LIMIT 3")

Does not know what is asked, nor who asks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryDirectory

import duckdb

from enformer_core.dataset.keys import TRACKS_KEY, UNPLACED
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_objects
from enformer_core.storage.fenced_files import FENCED, FencedFiles

_READ_ONCE = (
    # a view asks a table more than once, and a note asks again: bytes are kept while memory lasts
    "SET cache_local_files = true",
    "SET parquet_metadata_cache = true",
    # objects never change
    "SET validate_external_file_cache = 'NO_VALIDATION'",
    # through Python a call costs more than the bytes of a column that nobody asked for: by default calls are for 16 kB
    "SET external_file_cache_local_max_block_size = 524288",
)

Sizes = dict[str, int | None]
"""Bytes of objects by key; None where that is not known."""


def table_objects(ledger: Ledger) -> dict[str, Sizes]:
    """Objects of each table with their bytes; a table of which nothing is committed is not among them."""
    tables: dict[str, Sizes] = {
        table: {**sizes} for table, sizes in stored_objects(ledger).items() if sizes
    }
    if ledger.store.get(TRACKS_KEY) is not None:
        tables["tracks"] = {TRACKS_KEY: None}
    return tables


def sizes_of(tables: Mapping[str, Sizes]) -> Sizes:
    """The objects of all tables together, by key."""
    return {key: size for of_table in tables.values() for key, size in of_table.items()}


@contextmanager
def spill_folder() -> Iterator[str]:
    """Where DuckDB may write what memory does not hold; empty where there is no such place."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="enformer-ray-query-"))
        except OSError:  # a machine that writes nowhere can still ask
            folder = ""
        yield folder


def _nothing(connection: duckdb.DuckDBPyConnection) -> None:
    del connection


@contextmanager
def fenced_connection(
    files: FencedFiles,
    spill: str,
    before: Callable[[duckdb.DuckDBPyConnection], object] = _nothing,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that reads these files, and writes into the folder `spill` what memory does not hold.

    Args:
        files: of a run.
        spill: from `spill_folder`.
        before: what is read at once, before the fence is closed: a user's own tables.
    """
    with duckdb.connect() as connection:
        # a slow query would draw it on standard output, between the rows
        connection.execute("SET enable_progress_bar = false")
        for setting in _READ_ONCE:
            connection.execute(setting)
        connection.register_filesystem(files)
        connection.execute(f"SET temp_directory = '{quoted(spill)}'")
        before(connection)
        connection.execute(f"SET allowed_directories = ['{FENCED}']")
        # from here on no setting can be changed, this one least of all
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def create_table_views(
    connection: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Iterable[str]],
) -> None:
    """Make a view of each table, by the keys of its objects; `chrom` is null in rows without a place."""
    for view, keys in tables.items():
        listed = ", ".join(f"'{quoted(FENCED + key)}'" for key in keys)
        if view == "tracks":
            rows = f"FROM read_parquet([{listed}], hive_partitioning = false)"
        else:
            # a folder must have some name; this still lets DuckDB choose files by contig
            contig = f"nullif(chrom, '{UNPLACED}') AS chrom"
            of_folders = "hive_partitioning = true, hive_types = {'chrom': VARCHAR}"
            rows = f"SELECT * REPLACE ({contig}) FROM read_parquet([{listed}], {of_folders})"  # noqa: S608
        connection.execute(f"CREATE VIEW {view} AS {rows}")


def quoted(text: str) -> str:
    """As it stands between single quotes of SQL."""
    return text.replace("'", "''")
