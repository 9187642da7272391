"""What is done: the commit of a shard, the receipts, and the manifest that closes a run.

A shard is committed by create-only puts: its tables (scores and effects, or predictions), then the receipt. Only the
receipt counts. Effects are derived from the scores as stored, so when another worker was first, its scores are taken
and nothing contradicts them. Does not know how values are made.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from enformer_core.dataset.codec import canonical_json, from_parquet, readable_json, to_parquet
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.keys import (
    MANIFEST_KEY,
    receipt_block_key,
    receipt_key,
    shard_of_receipt,
    table_key,
)
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_types import VARIANTS, RunKind, count_statuses, kind_of
from enformer_core.dataset.summary import Totals
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store

BLOCK_SHARDS = 1000
"""Receipts of so many shards are put once more as one object, so that few requests read them all."""
_OBJECTS = b',\n  "objects": ['

Receipt = dict[str, Any]
Derivation = Callable[[pa.Table], pa.Table]
_NONE_DERIVED: Mapping[str, Derivation] = MappingProxyType({})


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
    audits: tuple[Mapping[str, Any], ...]
    found: int
    computed: int | None = None


@dataclass(frozen=True)
class Ledger:
    """The commits of one run.

    Attributes:
        store: where the run lies.
        identity: digest of everything that decides the run's values.
        notice: said in every object, where the model is a demonstration.
        kind: which tables a shard has.
        readers: receipts read at once.
    """

    store: Store
    identity: str
    notice: str | None = None
    kind: RunKind = VARIANTS
    readers: int = 32

    @staticmethod
    def of(store: Store, run: Run) -> "Ledger":
        """The ledger of the run that `store` holds."""
        return Ledger(store, run.digest, run.notice, kind_of(run.identity))

    def commit(
        self,
        shard: Shard,
        planned: pa.Table,
        values: pa.Table,
        *,
        derived: Mapping[str, Derivation] = _NONE_DERIVED,
        circumstances: Mapping[str, Any],
    ) -> "Committed":
        """Put a shard's tables and its receipt; what is there already is checked and kept.

        Args:
            shard: which.
            planned: its rows of the plan.
            values: the first of its tables, which answers those rows in their order.
            derived: makes each of its other tables from the first as stored.
            circumstances: software, hardware and time, for the receipt only.

        Raises:
            DatasetError: when an object of another run stands in the place.
        """
        first, *others = self.kind.tables
        stored, entry, found = self._put_table(first, shard, values)
        entries = {first: entry}
        self._check_keys(entry["key"], stored, planned)
        for name in others:
            _, entries[name], was_there = self._put_table(name, shard, derived[name](stored))
            found += was_there
        receipt = {
            "shard": shard.number,
            "chrom": shard.chrom,
            "identity": self.identity,
            "notice": self.notice,
            "rows": planned.num_rows,
            "by_status": count_statuses([self.kind.statuses(planned, stored)]),
            **entries,
            "committed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **circumstances,
        }
        if not self.store.put_if_absent(receipt_key(shard.number), readable_json(receipt)):
            receipt, found = self._receipt(shard.number), found + 1
        return Committed(
            shard.number,
            receipt["rows"],
            receipt["by_status"],
            tuple(receipt.get("audits", ())),
            found,
        )

    def footer(self, table: str, shard: Shard) -> dict[str, Any]:
        """What the file of one of a shard's tables says of itself."""
        return {
            "kind": table,
            "identity": self.identity,
            "shard": shard.number,
            "notice": self.notice,
        }

    def _put_table(
        self, name: str, shard: Shard, table: pa.Table
    ) -> tuple[pa.Table, dict[str, Any], int]:
        """The table as stored, what a receipt says of it, and 1 where it was there already."""
        key, footer = table_key(name, shard.chrom, shard.number), self.footer(name, shard)
        content = to_parquet(table, footer)
        was_there = not self.store.put_if_absent(key, content)
        if was_there:
            content = self.store.get(key) or b""
            table, found = from_parquet(content, key)
            if found != footer:
                raise DatasetError(
                    f"{key}: belongs to run {found.get('identity')}, shard {found.get('shard')}; "
                    f"expected run {self.identity}, shard {shard.number}. Use another --out."
                )
        entry = {
            "key": key,
            "bytes": len(content),
            "rows": table.num_rows,
            "sha256": sha256(content),
            "content_digest": content_digest(table),
        }
        return table, entry, int(was_there)

    def _check_keys(self, key: str, stored: pa.Table, planned: pa.Table) -> None:
        expected = self.kind.answered(planned)
        for column in self.kind.key_columns:
            if not stored[column].equals(expected[column]):
                raise DatasetError(
                    f"{key}: column {column} does not hold this shard's {self.kind.unit} in the plan's order"
                )

    def committed(self) -> set[int]:
        """Shards that have a receipt, by the receipts' names alone."""
        return {shard_of_receipt(key) for key in self.store.keys("commits/")}

    def receipts(self, *, put_blocks: bool = False) -> Iterator[Receipt]:
        """All receipts, in order of shards: from blocks where they have been put, else one by one, many at once.

        Args:
            put_blocks: put those that are missing, so that the next to ask need not read one by one.

        Raises:
            DatasetError: for a receipt that is damaged or of another run.
        """
        for block, shards in groupby(
            sorted(self.committed()), key=lambda shard: shard // BLOCK_SHARDS
        ):
            yield from self._block(block, list(shards), put=put_blocks)

    def put_block(self, block: int) -> None:
        """Put the receipts of a block, all of whose shards are committed, as one object; the same whoever does it."""
        self._put_block(
            block, self._one_by_one(range(block * BLOCK_SHARDS, (block + 1) * BLOCK_SHARDS))
        )

    def _put_block(self, block: int, receipts: Iterable[Receipt]) -> None:
        lines = [canonical_json(receipt) for receipt in receipts]
        self.store.put_if_absent(receipt_block_key(block), b"\n".join(lines) + b"\n")

    def _block(self, block: int, shards: Sequence[int], *, put: bool) -> Iterator[Receipt]:
        key, whole = receipt_block_key(block), len(shards) == BLOCK_SHARDS
        content = self.store.get(key) if whole else None
        if content is None:
            receipts = list(self._one_by_one(shards))
            if put and whole:
                self._put_block(block, receipts)
            yield from receipts
            return
        receipts = [self._checked(_parse(line, key), key) for line in content.splitlines()]
        if [receipt["shard"] for receipt in receipts] != list(shards):
            raise DatasetError(
                f"{key}: damaged: not the receipts of shards {shards[0]} to {shards[-1]}"
            )
        yield from receipts

    def _one_by_one(self, shards: Iterable[int]) -> Iterator[Receipt]:
        if self.readers == 1:
            yield from map(self._receipt, shards)
            return
        with ThreadPoolExecutor(self.readers) as pool:
            yield from pool.map(self._receipt, shards)

    def _receipt(self, shard: int) -> Receipt:
        key = receipt_key(shard)
        return self._checked(_parse(self.store.get(key), key), key)

    def _checked(self, receipt: Receipt, key: str) -> Receipt:
        if receipt.get("identity") != self.identity:
            raise DatasetError(f"{key}: of run {receipt.get('identity')}, expected {self.identity}")
        return receipt

    def finish(self, plan: Plan) -> dict[str, Any]:
        """Put the manifest, the last object of a run; every planned shard must have its receipt.

        Returns:
            The manifest as it stands, without its list of objects.

        Raises:
            DatasetError: naming shards without a receipt, or rows that do not add up.
        """
        totals, objects = Totals(), []
        answered: dict[int, int] = {}
        table_rows: Counter[str] = Counter()
        for receipt in self.receipts(put_blocks=True):
            answered[receipt["shard"]] = receipt["rows"]
            table_rows.update({table: receipt[table]["rows"] for table in self.kind.tables})
            totals.add(receipt)
            entry = {"shard": receipt["shard"], "chrom": receipt["chrom"]}
            objects.append(
                canonical_json(entry | {table: receipt[table] for table in self.kind.tables})
            )
        check_complete(plan, answered)
        head = {
            "identity": self.identity,
            "notice": self.notice,
            "shards": totals.shards,
            **totals.figures(),
            "table_rows": dict(table_rows),
            "completed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self.store.put_if_absent(MANIFEST_KEY, _manifest(head, objects))
        objects.clear()  # of many shards they are as large as the manifest that is read now
        return self.manifest() or head

    def manifest(self, *, with_objects: bool = False) -> dict[str, Any] | None:
        """The manifest, when the run is complete; its list of objects only where it is asked for."""
        content = self.store.get(MANIFEST_KEY)
        if content is None:
            return None
        if not with_objects and (head_bytes := content.find(_OBJECTS)) >= 0:
            content = content[:head_bytes] + b"\n}"
        return _parse(content, MANIFEST_KEY)


def _manifest(head: Mapping[str, Any], objects: Sequence[bytes]) -> bytes:
    """JSON with a line for each shard's objects, put together in one place: it may be a hundred megabytes."""
    text = io.BytesIO()
    text.write(readable_json(head).rstrip(b"}\n \t") + _OBJECTS)
    for number, entry in enumerate(objects):
        text.write(b",\n    " if number else b"\n    ")
        text.write(entry)
    text.write(b"\n  ]\n}\n")
    return text.getvalue()


def check_complete(plan: Plan, answered: Mapping[int, int]) -> None:
    """Prove that receipts answer for each planned shard with as many rows as it has.

    Args:
        plan: what should be there.
        answered: rows by shard, from the receipts.

    Raises:
        DatasetError: naming the shards that differ.
    """
    planned = {shard.number: shard.rows for shard in plan.shards}
    if planned == answered:
        return
    missing = sorted(planned.keys() - answered.keys())
    if missing:
        raise DatasetError(
            f"{len(missing)} of {len(planned)} shards have no receipt, the first {missing[:5]}"
        )
    differing = [
        f"shard {number}: {rows} rows, planned {planned.get(number, 0)}"
        for number, rows in answered.items()
        if planned.get(number) != rows
    ]
    raise DatasetError(f"receipts and plan differ: {'; '.join(differing[:5])}")


def _parse(content: bytes | None, key: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content or b"")
    except ValueError as error:
        raise DatasetError(f"{key}: damaged: {error}") from error
    if not isinstance(parsed, dict):
        raise DatasetError(f"{key}: damaged: not an object")
    return parsed
