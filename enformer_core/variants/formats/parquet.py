"""Records of a Parquet file, with the same columns as those of a text file; the line is the row, counted from 1.

Knows Parquet's types. Does not know what an allele is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.errors import InputError
from enformer_core.variants.formats.headers import REQUIRED, Columns, find_columns, listed

_NUMERIC = {"frequency"}


def is_parquet(path: Path) -> bool:
    """Whether the file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


@dataclass(frozen=True)
class ParquetRecords:
    """A Parquet file whose columns are known."""

    path: Path
    columns: Columns

    @staticmethod
    def open(path: Path) -> "ParquetRecords":
        """Look at the file's schema.

        Raises:
            InputError: when it is damaged, or a column that is needed is missing.
        """
        with _readable(path):
            names = pq.read_schema(path).names
        columns = find_columns(names, str(path))
        if columns is None:
            raise InputError(
                f"{path}: needs the columns {', '.join(REQUIRED)}; it has {listed(names)}. Rename them."
            )
        return ParquetRecords(path, columns)

    def blocks(self, roles: tuple[str, ...] = (), *, rows: int = 1 << 17) -> Iterator[pa.Table]:
        """Blocks of records as `DelimitedFile.blocks` gives them."""
        chosen = self._chosen(roles)
        with _readable(self.path):
            file = pq.ParquetFile(self.path)
            row = 1
            for batch in file.iter_batches(rows, columns=sorted(set(chosen.values()))):
                yield self._table(batch, chosen, row)
                row += batch.num_rows

    def group(self, number: int, roles: tuple[str, ...] = ()) -> Iterator[pa.Table]:
        """Blocks of one row group, numbered as if it were the first."""
        chosen = self._chosen(roles)
        with _readable(self.path):
            file = pq.ParquetFile(self.path)
            for batch in file.iter_batches(
                row_groups=[number], columns=sorted(set(chosen.values()))
            ):
                yield self._table(batch, chosen, 1)

    def _chosen(self, roles: tuple[str, ...]) -> dict[str, str]:
        index = self.columns.index
        wanted = [role for role in ("chrom", "pos", "id", "ref", "alt", *roles) if role in index]
        return {role: self.columns.names[index[role]] for role in wanted}

    def _table(self, batch: pa.RecordBatch, chosen: dict[str, str], row: int) -> pa.Table:
        size = batch.num_rows
        cells = {
            role: _as_text(batch[name], f"{self.path}: column {name!r}", numeric=role in _NUMERIC)
            for role, name in chosen.items()
        }
        count = np.full(size, len(chosen))
        absent = {
            role: pa.nulls(size, pa.string()) for role in ("chrom", "pos", "id", "ref", "alt")
        }
        return pa.table(
            {
                "line": np.arange(row, row + size),
                "fields": count,
                "wanted": count,
                **(absent | cells),
            }
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path}: this Parquet file cannot be read ({error}). Write or copy it again."
        ) from error


def _as_text(column: pa.Array, where: str, *, numeric: bool) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(
        kind
    ):  # ALTs as a list, which other programs write
        return pc.binary_join(pc.cast(column, pa.list_(pa.string())), ",")
    is_text = (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
    is_number = pa.types.is_integer(kind) or (numeric and pa.types.is_floating(kind))
    if not (is_text or is_number or pa.types.is_null(kind)):
        raise InputError(f"{where} is of type {kind}. Write it as text, or positions as integers.")
    return pc.cast(column, pa.string())
