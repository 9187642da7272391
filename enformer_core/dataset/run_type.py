"""What the dataset asks of a kind of run: what is planned, and which tables answer it.

`score` and `tiles` are two kinds; `enformer_core.analyses` has a file for each. The ledger, `verify`
and `query` learn of tables from here and know no kind by name.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.run import Run


@dataclass(frozen=True)
class ValueTable:
    """A table whose values are computed, as opposed to derived from other tables.

    Attributes:
        name: also its folder in the run's directory.
        key_columns: what names a row within a shard.
    """

    name: str
    key_columns: tuple[str, ...]


class RunType(ABC):
    """A kind of run, seen from what lies in its directory.

    Attributes:
        name: as in `run.json`.
        unit: what a row of the plan is, in the plural.
        proof: what a verified run proves of its units.
        plan_keys: columns that name a row of the plan; unique over a run.
        value_tables: put in this order, before the derived ones. The first decides statuses.
        derived_tables: names of tables that are functions of the value tables as stored.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    proof: ClassVar[str]
    plan_keys: ClassVar[tuple[str, ...]]
    value_tables: ClassVar[tuple[ValueTable, ...]]
    derived_tables: ClassVar[tuple[str, ...]] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of all tables of a shard, in the order of their puts."""
        values = [table.name for table in self.value_tables]
        return (*values, *self.derived_tables)

    @abstractmethod
    def expected_keys(self, table: ValueTable, planned: pa.Table) -> pa.Table:
        """The keys that a value table must hold for rows of the plan, in order.

        Returns:
            The table's key columns, and `row`: which of the planned rows (from 0) each answers.
        """

    @abstractmethod
    def statuses(self, planned: pa.Table, stored: pa.Table) -> pa.ChunkedArray:
        """What became of each planned row, from the first value table as stored."""

    @abstractmethod
    def value_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """Columns of a value table that hold a list over the run's tracks, or a number; null where a row failed."""

    def spread_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """Columns of lists over tracks that say how far values are from each other; none where a kind has none."""
        del table, run
        return ()

    def list_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """Both: what is there for just the rows that were computed."""
        return [*self.value_columns(table, run), *self.spread_columns(table, run)]

    def list_length(self, table: ValueTable, run: Run) -> int:
        """How long the lists in these columns are: as many as the run has tracks, where a kind says nothing else."""
        del table
        return run.typed_identity.tracks.count

    def computed_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """All columns of a value table that are null where a row failed: the lists, and what is made of them."""
        return self.list_columns(table, run)

    @property
    def can_be_put_together(self) -> bool:
        """Whether shards can be joined: where every table is of planned rows, or `merge_derived` says how."""
        return not self.derived_tables

    def merge_derived(self, name: str, tables: Sequence[pa.Table]) -> pa.Table:
        """One derived table of several shards as if they were one; for kinds that can be put together."""
        raise NotImplementedError(f"{self.name}: {name} of {len(tables)} shards")

    def derived_rows(self, name: str, derived: pa.Table, values: pa.Table) -> pa.Table:
        """Those rows of a derived table that follow from some rows of the first value table, in their order."""
        del values
        raise NotImplementedError(f"{self.name}: {name} of {derived.num_rows} rows")


def count_statuses(statuses: Iterable[pa.ChunkedArray]) -> dict[str, int]:
    """Rows by status, in the order of the statuses' names."""
    counted: dict[str, int] = {}
    for column in statuses:
        counts = pc.value_counts(column)
        for row in counts.to_pylist():
            status = row["values"]
            counted[status] = counted.get(status, 0) + row["counts"]
    # one count is written in one way, whichever row came first
    return dict(sorted(counted.items()))


def without_values(
    table: pa.Table,
    rows: pa.ChunkedArray,
    columns: Mapping[str, pa.DataType],
) -> pa.Table:
    """A table with nulls in some columns of the rows for which `rows` is true."""
    for name, kind in columns.items():
        # of the column's own type: a list cannot be replaced by a null of none
        nulls = pa.nulls(table.num_rows, kind)
        kept = pc.if_else(rows, nulls, table[name])
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, kept)
    return table
