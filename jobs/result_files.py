"""Rows of a query as CSV, tab-separated text or Parquet, in the digits that are stored.

Knows types and letters. Does not know what was asked.
"""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import IO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.user_path import one_line
from jobs.result_rows import as_text, rows_of, unique_names

# DuckDB's types that Parquet has not: they are written as DuckDB writes them.
_NOT_OF_PARQUET = re.compile(r"\bBIT\b|INTERVAL|UNION|VARIANT|GEOMETRY")


@contextmanager
def printed_to(stream: IO[bytes]) -> Iterator[None]:
    """While this lasts, what is printed goes to a stream of bytes, in UTF-8; who has opened the stream closes it."""
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
    try:
        with redirect_stdout(text):
            yield
        text.flush()
    finally:
        text.detach()


def print_csv(relation: duckdb.DuckDBPyRelation) -> None:
    """Print the rows with commas between values, in quotes where they need some; null is empty."""
    writer = csv.writer(_LinesOfCsv())
    _print(relation, writer.writerow, lambda text: text)


class _LinesOfCsv:
    r"""What a writer of CSV writes to, which ends lines as others do.

    A writer told to end lines by `\n` alone leaves a `\r` in a name without quotes, and readers end the line there.
    """

    def write(self, row: str) -> int:
        """Write a row, which comes whole."""
        return sys.stdout.write(row.removesuffix("\r\n") + "\n")


def print_tsv(relation: duckdb.DuckDBPyRelation) -> None:
    r"""Print the rows with tabs between values, and no quotes; null is empty, a tab within a text `\t`."""

    def write(cells: list[str | None]) -> None:
        print("\t".join(cell or "" for cell in cells))

    _print(relation, write, one_line)


def _print(
    relation: duckdb.DuckDBPyRelation,
    write: Callable[[list[str | None]], object],
    shown: Callable[[str], str],
) -> None:
    write([shown(name) for name in unique_names(relation.columns)])
    for row in rows_of(as_text(relation)):
        write([None if cell is None else shown(str(cell)) for cell in row])
        if getattr(sys.stdout, "lost", False):
            return


def write_parquet(relation: duckdb.DuckDBPyRelation, stream: IO[bytes]) -> None:
    """Write the rows as one Parquet file; of names that several columns have all but the first are numbered."""
    names = unique_names(relation.columns)
    columns = []
    for place, (name, kind) in enumerate(zip(names, relation.types, strict=True), start=1):
        column = f"#{place}"
        if _NOT_OF_PARQUET.search(str(kind)):
            column = f"CAST({column} AS VARCHAR)"
        quoted = name.replace('"', '""')
        columns.append(f'{column} AS "{quoted}"')
    reader = pa.RecordBatchReader.from_stream(relation.project(", ".join(columns)))
    with pq.ParquetWriter(stream, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
