"""Some rows of one committed shard, read as its receipt names them: no more of the files than holds these rows.

Knows receipts and Parquet's row groups. Does not know what is looked for.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import Receipt
from enformer_core.errors import DatasetError
from enformer_core.storage.fenced_files import FencedFiles, fenced_files


@dataclass(frozen=True)
class CommittedShard:
    """The tables of one shard.

    Attributes:
        receipt: which names them.
        location: of the run.
    """

    receipt: Receipt
    location: str

    @classmethod
    def of(
        cls,
        ledger: Ledger,
        shard: int,
    ) -> "CommittedShard | None":
        """A shard of a run; None where it is not committed.

        Raises:
            DatasetError: for a receipt that is damaged or of another run.
        """
        receipt = ledger.found_receipt(shard)
        return None if receipt is None else cls(receipt, ledger.store.location)

    @cached_property
    def _files(self) -> FencedFiles:
        tables = self.receipt.tables.values()
        return fenced_files(self.location, {table.key: table.bytes for table in tables})

    @contextmanager
    def open_table(self, name: str) -> Iterator["StoredRows"]:
        """One table, to be read while the block lasts.

        Raises:
            DatasetError: for a table that is missing, not as long as its receipt says, or damaged.
        """
        entry = self.receipt.tables.get(name)
        if entry is None:
            raise DatasetError(f"shard {self.receipt.shard}: its receipt names no table {name}")
        with open_rows(self._files, entry.key, self.location) as rows:
            yield rows


@contextmanager
def open_rows(
    files: FencedFiles,
    key: str,
    location: str,
) -> Iterator["StoredRows"]:
    """One file of a run, to be read while the block lasts.

    Args:
        files: of the run.
        key: of the file.
        location: of the run.

    Raises:
        DatasetError: for a file that is missing, of another length, or damaged.
    """
    try:
        with files.open(key, "rb") as file:
            yield StoredRows(pq.ParquetFile(file, page_checksum_verification=True))
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(
            f"{key}: damaged: {error}; `enformer-ray verify {location}` says more"
        ) from error


class StoredRows:
    """Rows of one file, by their place in it or by a column's values.

    Args:
        file: of which the footer is read.
    """

    def __init__(self, file: pq.ParquetFile) -> None:
        self._file = file
        footer = file.metadata
        groups = range(footer.num_row_groups)
        sizes = [footer.row_group(group).num_rows for group in groups]
        # groups of 10 10 3 rows begin at 0 10 20
        self._ends = np.cumsum(sizes, dtype=np.int64)
        self._firsts = self._ends - sizes

    @property
    def columns(self) -> list[str]:
        """All columns, in their order."""
        return list(self._file.schema_arrow.names)

    @property
    def scalar_columns(self) -> list[str]:
        """All columns but lists of numbers, which are most of a file."""
        fields = self._file.schema_arrow
        return [field.name for field in fields if not _is_list_of_numbers(field.type)]

    def at(
        self,
        rows: Sequence[int],
        columns: Sequence[str],
    ) -> pa.Table:
        """These rows, in ascending order, and their places in the column `row`.

        Raises:
            DatasetError: for a row that is not there.
        """
        wanted = np.unique(np.asarray(rows, dtype=np.int64))
        if wanted.size and wanted[-1] >= self._file.metadata.num_rows:
            raise DatasetError(f"row {wanted[-1]} of {self._file.metadata.num_rows}")
        group_of_row = np.searchsorted(self._ends, wanted, side="right")
        groups = np.unique(group_of_row)
        table = self._read(groups.tolist(), columns)
        # of rows that were read, those that are wanted
        is_wanted = pc.is_in(table["row"], pa.array(wanted))
        return table.filter(is_wanted)

    def where(
        self,
        column: str,
        first: int,
        last: int,
        columns: Sequence[str],
    ) -> pa.Table:
        """Rows whose number in `column` is from `first` to `last`, both included; `row` is their place."""
        place = self._file.schema.names.index(column)
        groups = []
        for group in range(self._file.metadata.num_row_groups):
            limits = self._file.metadata.row_group(group).column(place).statistics
            # without limits anything may be in it
            is_beside = limits is not None and (
                limits.has_min_max and (limits.min > last or limits.max < first)
            )
            if not is_beside:
                groups.append(group)
        with_column = dict.fromkeys([*columns, column])
        table = self._read(groups, list(with_column))
        values = table[column]
        is_within = pc.and_(
            pc.greater_equal(values, first),
            pc.less_equal(values, last),
        )
        return table.filter(is_within).select([*columns, "row"])

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Every row of the file, at most so many at a time."""
        for batch in self._file.iter_batches(rows, columns=list(columns)):
            yield pa.Table.from_batches([batch])

    def all(self, columns: Sequence[str]) -> pa.Table:
        """Every row of the file, in its order."""
        return self._file.read(list(columns))

    def _read(
        self,
        groups: Sequence[int],
        columns: Sequence[str],
    ) -> pa.Table:
        table = self._file.read_row_groups(list(groups), list(columns))
        # of no group at all there are no places
        nothing = np.empty(0, np.int64)
        rows = [np.arange(self._firsts[group], self._ends[group]) for group in groups]
        places = np.concatenate([nothing, *rows])
        return table.append_column("row", pa.array(places, pa.int64()))


def _is_list_of_numbers(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) and pa.types.is_floating(kind.value_type)
