"""Tables of a few plain columns as files that other programs read: text, packed or not, or Parquet, by the name's end.

Does not know what the columns mean.
"""

import gzip
import io
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


def write_plain(path: Path, table: pa.Table, separator: str = "\t") -> int:
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
        frame.write_csv(buffer, separator=separator, null_value=_MISSING, quote_style="never")
    content = buffer.getvalue()
    if path.suffix in _PACKED:
        # without the time of writing: equal tables are equal files
        content = gzip.compress(content, mtime=0)
    with whole_file(path) as out:
        out.write(content)
    return int(table.num_rows)


def _cells(column: pa.ChunkedArray, separator: str) -> pa.Array:
    """A column as text, in which no blank and no separator takes apart what belongs together."""
    values = column.combine_chunks()
    if pa.types.is_floating(values.type):
        # NumPy's texts are the shortest that mean the same number
        return pa.array(np.asarray(values).astype(str), mask=np.asarray(pc.is_null(values)))
    if pa.types.is_string(values.type):
        return pc.replace_substring_regex(values, rf"[\s{separator}]+", "_")
    return pc.cast(values, pa.string())
