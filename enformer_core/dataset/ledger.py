"""What is done: the commit of a shard, the receipts, and the manifest that closes a run.

A shard is committed by create-only puts: its tables (scores and effects, or predictions), then the receipt. Only the
receipt counts. Effects are derived from the scores as stored, so when another worker was first, its scores are taken
and nothing contradicts them. Does not know how values are made.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from enformer_core.dataset import layout
from enformer_core.dataset.audits import summarise_audits
from enformer_core.dataset.kinds import VARIANTS, RunKind, count_statuses, kind_of
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.run import Run
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store

Receipt = dict[str, Any]
Derivation = Callable[[pa.Table], pa.Table]
_NONE_DERIVED: Mapping[str, Derivation] = MappingProxyType({})


@dataclass(frozen=True)
class Ledger:
    """The commits of one run.

    Attributes:
        store: where the run lies.
        identity: digest of everything that decides the run's values.
        notice: said in every object, where the model is a demonstration.
        kind: which tables a shard has.
    """

    store: Store
    identity: str
    notice: str | None = None
    kind: RunKind = VARIANTS

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
    ) -> Receipt:
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
        stored, entry = self._put_table(first, shard, values)
        entries = {first: entry}
        self._check_keys(entry["key"], stored, planned)
        for name in others:
            _, entries[name] = self._put_table(name, shard, derived[name](stored))
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
        self.store.put_if_absent(layout.receipt_key(shard.number), layout.readable_json(receipt))
        return receipt

    def footer(self, table: str, shard: Shard) -> dict[str, Any]:
        """What the file of one of a shard's tables says of itself."""
        return {"kind": table, "identity": self.identity, "shard": shard.number, "notice": self.notice}

    def _put_table(self, name: str, shard: Shard, table: pa.Table) -> tuple[pa.Table, dict[str, Any]]:
        key, footer = layout.table_key(name, shard.chrom, shard.number), self.footer(name, shard)
        content = layout.to_parquet(table, footer)
        if not self.store.put_if_absent(key, content):
            content = self.store.get(key) or b""
            table, found = layout.from_parquet(content, key)
            if found != footer:
                raise DatasetError(
                    f"{key}: belongs to run {found.get('identity')}, shard {found.get('shard')}; "
                    f"expected run {self.identity}, shard {shard.number}. Use another --out."
                )
        entry = {
            "key": key,
            "bytes": len(content),
            "rows": table.num_rows,
            "sha256": layout.sha256(content),
            "content_digest": layout.content_digest(table),
        }
        return table, entry

    def _check_keys(self, key: str, stored: pa.Table, planned: pa.Table) -> None:
        expected = self.kind.answered(planned)
        for column in self.kind.key_columns:
            if not stored[column].equals(expected[column]):
                raise DatasetError(
                    f"{key}: column {column} does not hold this shard's {self.kind.unit} in the plan's order"
                )

    def committed(self) -> set[int]:
        """Shards that have a receipt, by the receipts' names alone."""
        return {layout.shard_of_receipt(key) for key in self.store.keys("commits/")}

    def receipts(self) -> Iterator[Receipt]:
        """All receipts, in order of shards.

        Raises:
            DatasetError: for a receipt that is damaged or of another run.
        """
        for key in self.store.keys("commits/"):
            receipt = _parse(self.store.get(key), key)
            if receipt.get("identity") != self.identity:
                raise DatasetError(f"{key}: of run {receipt.get('identity')}, expected {self.identity}")
            yield receipt

    def finish(self, plan: Plan) -> dict[str, Any]:
        """Put the manifest, the last object of a run; every planned shard must have its receipt.

        Raises:
            DatasetError: naming shards without a receipt, or rows that do not add up.
        """
        receipts = list(self.receipts())
        check_complete(plan, receipts)
        manifest = {
            "identity": self.identity,
            "notice": self.notice,
            "shards": len(receipts),
            "rows": sum(receipt["rows"] for receipt in receipts),
            "by_status": total_by_status(receipts),
            "arithmetic": sorted({receipt["arithmetic"] for receipt in receipts if "arithmetic" in receipt}),
            "audit": {
                name: asdict(summary)
                for name, summary in summarise_audits(
                    audit for receipt in receipts for audit in receipt.get("audits", ())
                ).items()
            },
            "completed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "objects": [
                {"shard": r["shard"], "chrom": r["chrom"], **{table: r[table] for table in self.kind.tables}}
                for r in receipts
            ],
        }
        self.store.put_if_absent(layout.MANIFEST_KEY, layout.readable_json(manifest))
        return self.manifest() or manifest

    def manifest(self) -> dict[str, Any] | None:
        """The manifest, when the run is complete."""
        content = self.store.get(layout.MANIFEST_KEY)
        return None if content is None else _parse(content, layout.MANIFEST_KEY)


def check_complete(plan: Plan, receipts: Sequence[Receipt]) -> None:
    """Prove that receipts answer for each planned shard with as many rows as it has.

    Raises:
        DatasetError: naming the shards that differ.
    """
    planned = {shard.number: shard.rows for shard in plan.shards}
    answered = {receipt["shard"]: receipt["rows"] for receipt in receipts}
    if planned == answered:
        return
    missing = sorted(planned.keys() - answered.keys())
    if missing:
        raise DatasetError(f"{len(missing)} of {len(planned)} shards have no receipt, the first {missing[:5]}")
    differing = [
        f"shard {number}: {rows} rows, planned {planned.get(number, 0)}"
        for number, rows in answered.items()
        if planned.get(number) != rows
    ]
    raise DatasetError(f"receipts and plan differ: {'; '.join(differing[:5])}")


def total_by_status(receipts: Sequence[Receipt]) -> dict[str, int]:
    """Rows by status over receipts."""
    totals: dict[str, int] = {}
    for receipt in receipts:
        for status, rows in receipt["by_status"].items():
            totals[status] = totals.get(status, 0) + rows
    return dict(sorted(totals.items()))


def _parse(content: bytes | None, key: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content or b"")
    except ValueError as error:
        raise DatasetError(f"{key}: damaged: {error}") from error
    if not isinstance(parsed, dict):
        raise DatasetError(f"{key}: damaged: not an object")
    return parsed
