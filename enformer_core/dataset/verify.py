"""Keys that stand more than once among more rows than fit in memory: in 8 bytes a row.

Does not know what the keys mean.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.digests import content_digest, sha256
from enformer_core.dataset.keys import plan_key, receipt_key, table_key
from enformer_core.dataset.ledger import Ledger, Receipt
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.plan_storage import read_plan
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_types import count_statuses, kind_of
from enformer_core.dataset.summary import Totals
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store


def repeated_keys(
    parts: Iterable[pa.Table], names: Sequence[str], rows: int
) -> list[dict[str, Any]]:
    """Find the keys that are not unique.

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
        digests[filled : filled + part.num_rows] = _keys(part, names).hash_rows().to_numpy()
        filled += part.num_rows
    digests.sort()
    agreeing = np.unique(digests[1:][digests[1:] == digests[:-1]])
    if not agreeing.size:
        return []
    suspects = pl.concat(_agreeing(_keys(part, names), agreeing) for part in parts)
    return suspects.filter(suspects.is_duplicated()).unique().sort(names).to_dicts()


def _keys(part: pa.Table, names: Sequence[str]) -> pl.DataFrame:
    keys = pl.DataFrame(pl.from_arrow(part.select(list(names))))
    return keys.with_columns(
        pl.col(pl.Categorical).cast(pl.String)
    )  # digests follow the text, not its code


def _agreeing(keys: pl.DataFrame, digests: np.ndarray[Any, np.dtype[np.uint64]]) -> pl.DataFrame:
    return keys.filter(np.isin(keys.hash_rows().to_numpy(), digests))


@dataclass(frozen=True)
class Verdict:
    """What a verification found.

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


def verify_run(store: Store, run: Run) -> Verdict:
    """Hold every object against the plan and its receipt."""
    ledger = Ledger.of(store, run)
    problems: list[str] = []
    receipts: list[Receipt] = []
    try:
        plan = read_plan(store, run.plan["parts"])
        receipts = list(ledger.receipts())
    except DatasetError as error:
        return Verdict((str(error),), 0, ledger.manifest() is not None, 0, {}, ledger.kind.unit)
    problems.extend(_plan_problems(store, plan, run))
    shards = {shard.number: shard for shard in plan.shards}
    for receipt in receipts:
        shard = shards.get(receipt["shard"])
        problems.extend(
            [f"commits: shard {receipt['shard']} is not planned"]
            if shard is None
            else _shard_problems(ledger, run, plan, shard, receipt)
        )
    problems.extend(_stray_objects(ledger, receipts))
    manifest, totals = ledger.manifest(with_objects=True), Totals()
    for receipt in receipts:
        totals.add(receipt)
    problems.extend(_manifest_problems(manifest, receipts, ledger.kind.tables))
    return Verdict(
        tuple(problems),
        len(shards.keys() - {receipt["shard"] for receipt in receipts}),
        manifest is not None,
        totals.rows,
        dict(sorted(totals.by_status.items())),
        ledger.kind.unit,
    )


def _plan_problems(store: Store, plan: Plan, run: Run) -> Iterator[str]:
    for part, expected in enumerate(run.plan["sha256"]):
        found = sha256(store.get(plan_key(part)) or b"")
        if found != expected:
            yield f"{plan_key(part)}: sha256 is {found}, run.json says {expected}"
    kind = kind_of(run.identity)
    rows = sum(part.num_rows for part in plan.parts)
    if rows != run.plan[kind.unit]:
        yield f"plan: {rows} {kind.unit}, run.json says {run.plan[kind.unit]}"
    for key in repeated_keys(plan.parts, kind.plan_keys, rows):
        yield f"plan: {', '.join(f'{name} {value}' for name, value in key.items())} stands there more than once"


def _shard_problems(
    ledger: Ledger, run: Run, plan: Plan, shard: Shard, receipt: Receipt
) -> Iterator[str]:
    planned = plan.parts[shard.part].slice(shard.first_row, shard.rows)
    for name in ledger.kind.tables:
        key, entry = table_key(name, shard.chrom, shard.number), receipt[name]
        if entry["key"] != key:
            yield f"{receipt_key(shard.number)}: names {entry['key']}, planned {key}"
            continue
        content = ledger.store.get(key)
        if content is None:
            yield f"{key}: missing"
        elif sha256(content) != entry["sha256"]:
            yield f"{key}: sha256 is {sha256(content)}, its receipt says {entry['sha256']}"
        else:
            yield from _table_problems(key, content, ledger.footer(name, shard), entry)
            if name == ledger.kind.tables[0]:
                yield from _row_problems(key, from_parquet(content, key)[0], planned, run, receipt)


def _table_problems(
    key: str, content: bytes, expected: Mapping[str, Any], entry: Mapping[str, Any]
) -> Iterator[str]:
    table, footer = from_parquet(content, key)
    if footer != expected:
        yield f"{key}: its footer says {footer}, expected {expected}"
    if table.num_rows != entry["rows"] or content_digest(table) != entry["content_digest"]:
        yield f"{key}: its rows or values are not those of its receipt"


def _row_problems(
    key: str, table: pa.Table, planned: pa.Table, run: Run, receipt: Receipt
) -> Iterator[str]:
    kind = kind_of(run.identity)
    expected = kind.answered(planned)
    misplaced = [
        column for column in kind.key_columns if not table[column].equals(expected[column])
    ]
    if misplaced:
        yield f"{key}: columns {', '.join(misplaced)} do not hold the planned {kind.unit} in order"
        return
    statuses = kind.statuses(planned, table)
    changed = pc.not_equal(statuses, planned["status"])
    if pc.any(pc.and_(changed, pc.not_equal(statuses, "failed"))).as_py():
        yield f"{key}: a status is not the planned one"
    counted = count_statuses([statuses])
    if (receipt["rows"], receipt["by_status"]) != (planned.num_rows, counted):
        yield f"{key}: holds {counted}, its receipt says {receipt['rows']} {kind.unit}, {receipt['by_status']}"
    computed = pc.equal(statuses.take(expected["row"]), "ok")
    for column in kind.value_columns(run.identity):
        yield from _value_problems(
            f"{key}: {column}", table[column], computed, run.identity["tracks"]["count"]
        )


def _value_problems(
    name: str, values: pa.ChunkedArray, computed: pa.ChunkedArray, tracks: int
) -> Iterator[str]:
    if not pc.is_valid(values).equals(computed):
        yield f"{name} is not there for just the rows that are ok"
    lengths = pc.unique(pc.drop_null(pc.list_value_length(values))).to_pylist()
    if lengths not in ([], [tracks]):
        yield f"{name} has lists of {lengths} tracks, the run {tracks}"


def _stray_objects(ledger: Ledger, receipts: list[Receipt]) -> Iterator[str]:
    """Tables that no receipt names are work under way while a run lasts, and an error once it is closed."""
    if ledger.manifest() is None:
        return
    known = {receipt[table]["key"] for receipt in receipts for table in ledger.kind.tables}
    for table in ledger.kind.tables:
        for key in ledger.store.keys(f"{table}/"):
            if key not in known:
                yield f"{key}: no receipt names it"


def _manifest_problems(
    manifest: Mapping[str, Any] | None, receipts: list[Receipt], tables: tuple[str, ...]
) -> Iterator[str]:
    if manifest is None:
        return
    listed = {
        entry["shard"]: [entry.get(table) for table in tables] for entry in manifest["objects"]
    }
    if listed != {receipt["shard"]: [receipt[table] for table in tables] for receipt in receipts}:
        yield "manifest.json: lists other objects than the receipts do"
