"""`enformer-ray query`: ask a run with SQL, through DuckDB over the Parquet files that its receipts name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.text_file import is_packed, text_file
from enformer_core.export.whole_file import STDOUT, ReaderLeftError, replaces, whole_file
from enformer_core.sql.notes import notes_of_answer
from enformer_core.sql.run_connection import RunObjects, run_connection
from enformer_core.sql.views import kept_columns
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note
from jobs.option_types import Directory, OptionalWrittenStream, Tables
from jobs.output_ending import ending_of, note_ending, refuse_workbook
from jobs.output_guard import check_output
from jobs.query_attached import Attached, attach, attached_files
from jobs.query_refusals import RUN_VIEWS, SQL_EXAMPLE, refusals
from jobs.result_files import print_csv, print_tsv, printed_to, write_parquet
from jobs.result_rows import print_drawing, print_json, print_text

Format = Literal["table", "csv", "tsv", "json", "parquet"]

_ROWS = [duckdb.ExpectedResultType.QUERY_RESULT]

_BY_ENDING: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}


_TEXTS = (".txt", ".text", ".log")


@dataclass(frozen=True)
class QuerySettings:
    """What `enformer-ray query` is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run"""

    sql: str
    """DuckDB's SQL, as `FROM top LIMIT 20`; `value` is alt - ref, `share` its part of the largest; see `docs tables`"""

    format: Format | None = field(default=None, kw_only=True)
    """how to write the rows: as the ending of --output says, else table; in json NaN and infinities are null"""

    json: bool = field(default=False, kw_only=True)
    """the same as --format json: one JSON list of rows"""

    output: OptionalWrittenStream = field(default=None, kw_only=True)
    """write them to this file (.csv, .tsv, .json, each with .gz too, .parquet); - for standard output"""

    attach: Tables = field(default=(), kw_only=True)
    """a table of your own beside the run's: Parquet, CSV, TSV, JSON or VCF; given again for each further one"""


def query(settings: QuerySettings) -> int:
    """Print the rows of a query over the run's tables, each a view of its name.

    Returns:
        The exit code.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason; for files of the run that are damaged.
    """
    chosen = _format(settings)
    if settings.output is not None:
        refuse_workbook("--output", Path(settings.output))
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
    """The format that was given, or that the ending of the file says.

    Raises:
        InputError: for two that are not one, and for Parquet where only text can be.
    """
    chosen = settings.format
    if settings.json:
        if chosen not in (None, "table", "json"):
            raise InputError(f"--json with --format {chosen}: give one of them")
        return "json"
    output = Path(settings.output or STDOUT)
    if chosen is None:
        chosen = _of_ending(output)
    if chosen == "parquet":
        if settings.output is None:
            raise InputError("--format parquet: it is no text; give --output FILE with it")
        if is_packed(output):
            raise InputError(
                f"--output {output}: Parquet packs its columns itself. Give {output.stem}, or --format csv."
            )
    return chosen


def _of_ending(output: Path) -> Format:
    return _BY_ENDING.get(ending_of(output), "table")


def _note_ending(chosen: Format, output: Path) -> None:
    endings = [ending for ending, kind in _BY_ENDING.items() if kind == chosen]
    written = "a table as text" if chosen == "table" else chosen
    note_ending("--output", output, written, endings or _TEXTS)


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
        attached: the user's own tables.
    """

    relation: duckdb.DuckDBPyRelation | None
    connection: duckdb.DuckDBPyConnection
    ledger: Ledger
    attached: Sequence[Attached]


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
    attached = (each.file for each in answer.attached)
    check_output(path, answer.ledger, attached)
    _note_ending(chosen, path)
    if replaces(path):
        note(f"{path}: takes the place of the file that was there")
    opened = whole_file(path) if chosen == "parquet" else text_file(path)
    with suppress(ReaderLeftError), opened as stream:
        if chosen == "parquet":
            if stream.isatty():
                raise InputError(
                    "--format parquet: is no text, and this is a terminal; give --output FILE"
                )
            write_parquet(answer.relation, stream)
            return
        with printed_to(stream):
            _print(chosen, settings.sql, answer)


@contextmanager
def _answer(out: str, sql: str, attached: Sequence[str] = ()) -> Iterator[_Answer]:
    """The answer of a query, to be read while the block lasts; what goes wrong with it is said."""
    with fenced_run(out, attached, question=sql) as run:
        _check_asks(sql)
        yield _Answer(run.connection.sql(sql), run.connection, run.ledger, run.attached)


@dataclass(frozen=True)
class FencedRun:
    """A run whose tables, and nothing else, can be asked.

    Attributes:
        connection: with a view for each table of the run, and those that are made of them.
        ledger: of the run.
        attached: the user's own tables, which can be asked too.
    """

    connection: duckdb.DuckDBPyConnection
    ledger: Ledger
    attached: Sequence[Attached] = ()


@contextmanager
def fenced_run(
    out: str,
    attached: Sequence[str] = (),
    *,
    memory: str | None = None,
    question: str | None = None,
) -> Iterator[FencedRun]:
    """Open a run to be asked in SQL while the block lasts; what goes wrong there with a query is said.

    Args:
        out: the run, as its user gave it.
        attached: tables of the user's own, NAME=FILE each.
        memory: the most that DuckDB holds, as `2GB`, beyond which it writes to disk; its own choice by default.
        question: what will be asked, by which it is known what must be read; None where that is not known.

    Raises:
        InputError: for SQL that DuckDB refuses, with its reason; for files of the run that are damaged.
    """
    ledger = open_ledger(out)
    objects = RunObjects.of(ledger)
    own = attached_files(attached, {*ledger.run_type.tables, *objects.tables, "tracks", *RUN_VIEWS})
    with (
        refusals(ledger, objects.files, out),
        run_connection(
            ledger,
            objects,
            lambda opened: attach(opened, own),
            memory=memory,
            question=question,
        ) as connection,
    ):
        yield FencedRun(connection, ledger, own)


def _check_asks(sql: str) -> None:
    """Refuse what holds no statement (blanks, a semicolon, a remark), or one before the last whose rows nobody sees."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error:  # whoever runs it will say why
        return
    if not statements:
        raise InputError(f"{sql!r}: no question. Give SQL, such as {SQL_EXAMPLE}")
    unseen = [each for each in statements[:-1] if each.expected_result_type == _ROWS]
    if unseen:
        raise InputError(
            f"{unseen[0].query.strip()!r}: its rows would not be seen: of {len(statements)} statements only the last "
            "one's are. Give each question a command of its own."
        )
