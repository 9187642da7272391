"""From placed alleles or tiles to shards: which is computed in which, decided by input and settings alone.

Does not know models, scores or workers.
"""

import hashlib
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Bool, Int64

from enformer_core.dataset.kinds import count_statuses
from enformer_core.dataset.layout import plan_key
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store

_PART_ROWS = 1_000_000
_ROW_GROUP_ROWS = 50_000
TILES_LEAST, TILES_MOST = 1, 8
"""Tiles of a shard: 8 of 5,313 tracks are 150 MB, seven of eight share a part of their tower with the one before."""
_ALLELE = ("chrom", "start", "ref", "alt")
_TIES = ("input_file", "input_line", "alt_index")


@dataclass(frozen=True)
class Shard:
    """A run of rows of the plan on one contig, computed as one piece of work.

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
    """All alleles or tiles in order, in parts, and the shards they are cut into.

    Attributes:
        parts: their tables, each row with its shard; no shard crosses parts.
        shards: in order; rows follow one another over parts.
    """

    parts: tuple[pa.Table, ...]
    shards: tuple[Shard, ...]

    def counts(self) -> dict[str, int]:
        """Rows by status."""
        return count_statuses(part["status"] for part in self.parts)


def default_shard_size(rows: int, *, least: int = 8, most: int = 2_000) -> int:
    """Some 64 shards for a small run, so that workers share it; but from `least` to `most` rows in one.

    The defaults are for alleles. A tile has 896 rows of values: see `TILES_LEAST` and `TILES_MOST`.
    """
    return min(max(least, -(-rows // 64)), most)


WindowStarts = Callable[[Int64[np.ndarray, " alleles"]], Int64[np.ndarray, " alleles"]]


@dataclass(frozen=True)
class Audit:
    """Which alleles are scored a second time, plainly, to measure the engine's error.

    Attributes:
        fraction: of the alleles that are scored; 0 for none.
        at_least: but not fewer than these, or all there are.
        seed: decides which, together with nothing else.
    """

    fraction: float
    at_least: int
    seed: str

    def draw(self, candidates: Int64[np.ndarray, " rows"]) -> Int64[np.ndarray, " drawn"]:
        """Some of the rows, without repeats."""
        if not self.fraction:
            return candidates[:0]
        count = min(candidates.size, max(self.at_least, math.ceil(self.fraction * candidates.size)))
        seed = int.from_bytes(hashlib.sha256(self.seed.encode()).digest()[:8], "big")
        return np.random.default_rng(seed).choice(candidates, count, replace=False)


def make_plan(
    placed: pa.Table,
    contigs: Mapping[str, int],
    shard_size: int,
    *,
    window_starts: WindowStarts,
    audit: Audit | None = None,
) -> Plan:
    """Sort alleles, give them their windows, mark duplicates, draw the audited ones, and cut shards.

    Args:
        placed: alleles as `variants.place` gives them.
        contigs: the genome's contigs; their order is the plan's. Rows without a place come last.
        shard_size: rows of a shard; up to half as many more where that keeps alleles of one window together, and one
            run of equal alleles is never cut.
        window_starts: first bases of the windows in which alleles that start at these positions are scored.
        audit: which alleles to score twice; none by default.
    """
    alleles = _mark_duplicates(_sorted(placed, contigs))
    starts_bp = pc.fill_null(alleles["start"], 0)
    windows = window_starts(np.asarray(starts_bp, dtype=np.int64))
    alleles = _mark_audited(_with_windows(alleles, windows), audit)
    new_contig = _changes(alleles, ("chrom",))
    new_window = new_contig | np.diff(windows, prepend=windows[:1] - 1).astype(bool)
    return _divide(alleles, _cuts(new_contig, new_window, _changes(alleles, _ALLELE), shard_size))


def make_tile_plan(tiles: pa.Table, shard_size: int) -> Plan:
    """Cut tiles into shards of so many on one contig.

    Args:
        tiles: of TILES_SCHEMA, contig after contig.
        shard_size: tiles of a shard.
    """
    anywhere = np.ones(tiles.num_rows, dtype=bool)
    return _divide(tiles, _cuts(_changes(tiles, ("chrom",)), anywhere, anywhere, shard_size))


def _with_windows(alleles: pa.Table, windows: Int64[np.ndarray, " alleles"]) -> pa.Table:
    ok = pc.equal(alleles["status"], "ok")
    start = pa.chunked_array([pa.array(windows)])
    return alleles.append_column("window_start", pc.if_else(ok, start, pa.scalar(None, pa.int64())))


def _mark_audited(alleles: pa.Table, audit: Audit | None) -> pa.Table:
    audited = np.zeros(alleles.num_rows, dtype=bool)
    if audit is not None:
        scored = np.asarray(pc.equal(alleles["status"], "ok")) & _changes(alleles, _ALLELE)
        audited[audit.draw(np.flatnonzero(scored))] = True
    return alleles.append_column("audited", pa.array(audited))


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


def _cuts(
    new_contig: Bool[np.ndarray, " rows"],
    new_window: Bool[np.ndarray, " rows"],
    new_allele: Bool[np.ndarray, " rows"],
    shard_size: int,
) -> list[int]:
    """First rows of shards: at contigs; where a window begins soon after `shard_size` rows; else at an allele."""
    window_firsts, allele_firsts = np.flatnonzero(new_window), np.flatnonzero(new_allele)
    contig_firsts = np.flatnonzero(new_contig).tolist()
    cuts = []
    for first, end in zip(contig_firsts, [*contig_firsts[1:], new_contig.size], strict=True):
        cut = first
        while cut < end:
            cuts.append(cut)
            full = cut + shard_size
            window, allele = _next(window_firsts, full, end), _next(allele_firsts, full, end)
            cut = window if window <= full + shard_size // 2 else allele
    return cuts


def _next(firsts: Int64[np.ndarray, " n"], row: int, end: int) -> int:
    """The first of `firsts` from `row` on, or `end`."""
    later = int(np.searchsorted(firsts, row))
    return min(int(firsts[later]), end) if later < firsts.size else end


def _divide(rows: pa.Table, firsts: Sequence[int]) -> Plan:
    """Number the shards that begin at these rows, and put them into parts."""
    starts = np.array(firsts, dtype=np.int64)
    numbers = np.zeros(rows.num_rows, dtype=np.int64)
    numbers[starts] = 1
    numbered = rows.append_column("shard", pa.array(np.cumsum(numbers) - 1, pa.int64()))
    ends = [*starts[1:].tolist(), rows.num_rows]
    chroms = rows["chrom"].take(pa.array(starts)).to_pylist()
    shards, part_starts = [], [0]
    for number, (start, end, chrom) in enumerate(zip(starts.tolist(), ends, chroms, strict=True)):
        if end - part_starts[-1] > _PART_ROWS and start > part_starts[-1]:
            part_starts.append(start)
        shards.append(Shard(number, chrom, len(part_starts) - 1, start - part_starts[-1], end - start))
    part_ends = [*part_starts[1:], rows.num_rows]
    parts = tuple(numbered.slice(a, b - a) for a, b in zip(part_starts, part_ends, strict=True))
    return Plan(parts, tuple(shards))


def plan_to_parquet(plan: Plan) -> list[bytes]:
    """Every part of the plan as it is stored."""
    contents = []
    for part in plan.parts:
        sink = io.BytesIO()
        pq.write_table(part, sink, compression="zstd", write_page_checksum=True, row_group_size=_ROW_GROUP_ROWS)
        contents.append(sink.getvalue())
    return contents


def write_plan(store: Store, contents: Sequence[bytes]) -> None:
    """Put every part of the plan; parts that are there already are the same by construction."""
    for number, content in enumerate(contents):
        store.put_if_absent(plan_key(number), content)


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
    """The rows of one shard, from the plan as written."""
    return _read_part(store, shard.part).slice(shard.first_row, shard.rows)


def _read_part(store: Store, part: int) -> pa.Table:
    content = store.get(plan_key(part))
    if content is None:
        raise DatasetError(f"{plan_key(part)}: missing. Run the same command again to write it.")
    try:
        return pq.read_table(pa.BufferReader(content), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{plan_key(part)}: damaged: {error}") from error
