"""Records of a Parquet file as text; the line is the row, counted from 1.

Of a file in folders as Hive and Spark lay them out (`chrom=20/part.parquet`) the contig is in the folder's name.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.errors import InputError
from enformer_core.variants.formats.columns import find_columns, listed
from enformer_core.variants.formats.given import NOTHING_GIVEN, GivenColumns
from enformer_core.variants.formats.headers import NAMES, cleaned
from enformer_core.variants.formats.odd_lines import BY_COLUMNS
from enformer_core.variants.formats.reader import (
    REQUIRED,
    TEXT_COLUMNS,
    Header,
    Roles,
    kept_name,
    whole_records,
)

_MAGIC = b"PAR1"

_BLOCK_ROWS = 1 << 17

# Roles that may be floats; elsewhere a float is a position that lost its digits or a column meant for something else.
_NUMERIC = {"frequency"}


_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class Partition:
    """What a folder's name says of all rows below it: `chrom=20`, that their contig is 20, which is text."""

    column: str
    chrom: str | None

    @staticmethod
    def of(name: str) -> "Partition | None":
        """The partition by contig in which a file or an object lies, if there is one.

        Args:
            name: its path or address; the folders right above it count, as long as they are partitions.
        """
        folders = reversed(name.split("/")[:-1])
        for folder in takewhile(lambda folder: "=" in folder, folders):
            column, _, value = map(unquote, folder.partition("="))
            if any(cleaned(column) in tier for tier in NAMES["chrom"]):
                return Partition(column, None if value == _NO_VALUE else value)
        return None

    def says_the_same(self, chrom: str) -> bool:
        """Whether a contig's name is this one, but for `chr` before it."""
        return self.chrom is None or _bare(chrom) == _bare(self.chrom)


def _bare(contig: str) -> str:
    return re.sub("^chr", "", contig, flags=re.IGNORECASE)


@dataclass(frozen=True)
class ParquetReader:
    """A Parquet file whose columns are known.

    Attributes:
        path: the file.
        header: its columns, the partition's behind them where only that has the contig.
        partition: in which it lies.
        chrom_is_outside: whether no column of the file has the contig, so that the partition's name alone does.
    """

    path: Path
    header: Header
    partition: Partition | None = None
    chrom_is_outside: bool = False

    @staticmethod
    def sniff(
        path: Path,
        given: GivenColumns = NOTHING_GIVEN,
        *,
        address: str | None = None,
    ) -> "ParquetReader | None":
        """Open the file if it begins as Parquet does; its columns are found by name as those of text are.

        Args:
            path: the file.
            given: columns that the user named.
            address: where it is a copy from.

        Raises:
            InputError: when it is damaged, or a column that is needed is missing.
        """
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                return None
        with _readable(path):
            names = pq.read_schema(_opened(path)).names
        # of a copy the place that it was copied from tells
        partition = Partition.of(address or str(path))
        columns = find_columns(names, str(path), given)
        has_contig = columns is not None and "chrom" in columns.index
        is_outside = partition is not None and not has_contig
        if partition is not None and is_outside:
            columns = find_columns([*names, partition.column], str(path), given)
        if columns is None:
            raise InputError(
                f"{path}: needs the columns {', '.join(REQUIRED)}; it has {listed(names)}. {BY_COLUMNS}."
            )
        header = Header("Parquet", columns, is_table=True)
        return ParquetReader(path, header, partition, is_outside)

    def blocks(self, roles: Roles = ()) -> Iterator[pa.Table]:
        """All rows; see `RecordReader.blocks`.

        Raises:
            InputError: when the file is damaged, or a column's type cannot be meant.
        """
        names = self._names(roles)
        with _readable(self.path):
            file = pq.ParquetFile(_opened(self.path))
            row = 1
            # a column may have two roles, and is read once
            for batch in file.iter_batches(_BLOCK_ROWS, columns=_distinct(names)):
                yield self._records(batch, names, row)
                row += batch.num_rows

    def sample(self, roles: Roles = (), *, probes: int) -> Iterator[pa.Table]:
        """Row groups after the first, about `probes` of them; rows are numbered inside their groups."""
        names = self._names(roles)
        with _readable(self.path):
            file = pq.ParquetFile(_opened(self.path))
            groups = file.num_row_groups
            every = max(1, groups // probes)
            # the first group is the beginning, which the caller has
            for group in range(1, groups, every):
                batches = file.iter_batches(row_groups=[group], columns=_distinct(names))
                for batch in batches:
                    yield self._records(batch, names, 1)

    def keeping(self, places: Mapping[str, int]) -> "ParquetReader":
        """The same with further roles, and the index of each one's column.

        Raises:
            InputError: for what is no column but the folder's name.
        """
        columns = self.header.columns
        behind_all = len(columns.names) - 1
        if self.chrom_is_outside and behind_all in places.values():
            name = columns.names[behind_all]
            raise InputError(
                f"{self.path}: {name!r} cannot be kept: it is the folder's name and no column. The column chrom has it."
            )
        index = {**columns.index, **places}
        header = replace(self.header, columns=replace(columns, index=index))
        return replace(self, header=header)

    def _names(self, roles: Roles) -> dict[str, str]:
        """The file's name of each column that is to be read, by role."""
        columns = self.header.columns
        present = [role for role in (*TEXT_COLUMNS, *roles) if role in columns.index]
        names = {role: columns.names[columns.index[role]] for role in present}
        if self.chrom_is_outside:
            names.pop("chrom", None)
        return names

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
                numeric=role in _NUMERIC or kept_name(role) is not None,
                boolean=kept_name(role) is not None,
            )
            for role, name in names.items()
        }
        if self.partition is not None:
            cells["chrom"] = self._chroms(self.partition, cells.get("chrom"), batch.num_rows)
        return whole_records(cells, rows=batch.num_rows, first_line=first_row)

    def _chroms(
        self,
        partition: Partition,
        inside: pa.Array | None,
        rows: int,
    ) -> pa.Array:
        """Contigs of a batch in a partition.

        Raises:
            InputError: when a column says something else.
        """
        outside = pa.repeat(pa.scalar(partition.chrom, pa.string()), rows)
        if inside is None:
            return outside
        # a contig beside a partition of another: whichever were taken, rows would be misplaced
        for chrom in pc.unique(inside).to_pylist():
            if chrom is not None and not partition.says_the_same(chrom):
                columns = self.header.columns
                name = columns.names[columns.index["chrom"]]
                raise InputError(
                    f"{self.path}: lies in {partition.column}={partition.chrom}, and has rows whose column {name!r} "
                    f"is {chrom!r}. Move the file where it belongs, or give it another folder without '='."
                )
        return pc.coalesce(inside, outside)


def _opened(path: Path) -> pa.NativeFile:
    # a name need not be UTF-8
    return pa.OSFile(os.fsencode(path))


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
    boolean: bool = False,
) -> pa.Array:
    """A column as text: numbers as they are written in decimal, lists joined by commas."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    # some programs write the ALTs of a record as a list
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lists = pc.cast(column, pa.list_(pa.string()))
        return pc.binary_join(_without_gaps(lists), ",")
    is_scalar = _is_number(kind, numeric=numeric) or (boolean and pa.types.is_boolean(kind))
    if not (_is_text(kind) or is_scalar or pa.types.is_null(kind)):
        raise InputError(f"{where} is of type {kind}. Write it as text, or positions as integers.")
    return pc.cast(column, pa.string())


def _without_gaps(lists: pa.ListArray) -> pa.ListArray:
    """The lists with `.` for each null inside them: joined, one null would take the others with it."""
    cells = lists.flatten()
    if not cells.null_count:
        return lists
    counts = pc.fill_null(pc.list_value_length(lists), 0)
    ends = pc.cumulative_sum(counts).to_pylist()
    offsets = pa.array([0, *ends], pa.int32())
    filled = pc.fill_null(cells, ".")
    return pa.ListArray.from_arrays(offsets, filled, mask=pc.is_null(lists))


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _is_number(kind: pa.DataType, *, numeric: bool) -> bool:
    return pa.types.is_integer(kind) or (numeric and pa.types.is_floating(kind))
