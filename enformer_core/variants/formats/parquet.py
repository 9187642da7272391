"""Records of a Parquet file as text; the line is the row, counted from 1."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.errors import InputError
from enformer_core.variants.formats.columns import find_columns, listed
from enformer_core.variants.formats.reader import (
    REQUIRED,
    TEXT_COLUMNS,
    Header,
    Roles,
    whole_records,
)

_MAGIC = b"PAR1"

_BLOCK_ROWS = 1 << 17

# Roles that may be floats; elsewhere a float is a position that lost its digits or a column meant for something else.
_NUMERIC = {"frequency"}


@dataclass(frozen=True)
class ParquetReader:
    """A Parquet file whose columns are known."""

    path: Path
    header: Header

    @staticmethod
    def sniff(path: Path) -> "ParquetReader | None":
        """Open the file if it begins as Parquet does; its columns are found by name as those of text are.

        Raises:
            InputError: when it is damaged, or a column that is needed is missing.
        """
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
        with _readable(path):
            names = pq.read_schema(path).names
        columns = find_columns(names, str(path))
        if columns is None:
            raise InputError(
                f"{path}: needs the columns {', '.join(REQUIRED)}; it has {listed(names)}. Rename them."
            )
        return ParquetReader(path, Header("Parquet", columns))

    def blocks(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All rows; see `RecordReader.blocks`.

        Raises:
            InputError: when the file is damaged, or a column's type cannot be meant.
        """
        names = self._names(roles)
        with _readable(self.path):
            file = pq.ParquetFile(self.path)
            row = 1
            # a column may have two roles, and is read once
            for batch in file.iter_batches(_BLOCK_ROWS, columns=_distinct(names)):
                yield self._records(batch, names, row)
                row += batch.num_rows

    def sample(self, roles: Roles = (), *, probes: int) -> Iterator[pa.Table]:
        """Row groups after the first, about `probes` of them; rows are numbered inside their groups."""
        names = self._names(roles)
        with _readable(self.path):
            file = pq.ParquetFile(self.path)
            groups = file.num_row_groups
            every = max(1, groups // probes)
            # the first group is the beginning, which the caller has
            for group in range(1, groups, every):
                batches = file.iter_batches(row_groups=[group], columns=_distinct(names))
                for batch in batches:
                    yield self._records(batch, names, 1)

    def _names(self, roles: Roles) -> dict[str, str]:
        """The file's name of each column that is to be read, by role."""
        columns = self.header.columns
        present = [role for role in (*TEXT_COLUMNS, *roles) if role in columns.index]
        return {role: columns.names[columns.index[role]] for role in present}

    def _records(
        self,
        batch: pa.RecordBatch,
        names: dict[str, str],
        first_row: int,
    ) -> pa.Table:
        cells = {
            role: _as_text(
                batch[name],
                f"{self.path}: column {name!r}",
                numeric=role in _NUMERIC,
            )
            for role, name in names.items()
        }
        return whole_records(cells, rows=batch.num_rows, first_line=first_row)


def _distinct(names: dict[str, str]) -> list[str]:
    return sorted(set(names.values()))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path}: this Parquet file cannot be read ({error}). Write or copy it again."
        ) from error


def _as_text(
    column: pa.Array,
    where: str,
    *,
    numeric: bool,
) -> pa.Array:
    """A column as text: numbers as they are written in decimal, lists joined by commas."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        # some programs write the ALTs of a record as a list
        return pc.binary_join(pc.cast(column, pa.list_(pa.string())), ",")
    if not (_is_text(kind) or _is_number(kind, numeric=numeric) or pa.types.is_null(kind)):
        raise InputError(f"{where} is of type {kind}. Write it as text, or positions as integers.")
    return pc.cast(column, pa.string())


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_number(kind: pa.DataType, *, numeric: bool) -> bool:
    return pa.types.is_integer(kind) or (numeric and pa.types.is_floating(kind))
