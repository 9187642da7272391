"""From placed alleles to shards: which allele is scored in which, decided by input and settings alone.

Does not know models, scores or workers.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Int64

from enformer_core.dataset.layout import plan_key
from enformer_core.dataset.store import Store
from enformer_core.errors import DatasetError

_PART_ROWS = 1_000_000
_ROW_GROUP_ROWS = 50_000
_ALLELE = ("chrom", "start", "ref", "alt")
_TIES = ("input_file", "input_line", "alt_index")


@dataclass(frozen=True)
class Shard:
    """A run of rows of the plan on one contig, scored as one piece of work.

    Attributes:
        number: counts from 0 over the run.
        chrom: the contig, or None for rows without a place.
        part: the part of the plan that holds its rows.
        first_row: its first row in that part.
        rows: how many.
    """

    number: int
    chrom: str | None
    part: int
    first_row: int
    rows: int


@dataclass(frozen=True)
class Plan:
    """All alleles in order, in parts, and the shards they are cut into.

    Attributes:
        parts: tables of alleles with their shard; no shard crosses parts.
        shards: in order; rows follow one another over parts.
    """

    parts: tuple[pa.Table, ...]
    shards: tuple[Shard, ...]

    def counts(self) -> dict[str, int]:
        """Alleles by status."""
        counted: dict[str, int] = {}
        for part in self.parts:
            for row in pc.value_counts(part["status"]).to_pylist():
                counted[row["values"]] = counted.get(row["values"], 0) + row["counts"]
        return dict(sorted(counted.items()))


def default_shard_size(alleles: int) -> int:
    """Some 64 shards for a small run, so that workers share it; never more than 2,000 alleles in one."""
    return min(max(8, -(-alleles // 64)), 2_000)


def make_plan(placed: pa.Table, contigs: Mapping[str, int], shard_size: int) -> Plan:
    """Sort alleles, mark duplicates, and cut shards.

    Args:
        placed: alleles as `variants.place` gives them.
        contigs: the genome's contigs; their order is the plan's. Rows without a place come last.
        shard_size: rows of a shard; one more run of equal alleles may be kept together with it.
    """
    alleles = _mark_duplicates(_sorted(placed, contigs))
    new_allele = _changes(alleles, _ALLELE)
    new_contig = _changes(alleles, ("chrom",))
    starts = np.array(_cuts(new_contig, new_allele, shard_size), dtype=np.int64)
    numbers = np.zeros(alleles.num_rows, dtype=np.int64)
    numbers[starts] = 1
    numbered = alleles.append_column("shard", pa.array(np.cumsum(numbers) - 1, pa.int64()))
    return _divide(numbered, starts)


def _sorted(placed: pa.Table, contigs: Mapping[str, int]) -> pa.Table:
    rank = pc.index_in(placed["chrom"], pa.array(list(contigs), pa.string()))
    keyed = placed.append_column("rank", rank)
    order = pc.sort_indices(
        keyed,
        sort_keys=[(name, "ascending") for name in ("rank", *_ALLELE[1:], *_TIES)],  # nulls come last
    )
    return placed.take(order)


def _changes(alleles: pa.Table, columns: Sequence[str]) -> Bool[np.ndarray, " rows"]:
    """Whether a row differs from the one before in any of the columns; the first row does."""
    changed = np.zeros(alleles.num_rows, dtype=bool)
    changed[:1] = True
    for name in columns:
        values = alleles[name].combine_chunks()
        before, after = values[:-1], values[1:]
        same = pc.or_(pc.fill_null(pc.equal(before, after), False), pc.and_(pc.is_null(before), pc.is_null(after)))
        changed[1:] |= ~np.asarray(same)
    return changed


def _mark_duplicates(alleles: pa.Table) -> pa.Table:
    repeated = ~_changes(alleles, _ALLELE) & np.asarray(pc.equal(alleles["status"], "ok"))
    if not repeated.any():
        return alleles
    flags = alleles["flags"].to_pylist()
    for row in np.flatnonzero(repeated):
        flags[row] = [*(flags[row] or []), "duplicate"]
    return alleles.set_column(alleles.schema.get_field_index("flags"), "flags", pa.array(flags, pa.list_(pa.string())))


def _cuts(new_contig: Bool[np.ndarray, " rows"], new_allele: Bool[np.ndarray, " rows"], shard_size: int) -> list[int]:
    """First rows of shards: at every contig, and at the first new allele after `shard_size` rows."""
    allele_starts = np.flatnonzero(new_allele)
    contig_starts = np.flatnonzero(new_contig).tolist()
    cuts = []
    for start, end in zip(contig_starts, [*contig_starts[1:], new_contig.size], strict=True):
        cut = start
        while cut < end:
            cuts.append(cut)
            later = int(np.searchsorted(allele_starts, cut + shard_size))
            cut = int(allele_starts[later]) if later < allele_starts.size else end
    return cuts


def _divide(alleles: pa.Table, starts: Int64[np.ndarray, " shards"]) -> Plan:
    ends = [*starts[1:].tolist(), alleles.num_rows]
    chroms = alleles["chrom"].take(pa.array(starts)).to_pylist()
    shards, part_starts = [], [0]
    for number, (start, end, chrom) in enumerate(zip(starts.tolist(), ends, chroms, strict=True)):
        if end - part_starts[-1] > _PART_ROWS and start > part_starts[-1]:
            part_starts.append(start)
        shards.append(Shard(number, chrom, len(part_starts) - 1, start - part_starts[-1], end - start))
    part_ends = [*part_starts[1:], alleles.num_rows]
    parts = tuple(alleles.slice(a, b - a) for a, b in zip(part_starts, part_ends, strict=True))
    return Plan(parts, tuple(shards))


def write_plan(store: Store, plan: Plan) -> None:
    """Put every part of the plan; parts that are there already are the same by construction."""
    for number, part in enumerate(plan.parts):
        sink = io.BytesIO()
        pq.write_table(part, sink, compression="zstd", write_page_checksum=True, row_group_size=_ROW_GROUP_ROWS)
        store.put_if_absent(plan_key(number), sink.getvalue())


def read_plan(store: Store, parts: int) -> Plan:
    """The plan as written.

    Raises:
        DatasetError: when a part is missing or damaged.
    """
    tables = tuple(_read_part(store, number) for number in range(parts))
    shards: list[Shard] = []
    for number, table in enumerate(tables):
        shard = np.asarray(table["shard"])
        starts = np.flatnonzero(np.diff(shard, prepend=-1))
        ends = [*starts[1:].tolist(), shard.size]
        chroms = table["chrom"].take(pa.array(starts)).to_pylist()
        shards.extend(
            Shard(int(shard[start]), chrom, number, start, end - start)
            for start, end, chrom in zip(starts.tolist(), ends, chroms, strict=True)
        )
    return Plan(tables, tuple(shards))


def read_shard(store: Store, shard: Shard) -> pa.Table:
    """The alleles of one shard, from the plan as written."""
    return _read_part(store, shard.part).slice(shard.first_row, shard.rows)


def _read_part(store: Store, part: int) -> pa.Table:
    content = store.get(plan_key(part))
    if content is None:
        raise DatasetError(f"{plan_key(part)}: missing. Run the same command again to write it.")
    try:
        return pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{plan_key(part)}: damaged: {error}") from error
