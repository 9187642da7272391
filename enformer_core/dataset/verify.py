"""Proof that a run is whole: every planned allele has its row, and every object is what its receipt says.

Reads everything; changes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset import layout
from enformer_core.dataset.layout import KEY_COLUMNS
from enformer_core.dataset.ledger import Ledger, Receipt, total_by_status
from enformer_core.dataset.plan import Plan, Shard, read_plan
from enformer_core.dataset.run import Run
from enformer_core.dataset.store import Store
from enformer_core.errors import DatasetError


@dataclass(frozen=True)
class Verdict:
    """What a verification found.

    Attributes:
        problems: what is wrong, each naming an object; empty for a sound run.
        missing_shards: planned, not committed.
        finished: whether the manifest stands.
        rows: rows in committed shards.
        by_status: those rows by status.
    """

    problems: tuple[str, ...]
    missing_shards: int
    finished: bool
    rows: int
    by_status: Mapping[str, int]

    @property
    def complete(self) -> bool:
        """Nothing is missing and the run is closed."""
        return self.finished and not self.missing_shards


def verify_run(store: Store, run: Run) -> Verdict:
    """Hold every object against the plan and its receipt."""
    ledger = Ledger(store, run.digest, run.notice)
    problems: list[str] = []
    receipts: list[Receipt] = []
    try:
        plan = read_plan(store, run.plan["parts"])
        receipts = list(ledger.receipts())
    except DatasetError as error:
        return Verdict((str(error),), 0, ledger.manifest() is not None, 0, {})
    problems.extend(_plan_problems(plan, run))
    shards = {shard.number: shard for shard in plan.shards}
    for receipt in receipts:
        shard = shards.get(receipt["shard"])
        problems.extend(
            [f"commits: shard {receipt['shard']} is not planned"]
            if shard is None
            else _shard_problems(store, run, plan, shard, receipt)
        )
    problems.extend(_stray_objects(store, receipts))
    manifest = ledger.manifest()
    problems.extend(_manifest_problems(manifest, receipts))
    return Verdict(
        tuple(problems),
        len(shards.keys() - {receipt["shard"] for receipt in receipts}),
        manifest is not None,
        sum(receipt["rows"] for receipt in receipts),
        total_by_status(receipts),
    )


def _plan_problems(plan: Plan, run: Run) -> Iterator[str]:
    alleles = sum(part.num_rows for part in plan.parts)
    if alleles != run.plan["alleles"]:
        yield f"plan: {alleles} alleles, run.json says {run.plan['alleles']}"
    keys = pa.concat_tables([part.select(list(KEY_COLUMNS)) for part in plan.parts])
    distinct = keys.group_by(list(KEY_COLUMNS)).aggregate([]).num_rows
    if distinct != alleles:
        yield f"plan: {alleles} alleles have only {distinct} distinct keys"


def _shard_problems(store: Store, run: Run, plan: Plan, shard: Shard, receipt: Receipt) -> Iterator[str]:
    planned = plan.parts[shard.part].slice(shard.first_row, shard.rows)
    expected_keys = {
        "scores": layout.scores_key(shard.chrom, shard.number),
        "effects": layout.effects_key(shard.chrom, shard.number),
    }
    for kind, key in expected_keys.items():
        entry = receipt[kind]
        if entry["key"] != key:
            yield f"{layout.receipt_key(shard.number)}: names {entry['key']}, planned {key}"
            continue
        content = store.get(key)
        if content is None:
            yield f"{key}: missing"
        elif layout.sha256(content) != entry["sha256"]:
            yield f"{key}: sha256 is {layout.sha256(content)}, its receipt says {entry['sha256']}"
        else:
            yield from _table_problems(key, content, {**_footer(run, shard), "kind": kind}, entry)
            if kind == "scores":
                yield from _row_problems(key, layout.from_parquet(content, key)[0], planned, run)


def _footer(run: Run, shard: Shard) -> dict[str, Any]:
    return {"identity": run.digest, "shard": shard.number, "notice": run.notice}


def _table_problems(key: str, content: bytes, expected: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[str]:
    table, footer = layout.from_parquet(content, key)
    if footer != expected:
        yield f"{key}: its footer says {footer}, expected {expected}"
    if table.num_rows != entry["rows"] or layout.content_digest(table) != entry["content_digest"]:
        yield f"{key}: its rows or values are not those of its receipt"


def _row_problems(key: str, table: pa.Table, planned: pa.Table, run: Run) -> Iterator[str]:
    for column in KEY_COLUMNS:
        if not table[column].equals(planned[column]):
            yield f"{key}: column {column} does not hold the planned alleles in order"
    changed = pc.not_equal(table["status"], planned["status"])
    if pc.any(pc.and_(changed, pc.not_equal(table["status"], "failed"))).as_py():
        yield f"{key}: a status is not the planned one"
    scored = pc.equal(table["status"], "ok")
    for statistic in run.identity["conventions"]["statistics"]:
        if not pc.is_valid(table[statistic]).equals(scored):
            yield f"{key}: {statistic} is not there for just the rows that are ok"
        lengths = pc.unique(pc.drop_null(pc.list_value_length(table[statistic]))).to_pylist()
        if lengths not in ([], [run.identity["tracks"]["count"]]):
            yield f"{key}: {statistic} has lists of {lengths} tracks, the run {run.identity['tracks']['count']}"


def _stray_objects(store: Store, receipts: list[Receipt]) -> Iterator[str]:
    """Tables that no receipt names are work under way while a run lasts, and an error once it is closed."""
    if store.get(layout.MANIFEST_KEY) is None:
        return
    known = {receipt[kind]["key"] for receipt in receipts for kind in ("scores", "effects")}
    for prefix in ("scores/", "effects/"):
        for key in store.keys(prefix):
            if key not in known:
                yield f"{key}: no receipt names it"


def _manifest_problems(manifest: Mapping[str, Any] | None, receipts: list[Receipt]) -> Iterator[str]:
    if manifest is None:
        return
    listed = {entry["shard"]: (entry["scores"], entry["effects"]) for entry in manifest["objects"]}
    if listed != {receipt["shard"]: (receipt["scores"], receipt["effects"]) for receipt in receipts}:
        yield "manifest.json: lists other objects than the receipts do"
