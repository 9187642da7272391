"""What is done: the commit of a shard, the receipts, and the manifest that closes a run.

A shard is committed by create-only puts: its value tables, the tables derived from them, then the
receipt. Only the receipt counts. Derived tables are made from the value tables *as stored*, so that
when another worker was first, its values are taken and nothing contradicts them.

Worked example, two workers A and B with the same shard of a scoring run:

    A puts scores        created
    B puts scores        there already: B reads A's scores, checks footer and keys, drops its own
    A dies
    B puts effects       created, derived from A's scores
    B puts the receipt   created: the shard is done, with A's scores and effects that agree with them
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.codec import (
    Footer,
    canonical_json,
    decode,
    from_parquet,
    json_line,
    readable_json,
    to_parquet,
)
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.keys import (
    MANIFEST_KEY,
    receipt_block_key,
    receipt_key,
    shard_of_receipt,
    table_key,
)
from enformer_core.dataset.plan import Plan, Shard, check_complete
from enformer_core.dataset.receipts import (
    AuditedAllele,
    Manifest,
    Provenance,
    Receipt,
    ShardObjects,
    StoredTable,
    manifest_json,
    read_manifest_objects,
    read_receipt,
)
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, ValueTable, count_statuses, without_values
from enformer_core.dataset.summary import Totals
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store
from enformer_core.variants.table import Status

BLOCK_SHARDS = 1000
"""Receipts of so many shards are put once more as one object, so that few requests read them all."""

Tables = Mapping[str, pa.Table]
Derivation = Callable[[Tables], Tables]
"""From the value tables as stored, by name, the derived tables by name."""


@dataclass(frozen=True)
class ShardValues:
    """What was computed of a shard.

    Attributes:
        tables: its value tables by name.
        provenance: how they came about, for the receipt.
        audits: alleles that were scored twice.
    """

    tables: Tables
    provenance: Provenance
    audits: tuple[AuditedAllele, ...] = ()


@dataclass(frozen=True)
class Committed:
    """What the driver is told of a commit.

    Attributes:
        shard: its number.
        rows: planned rows that it answers.
        by_status: those by status.
        audits: what scoring some of them twice has shown.
        found: how many of its objects another attempt had put before; they were checked and kept.
        computed: rows for which this attempt computed something; None where that was not counted.
    """

    shard: int
    rows: int
    by_status: Mapping[str, int]
    audits: tuple[AuditedAllele, ...]
    found: int
    computed: int | None = None


@dataclass(frozen=True)
class Ledger:
    """The commits of one run.

    Attributes:
        store: where the run lies.
        run: its description.
        run_type: which tables a shard has.
        readers: receipts read at once.
    """

    store: Store
    run: Run
    run_type: RunType
    readers: int = 32

    def commit(
        self, shard: Shard, planned: pa.Table, values: ShardValues, *, derive: Derivation
    ) -> Committed:
        """Put a shard's tables and its receipt; what is there already is checked and kept.

        Args:
            shard: which.
            planned: its rows of the plan.
            values: what was computed for these rows, in their order.
            derive: makes the derived tables from the value tables as stored.

        Raises:
            DatasetError: when an object of another run stands in the place.
        """
        commit = _Commit(self, shard, planned)
        commit.put_values(values.tables)
        commit.put_derived(derive(commit.stored))
        statuses = commit.statuses()
        receipt = Receipt(
            shard=shard.number,
            chrom=shard.chrom,
            identity=self.run.digest,
            notice=self.run.notice,
            rows=planned.num_rows,
            by_status=count_statuses([statuses]),
            tables=commit.entries,
            committed_at=datetime.now(UTC).replace(microsecond=0),
            audits=values.audits,
            provenance=values.provenance,
        )
        # a second driver or a speculative copy may have put the receipt meanwhile: then it counts
        found = commit.found
        if not self.store.put_if_absent(receipt_key(shard.number), readable_json(receipt)):
            receipt = self._receipt(shard.number)
            found += 1
        return Committed(shard.number, receipt.rows, receipt.by_status, receipt.audits, found)

    def footer(self, table: str, shard: Shard) -> Footer:
        """What the file of one of a shard's tables says of itself."""
        return Footer(table, self.run.digest, self.run.notice, shard.number)

    def committed(self) -> set[int]:
        """Shards that have a receipt, by the receipts' names alone."""
        shards = map(shard_of_receipt, self.store.keys("commits/"))
        return {shard for shard in shards if shard is not None}

    def has_receipt(self, shard: int) -> bool:
        """Whether the shard is done by now; for who asks about one, where `committed` lists all."""
        return self.store.get(receipt_key(shard)) is not None

    def receipts(self, *, put_blocks: bool = False) -> Iterator[Receipt]:
        """All receipts in order of shards: from blocks where they have been put, else many at once.

        Args:
            put_blocks: put those that are missing, so that the next to ask need not read one by one.

        Raises:
            DatasetError: for a receipt that is damaged or of another run.
        """
        by_block = groupby(sorted(self.committed()), key=lambda shard: shard // BLOCK_SHARDS)
        for block, shards in by_block:
            yield from self._block(block, list(shards), put=put_blocks)

    def put_block(self, block: int) -> None:
        """Put the receipts of a block, all of whose shards are committed, as one object."""
        shards = range(block * BLOCK_SHARDS, (block + 1) * BLOCK_SHARDS)
        self._put_block(block, self._contents(shards))

    def _put_block(self, block: int, contents: Iterable[bytes]) -> None:
        # receipts are never decoded here: what another release wrote into them is kept
        lines = b"\n".join(map(json_line, contents))
        self.store.put_if_absent(receipt_block_key(block), lines + b"\n")

    def _block(self, block: int, shards: Sequence[int], *, put: bool) -> Iterator[Receipt]:
        """The receipts of these shards, which all belong to one block."""
        key = receipt_block_key(block)
        is_full = len(shards) == BLOCK_SHARDS
        stored = self.store.get(key) if is_full else None
        if stored is None:
            contents = list(self._contents(shards))
            if put and is_full:
                self._put_block(block, contents)
            for shard, content in zip(shards, contents, strict=True):
                yield self._receipt_of(shard, content)
            return
        receipts = [self._checked(line, key) for line in stored.splitlines()]
        if [receipt.shard for receipt in receipts] != list(shards):
            first, last = shards[0], shards[-1]
            raise DatasetError(f"{key}: damaged: not the receipts of shards {first} to {last}")
        yield from receipts

    def _contents(self, shards: Iterable[int]) -> Iterator[bytes]:
        """The objects of receipts as stored, in order; empty bytes where one is missing."""
        if self.readers == 1:
            yield from map(self._content, shards)
            return
        # a request takes milliseconds of waiting: many at once, or 100,000 receipts take minutes
        with ThreadPoolExecutor(self.readers) as pool:
            yield from pool.map(self._content, shards)

    def _content(self, shard: int) -> bytes:
        return self.store.get(receipt_key(shard)) or b""

    def _receipt(self, shard: int) -> Receipt:
        return self._receipt_of(shard, self._content(shard))

    def _receipt_of(self, shard: int, content: bytes) -> Receipt:
        key = receipt_key(shard)
        receipt = self._checked(content, key)
        # a copy under another name would answer for a shard that nobody computed
        if receipt.shard != shard:
            raise DatasetError(f"{key}: is the receipt of shard {receipt.shard}. Remove it.")
        return receipt

    def _checked(self, content: bytes, key: str) -> Receipt:
        receipt = read_receipt(content, key, self.run_type.tables)
        if receipt.identity != self.run.digest:
            raise DatasetError(f"{key}: of run {receipt.identity}, expected {self.run.digest}")
        return receipt

    def finish(self, plan: Plan) -> Manifest:
        """Put the manifest, the last object of a run; every planned shard must have its receipt.

        Returns:
            The manifest as it stands.

        Raises:
            DatasetError: naming shards without a receipt, or rows that do not add up.
        """
        totals = Totals()
        objects: list[bytes] = []
        answered: dict[int, int] = {}
        table_rows: Counter[str] = Counter()
        for receipt in self.receipts(put_blocks=True):
            answered[receipt.shard] = receipt.rows
            table_rows.update({name: table.rows for name, table in receipt.tables.items()})
            totals.add(receipt)
            entry = ShardObjects(receipt.shard, receipt.chrom, receipt.tables)
            objects.append(canonical_json(entry))
        check_complete(plan, answered)
        manifest = Manifest(
            identity=self.run.digest,
            notice=self.run.notice,
            shards=totals.shards,
            rows=totals.rows,
            by_status=dict(sorted(totals.by_status.items())),
            arithmetic=tuple(sorted(totals.arithmetic)),
            audit=totals.audit,
            table_rows=dict(table_rows),
            completed_at=datetime.now(UTC).replace(microsecond=0),
        )
        self.store.put_if_absent(MANIFEST_KEY, manifest_json(manifest, objects))
        objects.clear()  # of many shards they are as large as the manifest that is read now
        return self.manifest() or manifest

    def manifest(self) -> Manifest | None:
        """The manifest, when the run is complete."""
        content = self.store.get(MANIFEST_KEY)
        return None if content is None else decode(content, Manifest, MANIFEST_KEY)

    def manifest_objects(self) -> list[ShardObjects]:
        """The objects that the manifest names; none before the run is complete."""
        content = self.store.get(MANIFEST_KEY)
        if content is None:
            return []
        return read_manifest_objects(content, MANIFEST_KEY, self.run_type.tables)


class ContradictionError(Exception):
    """Two attempts at one shard differ in which of its rows can be computed."""


class _Commit:
    """One attempt to put a shard's tables.

    Attributes:
        stored: the tables as they lie in the store, by name.
        entries: what the receipt will say of them.
        found: how many were there already.
    """

    def __init__(self, ledger: Ledger, shard: Shard, planned: pa.Table) -> None:
        self._ledger = ledger
        self._shard = shard
        self._planned = planned
        self.stored: dict[str, pa.Table] = {}
        self.entries: dict[str, StoredTable] = {}
        self.found = 0

    def put_values(self, tables: Tables) -> None:
        """Put the value tables, in the order of the run type."""
        for table in self._ledger.run_type.value_tables:
            values = tables[table.name]
            # another attempt may have stored the first table and died: ours must agree with it
            if self.found:
                values = self._agreeing(table, values)
            self._put(table.name, values)
            self._check_keys(table)

    def put_derived(self, tables: Tables) -> None:
        """Put the tables derived from the stored ones."""
        for name in self._ledger.run_type.derived_tables:
            self._put(name, tables[name])

    def statuses(self) -> pa.ChunkedArray:
        """What became of each planned row."""
        run_type = self._ledger.run_type
        return run_type.statuses(self._planned, self.stored[run_type.value_tables[0].name])

    def _put(self, name: str, table: pa.Table) -> None:
        """Put a table, or take the one that another attempt has put."""
        store = self._ledger.store
        key = table_key(name, self._shard.chrom, self._shard.number)
        footer = self._ledger.footer(name, self._shard)
        content = to_parquet(table, footer)
        if not store.put_if_absent(key, content):
            self.found += 1
            content = store.get(key) or b""
            table = _read_checked(content, key, footer)
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
        row = self._ledger.run_type.expected_keys(table, self._planned)["row"]
        columns = self._ledger.run_type.value_columns(table, self._ledger.run)
        kinds = {name: values.schema.field(name).type for name in columns}
        is_ok = pc.equal(statuses, Status.OK).take(row)
        for name in columns:
            if pc.any(pc.and_(is_ok, pc.is_null(values[name]))).as_py():
                raise ContradictionError(
                    f"shard {self._shard.number}: another attempt has stored values for rows that "
                    "failed in this one"
                )
        is_failed = pc.equal(statuses, Status.FAILED).take(row)
        return without_values(values, is_failed, kinds)

    def _check_keys(self, table: ValueTable) -> None:
        run_type = self._ledger.run_type
        expected = run_type.expected_keys(table, self._planned)
        for column in table.key_columns:
            if not self.stored[table.name][column].equals(expected[column]):
                raise DatasetError(
                    f"{self.entries[table.name].key}: column {column} does not hold this shard's "
                    f"{run_type.unit} in the plan's order"
                )


def _read_checked(content: bytes, key: str, expected: Footer) -> pa.Table:
    table, footer = from_parquet(content, key)
    if footer != expected:
        raise DatasetError(
            f"{key}: belongs to run {footer.identity}, shard {footer.shard}; "
            f"expected run {expected.identity}, shard {expected.shard}. Use another --out."
        )
    return table
