"""A planner that is slow and plainly right: one dictionary a row, one rule a function, everything in one list.

The yardstick of the planner that sorts on disk. It follows the documentation, and shares nothing with that planner but
the hash by which audited alleles are drawn and the schema of placed alleles.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa

from enformer_core.variants.audit_sample import AuditSample
from enformer_core.variants.hashing import allele_hashes
from enformer_core.variants.table import PLACED_SCHEMA

Row = dict[str, Any]

PLAN_SCHEMA = pa.schema(
    [
        *PLACED_SCHEMA,
        pa.field("window_start", pa.int64()),
        pa.field("audited", pa.bool_()),
        pa.field("audit_kinds", pa.string()),
        pa.field("audit_float64", pa.bool_()),
        pa.field("shard", pa.int64()),
    ]
)


def reference_plan(
    placed: pa.Table,
    contigs: Mapping[str, int],
    shard_size: int,
    *,
    window_start: Callable[[int], int],
    audit: AuditSample | None,
    part_rows: int,
) -> list[list[list[Row]]]:
    """Parts of shards of rows.

    Args:
        placed: of PLACED_SCHEMA, in any order.
        contigs: the genome's, in order.
        shard_size: rows of a shard.
        window_start: from an allele's start, that of its window.
        audit: which alleles are scored twice.
        part_rows: rows of a part at the most.
    """
    audited = _audited_hashes(placed, audit)
    first = _certain(audited, audit)
    rows = [
        row | {"hash": hash_}
        for row, hash_ in zip(placed.to_pylist(), _hashes(placed, audit), strict=True)
    ]
    rows.sort(key=lambda row: _order(row, list(contigs)))
    seen = set()
    for row in rows:
        row["window"] = window_start(row["start"] or 0)
        scored = row["status"] == "ok"
        repeated = scored and _allele(row) in seen
        if row["chrom"] is not None:
            seen.add(_allele(row))
        if repeated:
            row["flags"] = [*(row["flags"] or []), "duplicate"]
        row["window_start"] = row["window"] if scored else None
        row["audited"] = scored and not repeated and row["hash"] in audited
        row["audit_float64"] = row["audited"] and (
            _mixed(row["hash"]) % 3 == 0 or row["hash"] == first
        )
    shards = []
    for _, of_contig in groupby(rows, key=lambda row: row["chrom"]):
        left = list(of_contig)
        while left:
            size = _size_of_first_shard(left, shard_size)
            shards.append([row | {"shard": len(shards)} for row in left[:size]])
            left = left[size:]
    return _in_parts(shards, part_rows)


def tables(parts: Sequence[Sequence[Sequence[Row]]]) -> list[pa.Table]:
    """Each part as a table, with the columns of a plan."""
    return [
        pa.Table.from_pylist([row for shard in shards for row in shard], schema=PLAN_SCHEMA)
        for shards in parts
    ]


def _order(row: Row, contigs: list[str]) -> tuple[Any, ...]:
    """Contig, start, REF, ALT, file, line, ALT of the line; what is null comes last."""
    rank = contigs.index(row["chrom"]) if row["chrom"] is not None else len(contigs)
    null_last = [(row[name] is None, row[name] or 0) for name in ("start", "ref", "alt")]
    # Rows without a place but with a start come before those without a start.
    return rank, null_last, row["input_file"], row["input_line"], row["alt_index"]


def _allele(row: Row) -> tuple[Any, ...]:
    return row["chrom"], row["start"], row["ref"], row["alt"]


def _size_of_first_shard(rows: Sequence[Row], shard_size: int) -> int:
    """At a new window soon after `shard_size` rows; else at the first row after them that is no repeat."""
    ends = range(shard_size, len(rows))
    at_window = next(
        (end for end in ends if rows[end]["window"] != rows[end - 1]["window"]), len(rows)
    )
    if at_window <= shard_size + shard_size // 2:
        return at_window
    for end in ends:
        if _allele(rows[end]) != _allele(rows[end - 1]) or rows[end]["status"] != "ok":
            return end
    return len(rows)


def _in_parts(shards: Sequence[list[Row]], part_rows: int) -> list[list[list[Row]]]:
    parts: list[list[list[Row]]] = []
    for shard in shards:
        if not parts or sum(map(len, parts[-1])) + len(shard) > part_rows:
            parts.append([])
        parts[-1].append(shard)
    return parts


def _hashes(placed: pa.Table, audit: AuditSample | None) -> list[int | None]:
    return [None] * placed.num_rows if audit is None else allele_hashes(placed, audit.seed).tolist()


def _certain(audited: set[int | None], audit: AuditSample | None) -> int | None:
    """The smallest hash, where a least number is wanted: it is held against float64 for certain."""
    if audit is None or not audited:
        return None
    return min(hash_ for hash_ in audited if hash_ is not None) if audit.at_least else None


def _mixed(hash_: int) -> int:
    """SplitMix64's finaliser, by Python's integers."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hash_ = (hash_ ^ (hash_ >> shift)) * factor % 2**64
    return hash_ ^ (hash_ >> 31)


def _audited_hashes(placed: pa.Table, audit: AuditSample | None) -> set[int | None]:
    """Of the alleles that are scored, those hashes that the fraction takes, and the least until there are enough."""
    if audit is None or not audit.fraction:
        return set()
    statuses = placed["status"].to_pylist()
    hashes = _hashes(placed, audit)
    scored = sorted(
        {hash_ for hash_, status in zip(hashes, statuses, strict=True) if status == "ok"}
    )
    by_fraction = [hash_ for hash_ in scored if hash_ < int(audit.fraction * 2**64)]
    return {*by_fraction, *scored[: audit.at_least]}
