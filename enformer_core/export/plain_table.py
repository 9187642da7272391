"""Tables of a few plain columns as files that other programs read: text, packed or not, or Parquet, by the name's end.

Does not know what the columns mean.
"""

import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.export.whole_file import whole_file

_PACKED = (".gz", ".bgz")

_MISSING = "NA"


def is_parquet(path: Path) -> bool:
    """Whether a file is to be Parquet, by its name."""
    return path.suffix == ".parquet"


def write_plain(
    path: Path,
    table: pa.Table,
    separator: str = "\t",
) -> int:
    """Write a table as a whole: Parquet for `.parquet`, else text with a header, packed by gzip for `.gz`.

    Numbers of text are the shortest that are read back as the same ones. What is null is NA.

    Args:
        path: of the file; `-` is standard output.
        table: of numbers and text.
        separator: between columns of text.

    Returns:
        How many rows there are.

    Raises:
        InputError: when the file cannot be written.
    """
    buffer = io.BytesIO()
    if is_parquet(path):
        pq.write_table(table, buffer, compression="zstd")
    else:
        in_cells = pa.table({name: _cells(table[name], separator) for name in table.column_names})
        frame = pl.DataFrame(pl.from_arrow(in_cells))
        frame.write_csv(
            buffer,
            separator=separator,
            null_value=_MISSING,
            quote_style="never",
        )
    content = buffer.getvalue()
    if path.suffix in _PACKED:
        # without the time of writing: equal tables are equal files
        content = gzip.compress(content, mtime=0)
    with whole_file(path) as out:
        out.write(content)
    return int(table.num_rows)


def _cells(
    column: pa.ChunkedArray,
    separator: str,
) -> pa.Array:
    """A column as text, in which no blank and no separator takes apart what belongs together."""
    values = column.combine_chunks()
    if pa.types.is_floating(values.type):
        # NumPy's texts are the shortest that mean the same number
        return pa.array(np.asarray(values).astype(str), mask=np.asarray(pc.is_null(values)))
    if pa.types.is_string(values.type):
        return pc.replace_substring_regex(values, rf"[\s{separator}]+", "_")
    return pc.cast(values, pa.string())


OF_CHROMOSOME = "@"
"""What stands in a file's name for the chromosome's number, as PLINK has it."""


def names_chromosomes(path: Path) -> bool:
    """Whether there is to be a file for each chromosome, by the name."""
    return OF_CHROMOSOME in path.name


def write_by_chromosome(
    path: Path,
    table: pa.Table,
    columns: Sequence[str],
) -> int:
    """Write a table, or where its name has `@` a file for each of its chromosomes, with the number in that place.

    Args:
        path: of the file, or files.
        table: with CHR, where the name has `@`.
        columns: that are written.

    Returns:
        How many rows there are, in all files.

    Raises:
        InputError: when a file cannot be written.
    """
    if not names_chromosomes(path):
        return write_plain(path, table.select(columns))
    for number in pc.unique(table["CHR"]).to_pylist():
        of_one = table.filter(pc.equal(table["CHR"], number))
        name = path.name.replace(OF_CHROMOSOME, str(number))
        write_plain(path.with_name(name), of_one.select(columns))
    return int(table.num_rows)


def with_columns(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    """The table with further columns behind its own."""
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table
