"""One attempt to put a shard's tables: value tables, then those derived from them as stored.

Worked example, two workers A and B with the same shard of a scoring run:

    A puts scores        created
    B puts scores        there already: B reads A's scores, checks footer and keys, drops its own
    A dies
    B puts effects       created, derived from A's scores
    B puts the receipt   created: the shard is done, with A's scores and effects that agree with them
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.codec import (
    Footer,
    as_json_object,
    convert,
    from_parquet,
    to_parquet,
)
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.keys import table_key
from enformer_core.dataset.plan import Shard
from enformer_core.dataset.receipts import ReusedRows, StoredTable
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, ValueTable, without_values
from enformer_core.errors import DatasetError, TransientStorageError
from enformer_core.storage.store import Store
from enformer_core.variants.table import Status

_OUTCOME = ("status", "reason")
"""Columns that say what became of a row, in tables that have them."""

Tables = Mapping[str, pa.Table]
Derivation = Callable[[Tables], Tables]
"""From the value tables as stored, by name, the derived tables by name."""


def footer_of(run: Run, table: str, shard: Shard) -> Footer:
    """What the file of one of a shard's tables says of itself."""
    return Footer(table, run.digest, run.notice, shard.number)


class ContradictionError(Exception):
    """Two attempts at one shard differ in which of its rows can be computed."""


class Commit:
    """One attempt to put a shard's tables.

    Attributes:
        stored: the tables as they lie in the store, by name.
        entries: what the receipt will say of them.
        found: how many were there already.
        reused: rows of the first value table, as stored, that were copied from other runs.
    """

    def __init__(
        self,
        store: Store,
        run: Run,
        run_type: RunType,
        *,
        shard: Shard,
        planned: pa.Table,
    ) -> None:
        self._store = store
        self._run = run
        self._run_type = run_type
        self._shard = shard
        self._planned = planned
        self.stored: dict[str, pa.Table] = {}
        self.entries: dict[str, StoredTable] = {}
        self.found = 0
        self.reused: tuple[ReusedRows, ...] = ()

    def put_values(self, tables: Tables, reused: Iterable[ReusedRows] = ()) -> None:
        """Put the value tables, in the order of the run type.

        Args:
            tables: by name.
            reused: rows of the first that were copied from other runs.
        """
        self.reused = tuple(reused)
        for table in self._run_type.value_tables:
            values = tables[table.name]
            # another attempt may have stored the first table and died: ours must agree with it
            if self.found:
                values = self._agreeing(table, values)
            self._put(table.name, values)
            self._check_keys(table)

    def put_derived(self, tables: Tables) -> None:
        """Put the tables derived from the stored ones."""
        for name in self._run_type.derived_tables:
            self._put(name, tables[name])

    def statuses(self) -> pa.ChunkedArray:
        """What became of each planned row."""
        run_type = self._run_type
        return run_type.statuses(self._planned, self.stored[run_type.value_tables[0].name])

    def _put(self, name: str, table: pa.Table) -> None:
        """Put a table, or take the one that another attempt has put."""
        store = self._store
        key = table_key(name, self._shard.chrom, self._shard.number)
        footer = footer_of(self._run, name, self._shard)
        is_first = name == self._run_type.value_tables[0].name
        if is_first and self.reused:
            footer = replace(footer, reused=tuple(map(as_json_object, self.reused)))
        content = to_parquet(table, footer)
        # what another attempt has put stands, even where this one's bytes differ: others may have read it
        if not store.put_if_absent(key, content):
            self.found += 1
            stored = store.get(key)
            if stored is None:
                raise TransientStorageError(
                    f"{key}: was there, and is gone. Run the same command again."
                )
            content = stored
            table, there = _read_checked(content, key, footer)
            if is_first:
                # of whose values stand: another attempt may have had other runs to copy from, or none
                self.reused = reused_in(there, key)
        self.stored[name] = table
        self.entries[name] = StoredTable(
            key=key,
            bytes=len(content),
            rows=table.num_rows,
            sha256=sha256(content),
            content_digest=content_digest(table),
        )

    def _agreeing(self, table: ValueTable, values: pa.Table) -> pa.Table:
        """A later value table beside a first one that another attempt has stored.

        Rows that failed there have no values here either, or the two would contradict each other.
        """
        statuses = self.statuses()
        row = self._run_type.expected_keys(table, self._planned)["row"]
        columns = self._run_type.list_columns(table, self._run)
        computed = self._run_type.computed_columns(table, self._run)
        kinds = {name: values.schema.field(name).type for name in computed}
        is_ok = pc.equal(statuses, Status.OK).take(row)
        for name in columns:
            is_absent = pc.is_null(values[name])
            if pc.any(pc.and_(is_ok, is_absent)).as_py():
                raise ContradictionError(
                    f"shard {self._shard.number}: another attempt has stored values for rows that "
                    "failed in this one"
                )
        is_failed = pc.equal(statuses, Status.FAILED).take(row)
        return self._with_stored_outcome(without_values(values, is_failed, kinds), row)

    def _with_stored_outcome(self, values: pa.Table, row: pa.ChunkedArray) -> pa.Table:
        """A later table whose rows say what became of them, and why, as the first does that is stored.

        Args:
            values: of the later table.
            row: which planned row each of its rows answers.
        """
        first = self._run_type.value_tables[0]
        answered = self._run_type.expected_keys(first, self._planned)["row"]
        # rows 0 0 1 1 2 of three planned ones: the first of each stand at 0, 2 and 4
        _, firsts = np.unique(np.asarray(answered), return_index=True)
        for name in _OUTCOME:
            if name in values.column_names:
                told = self.stored[first.name][name].take(pa.array(firsts))
                place = values.schema.get_field_index(name)
                values = values.set_column(place, name, told.take(row))
        return values

    def _check_keys(self, table: ValueTable) -> None:
        run_type = self._run_type
        expected = run_type.expected_keys(table, self._planned)
        # also where this attempt has put it: values beside other rows than theirs could never be taken back
        stored = self.stored[table.name]
        for column in table.key_columns:
            if not stored[column].equals(expected[column]):
                raise DatasetError(
                    f"{self.entries[table.name].key}: column {column} does not hold this shard's "
                    f"{run_type.unit} in the plan's order"
                )


def reused_in(footer: Footer, key: str) -> tuple[ReusedRows, ...]:
    """Rows of a file that were copied from other runs, as it says itself.

    Raises:
        DatasetError: where it says something else.
    """
    return tuple(convert(each, ReusedRows, key) for each in footer.reused or ())


def _read_checked(content: bytes, key: str, expected: Footer) -> tuple[pa.Table, Footer]:
    table, footer = from_parquet(content, key)
    if footer != expected:
        raise DatasetError(
            f"{key}: belongs to run {footer.identity}, shard {footer.shard}; "
            f"expected run {expected.identity}, shard {expected.shard}. Use another --out."
        )
    return table, footer
