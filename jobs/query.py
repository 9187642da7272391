"""`enformer-ray query`: ask a run with SQL, through DuckDB over the Parquet files that its receipts name."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from enformer_core.dataset.fenced_tables import (
    create_table_views,
    fenced_connection,
    sizes_of,
    spill_folder,
    table_objects,
)
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.whole_file import STDOUT, ReaderLeftError, whole_file
from enformer_core.storage.fenced_files import fenced_files
from jobs import exit_codes
from jobs.finished_run import check_beside, open_ledger
from jobs.log import note
from jobs.option_types import Directory, OptionalStream, Tables
from jobs.query_attached import attach, attached_files
from jobs.query_notes import notes_of_answer
from jobs.query_refusals import RUN_VIEWS, SQL_EXAMPLE, refusals
from jobs.query_views import create_views, kept_columns
from jobs.result_files import print_csv, print_tsv, write_parquet
from jobs.result_rows import print_drawing, print_json, print_text

Format = Literal["table", "csv", "tsv", "json", "parquet"]


@dataclass(frozen=True)
class QuerySettings:
    """What `enformer-ray query` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run"""

    sql: str
    """DuckDB's SQL, as `FROM top LIMIT 20`; `value` is alt - ref, `share` its part of the largest; see `docs tables`"""

    format: Format = field(default="table", kw_only=True)
    """how to write the rows; in json NaN and infinities are null, dates and blobs (hexadecimal) text"""

    json: bool = field(default=False, kw_only=True)
    """the same as --format json: one JSON list of rows"""

    output: OptionalStream = field(default=None, kw_only=True)
    """write them to this file, which appears when it is whole; - for standard output"""

    attach: Tables = field(default=(), kw_only=True)
    """a table of your own beside the run's: Parquet, CSV, TSV or JSON; given again for each further one"""


def query(settings: QuerySettings) -> int:
    """Print the rows of a query over the run's tables, each a view of its name.

    Returns:
        The exit code.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason; for files of the run that are damaged.
    """
    chosen = _format(settings)
    with _answer(settings.out, settings.sql, settings.attach) as answer:
        # a statement without a result has none
        if answer.relation is None:
            return exit_codes.DONE
        if settings.output is None:
            _print(chosen, settings.sql, answer)
        else:
            _write(chosen, settings, answer)
        notes = notes_of_answer(answer.ledger, answer.connection, settings.sql, settings.out)
        for text in notes:
            note(text)
    return exit_codes.DONE


def _format(settings: QuerySettings) -> Format:
    chosen = settings.format
    if settings.json:
        if chosen not in ("table", "json"):
            raise InputError(f"--json with --format {chosen}: give one of them")
        return "json"
    if chosen == "parquet" and settings.output is None:
        raise InputError("--format parquet: is no text; give --output FILE with it")
    return chosen


def run_query(out: str, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query over the tables of a run; none for a statement without a result.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason; for files of the run that are damaged.
    """
    with _answer(out, sql) as answer:
        return [] if answer.relation is None else answer.relation.fetchall()


@dataclass(frozen=True)
class _Answer:
    """What a query came to.

    Attributes:
        relation: its rows, not read yet; None of a statement without a result.
        connection: on which more can be asked.
        ledger: of the run.
    """

    relation: duckdb.DuckDBPyRelation | None
    connection: duckdb.DuckDBPyConnection
    ledger: Ledger


def _print(chosen: Format, sql: str, answer: _Answer) -> None:
    relation = answer.relation
    assert relation is not None
    # EXPLAIN answers with a drawing
    is_drawing = sql.lstrip().lower().startswith("explain")
    if chosen == "json":
        print_json(relation)
    elif chosen == "csv":
        print_csv(relation)
    elif chosen == "tsv":
        print_tsv(relation)
    elif is_drawing:
        print_drawing(relation)
    else:
        print_text(relation, kept_columns(answer.ledger))


def _write(chosen: Format, settings: QuerySettings, answer: _Answer) -> None:
    """Write the rows into a file; what a pipe's reader does not wait for is left out."""
    assert settings.output is not None
    assert answer.relation is not None
    path = STDOUT if settings.output == str(STDOUT) else Path(settings.output)
    check_beside(path, answer.ledger.store.location)
    with suppress(ReaderLeftError), whole_file(path) as stream:
        if chosen == "parquet":
            write_parquet(answer.relation, stream)
            return
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
        try:
            with redirect_stdout(text):
                _print(chosen, settings.sql, answer)
            text.flush()
        finally:
            # the stream is closed by who has opened it
            text.detach()


@contextmanager
def _answer(out: str, sql: str, attached: Sequence[str] = ()) -> Iterator[_Answer]:
    """The answer of a query, to be read while the block lasts; what goes wrong with it is said."""
    with fenced_run(out, attached) as run:
        _check_asks(sql)
        yield _Answer(run.connection.sql(sql), run.connection, run.ledger)


@dataclass(frozen=True)
class FencedRun:
    """A run whose tables, and nothing else, can be asked.

    Attributes:
        connection: with a view for each table of the run, and those that are made of them.
        ledger: of the run.
    """

    connection: duckdb.DuckDBPyConnection
    ledger: Ledger


@contextmanager
def fenced_run(out: str, attached: Sequence[str] = ()) -> Iterator[FencedRun]:
    """Open a run to be asked in SQL while the block lasts; what goes wrong there with a query is said.

    Args:
        out: the run, as its user gave it.
        attached: tables of the user's own, NAME=FILE each.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason; for files of the run that are damaged.
    """
    ledger = open_ledger(out)
    tables = table_objects(ledger)
    own = attached_files(attached, {*ledger.run_type.tables, *tables, "tracks", *RUN_VIEWS})
    files = fenced_files(ledger.store.location, sizes_of(tables))
    with (
        spill_folder() as spill,
        refusals(ledger, files, out),
        fenced_connection(files, spill, lambda opened: attach(opened, own)) as connection,
    ):
        create_table_views(connection, tables)
        create_views(connection, ledger, list(tables))
        yield FencedRun(connection, ledger)


def _check_asks(sql: str) -> None:
    """Refuse what holds no statement: blanks, a semicolon, a remark."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error:  # whoever runs it will say why
        return
    if not statements:
        raise InputError(f"{sql!r}: no question. Give SQL, such as {SQL_EXAMPLE}")
