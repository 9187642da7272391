"""Proof that a run is whole: every planned row answered once, every object as its receipt says."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import UInt64

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.keys import plan_key, receipt_key, table_key
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.plan_storage import read_plan
from enformer_core.dataset.receipts import Receipt
from enformer_core.dataset.run_type import ValueTable, count_statuses
from enformer_core.dataset.summary import Totals
from enformer_core.errors import DatasetError
from enformer_core.variants.table import Status

KeyDigests = UInt64[np.ndarray, " rows"]


@dataclass(frozen=True)
class Verification:
    """What holding every object against plan and receipts has shown.

    Attributes:
        problems: what is wrong, each naming an object; empty for a sound run.
        missing_shards: planned, not committed.
        finished: whether the manifest stands.
        rows: planned rows in committed shards.
        by_status: those rows by status.
        unit: what a planned row is: alleles or tiles.
    """

    problems: tuple[str, ...]
    missing_shards: int
    finished: bool
    rows: int
    by_status: Mapping[str, int]
    unit: str

    @property
    def complete(self) -> bool:
        """Nothing is missing and the run is closed."""
        return self.finished and not self.missing_shards


def verify_run(ledger: Ledger) -> Verification:
    """Hold every object of a run against the plan and its receipt."""
    unit = ledger.run_type.unit
    finished = ledger.manifest() is not None
    try:
        plan = read_plan(ledger.store, ledger.run.plan.parts)
        receipts = list(ledger.receipts())
    except DatasetError as error:
        return Verification((str(error),), 0, finished, 0, {}, unit)
    verifier = _Verifier(ledger, plan, receipts)
    totals = Totals()
    for receipt in receipts:
        totals.add(receipt)
    committed = {receipt.shard for receipt in receipts}
    return Verification(
        problems=tuple(verifier.problems()),
        missing_shards=sum(shard.number not in committed for shard in plan.shards),
        finished=finished,
        rows=totals.rows,
        by_status=dict(sorted(totals.by_status.items())),
        unit=unit,
    )


@dataclass(frozen=True)
class _Verifier:
    """Looks for contradictions between the objects of a run."""

    ledger: Ledger
    plan: Plan
    receipts: Sequence[Receipt]

    def problems(self) -> Iterator[str]:
        yield from self._of_plan()
        shards = {shard.number: shard for shard in self.plan.shards}
        for receipt in self.receipts:
            shard = shards.get(receipt.shard)
            if shard is None:
                yield f"commits: shard {receipt.shard} is not planned"
            else:
                yield from self._of_shard(shard, receipt)
        if self.ledger.manifest() is not None:
            yield from self._stray_objects()
            yield from self._of_manifest()

    def _of_plan(self) -> Iterator[str]:
        summary = self.ledger.run.plan
        for part, expected in enumerate(summary.sha256):
            found = sha256(self.ledger.store.get(plan_key(part)) or b"")
            if found != expected:
                yield f"{plan_key(part)}: sha256 is {found}, run.json says {expected}"
        rows = sum(part.num_rows for part in self.plan.parts)
        unit = self.ledger.run_type.unit
        if rows != summary.rows:
            yield f"plan: {rows} {unit}, run.json says {summary.rows}"
        for key in repeated_keys(self.plan.parts, self.ledger.run_type.plan_keys, rows):
            shown = ", ".join(f"{name} {value}" for name, value in key.items())
            yield f"plan: {shown} stands there more than once"

    def _of_shard(self, shard: Shard, receipt: Receipt) -> Iterator[str]:
        stored: dict[str, pa.Table] = {}
        for name in self.ledger.run_type.tables:
            entry = receipt.tables.get(name)
            key = table_key(name, shard.chrom, shard.number)
            if entry is None or entry.key != key:
                named = None if entry is None else entry.key
                yield f"{receipt_key(shard.number)}: names {named}, planned {key}"
                continue
            content = self.ledger.store.get(key)
            if content is None:
                yield f"{key}: missing"
            elif sha256(content) != entry.sha256:
                yield f"{key}: sha256 is {sha256(content)}, its receipt says {entry.sha256}"
            else:
                table, footer = from_parquet(content, key)
                expected = self.ledger.footer(name, shard)
                if footer != expected:
                    yield f"{key}: its footer says {footer}, expected {expected}"
                if (table.num_rows, content_digest(table)) != (entry.rows, entry.content_digest):
                    yield f"{key}: its rows or values are not those of its receipt"
                stored[name] = table
        yield from self._of_values(shard, receipt, stored)

    def _of_values(
        self, shard: Shard, receipt: Receipt, stored: Mapping[str, pa.Table]
    ) -> Iterator[str]:
        """Whether the value tables answer the planned rows, each by the same statuses."""
        run_type = self.ledger.run_type
        first = run_type.value_tables[0]
        if first.name not in stored:
            return
        planned = self.plan.parts[shard.part].slice(shard.first_row, shard.rows)
        key = receipt.tables[first.name].key
        if misplaced := self._misplaced_keys(first, planned, stored):
            yield f"{key}: {misplaced}"
            return
        statuses = run_type.statuses(planned, stored[first.name])
        changed = pc.not_equal(statuses, planned["status"])
        if pc.any(pc.and_(changed, pc.not_equal(statuses, Status.FAILED))).as_py():
            yield f"{key}: a status is not the planned one"
        counted = count_statuses([statuses])
        if (receipt.rows, receipt.by_status) != (planned.num_rows, counted):
            yield (
                f"{key}: holds {counted}, its receipt says {receipt.rows} {run_type.unit}, "
                f"{dict(receipt.by_status)}"
            )
        for table in run_type.value_tables:
            if table.name in stored:
                yield from self._of_value_table(table, planned, statuses, stored)

    def _of_value_table(
        self,
        table: ValueTable,
        planned: pa.Table,
        statuses: pa.ChunkedArray,
        stored: Mapping[str, pa.Table],
    ) -> Iterator[str]:
        if misplaced := self._misplaced_keys(table, planned, stored):
            yield f"{table.name}: {misplaced}"
            return
        row = self.ledger.run_type.expected_keys(table, planned)["row"]
        is_computed = pc.equal(statuses.take(row), Status.OK)
        tracks = self.ledger.run.typed_identity.tracks.count
        for column in self.ledger.run_type.value_columns(table, self.ledger.run):
            values = stored[table.name][column]
            if not pc.is_valid(values).equals(is_computed):
                yield f"{table.name}: {column} is not there for just the rows that are ok"
            lengths = pc.unique(pc.drop_null(pc.list_value_length(values))).to_pylist()
            if lengths not in ([], [tracks]):
                yield f"{table.name}: {column} has lists of {lengths} tracks, the run {tracks}"

    def _misplaced_keys(
        self, table: ValueTable, planned: pa.Table, stored: Mapping[str, pa.Table]
    ) -> str | None:
        expected = self.ledger.run_type.expected_keys(table, planned)
        rows = stored[table.name]
        misplaced = [name for name in table.key_columns if not rows[name].equals(expected[name])]
        if not misplaced:
            return None
        unit = self.ledger.run_type.unit
        return f"columns {', '.join(misplaced)} do not hold the planned {unit} in order"

    def _stray_objects(self) -> Iterator[str]:
        """Tables that no receipt names: work under way while a run lasts, an error once it is closed."""
        known = {table.key for receipt in self.receipts for table in receipt.tables.values()}
        for table in self.ledger.run_type.tables:
            for key in self.ledger.store.keys(f"{table}/"):
                if key not in known:
                    yield f"{key}: no receipt names it"

    def _of_manifest(self) -> Iterator[str]:
        listed = {entry.shard: entry.tables for entry in self.ledger.manifest_objects()}
        if listed != {receipt.shard: receipt.tables for receipt in self.receipts}:
            yield "manifest.json: lists other objects than the receipts do"


def repeated_keys(
    parts: Iterable[pa.Table], names: Sequence[str], rows: int
) -> list[dict[str, Any]]:
    """Find the keys that are not unique among more rows than fit in memory, in 8 bytes a row.

    Rows are compared by 64-bit digests; those whose digests agree, by their keys.

    Args:
        parts: tables, gone through twice where digests agree.
        names: the columns of the key; text, dictionaries of text, or whole numbers.
        rows: of all parts together.

    Returns:
        Each repeated key once, in order.
    """
    digests = np.empty(rows, dtype=np.uint64)
    filled = 0
    for part in parts:
        digests[filled : filled + part.num_rows] = _key_digests(_keys(part, names))
        filled += part.num_rows
    digests.sort()
    is_repeat = digests[1:] == digests[:-1]  # sorted: equal digests are neighbours
    repeated = np.unique(digests[1:][is_repeat])
    if not repeated.size:
        return []
    suspects = pl.concat(_rows_with(_keys(part, names), repeated) for part in parts)
    return suspects.filter(suspects.is_duplicated()).unique().sort(names).to_dicts()


def _keys(part: pa.Table, names: Sequence[str]) -> pl.DataFrame:
    keys = pl.DataFrame(pl.from_arrow(part.select(list(names))))
    # digests must follow the text: the code of a category differs from part to part
    return keys.with_columns(pl.col(pl.Categorical).cast(pl.String))


def _key_digests(keys: pl.DataFrame) -> KeyDigests:
    return keys.hash_rows().to_numpy()


def _rows_with(keys: pl.DataFrame, digests: KeyDigests) -> pl.DataFrame:
    return keys.filter(np.isin(_key_digests(keys), digests))
