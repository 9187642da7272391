"""Tables of links as files, block by block: Parquet, or text separated by tabs, as the file's name says.

Knows names of files and columns. Does not know what a link is.
"""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import polars as pl
import pyarrow.parquet as pq

from enformer_core.text_cells import one_line_cells

_TSV = (".tsv", ".tsv.gz")
_PARQUET = ".parquet"

Write = Callable[[pl.DataFrame], object]
"""Writes a block of rows behind those before."""


def is_tsv(name: str) -> bool:
    """Whether a file of this name is text separated by tabs."""
    return name.lower().endswith(_TSV)


def is_written(name: str) -> bool:
    """Whether files of such a name are written at all."""
    return is_tsv(name) or name.lower().endswith(_PARQUET)


@contextmanager
def written(
    out: IO[bytes],
    name: str,
    columns: pl.DataFrame,
) -> Iterator[Write]:
    """Write a table while the block lasts.

    Args:
        out: the file.
        name: what it will be called, which says its format.
        columns: a table without a row: names and types of the columns.
    """
    if not is_tsv(name):
        # Arrow's own idea of the columns, whatever a block's values would suggest
        schema = columns.to_arrow().schema
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:

            def write_table(block: pl.DataFrame) -> None:
                table = block.to_arrow()
                writer.write_table(table.cast(schema))

            yield write_table
    elif name.lower().endswith(".gz"):
        # without a time, so that equal tables are equal files
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed:
            yield _text(packed.write, columns)
    else:
        yield _text(out.write, columns)


def _text(write: Callable[[bytes], object], columns: pl.DataFrame) -> Write:
    # at once: a table without a row is a file with a header
    write(_lines(columns, header=True))
    return lambda block: write(_lines(block, header=False))


def _lines(block: pl.DataFrame, *, header: bool) -> bytes:
    text = one_line_cells(block).write_csv(separator="\t", include_header=header)
    return text.encode()
