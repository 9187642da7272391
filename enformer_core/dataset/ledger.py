"""What is done: the commit of a shard, the receipts, and the manifest that closes a run.

A shard is committed by three puts, each create-only: scores, effects, receipt. Only the receipt counts. Effects are
derived from the scores as stored, so when another worker was first, its scores are taken and nothing contradicts them.
Does not know how scores are made.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset import layout
from enformer_core.dataset.layout import KEY_COLUMNS
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.store import Store
from enformer_core.errors import DatasetError

Receipt = dict[str, Any]


@dataclass(frozen=True)
class Ledger:
    """The commits of one run.

    Attributes:
        store: where the run lies.
        identity: digest of everything that decides the run's values.
        notice: said in every object, where the model is a demonstration.
    """

    store: Store
    identity: str
    notice: str | None = None

    def commit(
        self,
        shard: Shard,
        scores: pa.Table,
        *,
        effects_of: Callable[[pa.Table], pa.Table],
        circumstances: Mapping[str, Any],
    ) -> Receipt:
        """Put a shard's scores, effects and receipt; what is there already is checked and kept.

        Args:
            shard: which.
            scores: one row for each of its alleles, in the plan's order.
            effects_of: derives the effects from the scores as stored.
            circumstances: software, hardware and time, for the receipt only.

        Raises:
            DatasetError: when an object of another run stands in the place.
        """
        stored, scores_entry = self._put_table("scores", layout.scores_key(shard.chrom, shard.number), shard, scores)
        _check_keys(scores_entry["key"], stored, scores)
        _, effects_entry = self._put_table(
            "effects", layout.effects_key(shard.chrom, shard.number), shard, effects_of(stored)
        )
        receipt = {
            "shard": shard.number,
            "chrom": shard.chrom,
            "identity": self.identity,
            "notice": self.notice,
            "rows": stored.num_rows,
            "by_status": _count(stored["status"]),
            "scores": scores_entry,
            "effects": effects_entry,
            "committed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **circumstances,
        }
        self.store.put_if_absent(layout.receipt_key(shard.number), layout.readable_json(receipt))
        return receipt

    def _put_table(self, kind: str, key: str, shard: Shard, table: pa.Table) -> tuple[pa.Table, dict[str, Any]]:
        footer = {"kind": kind, "identity": self.identity, "shard": shard.number, "notice": self.notice}
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
            "completed_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "objects": [
                {"shard": r["shard"], "chrom": r["chrom"], "scores": r["scores"], "effects": r["effects"]}
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


def _check_keys(key: str, stored: pa.Table, expected: pa.Table) -> None:
    for column in KEY_COLUMNS:
        if not stored[column].equals(expected[column]):
            raise DatasetError(f"{key}: column {column} does not hold this shard's alleles in the plan's order")


def _count(values: pa.ChunkedArray) -> dict[str, int]:
    counted = {row["values"]: row["counts"] for row in pc.value_counts(values).to_pylist()}
    return dict(sorted(counted.items()))


def _parse(content: bytes | None, key: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content or b"")
    except ValueError as error:
        raise DatasetError(f"{key}: damaged: {error}") from error
    if not isinstance(parsed, dict):
        raise DatasetError(f"{key}: damaged: not an object")
    return parsed
