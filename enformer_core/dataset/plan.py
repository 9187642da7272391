"""From placed alleles or tiles to shards: which is computed in which, decided by input and settings alone.

Plans what fits in memory, and reads plans of any size as they are stored; `planning` makes those that do not fit. Does
not know models, scores or workers.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.dataset.keys import plan_key
from enformer_core.dataset.order import Marks, Preparation, WindowStarts, changes
from enformer_core.dataset.run_types import count_statuses
from enformer_core.dataset.sharding import Divider
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store
from enformer_core.variants.hashing import AuditSample

__all__ = [
    "TILES_LEAST",
    "TILES_MOST",
    "AuditSample",
    "Plan",
    "Shard",
    "Shards",
    "StoredParts",
    "WindowStarts",
    "default_shard_size",
    "make_plan",
    "make_tile_plan",
    "part_to_parquet",
    "plan_to_parquet",
    "read_plan",
    "read_shard",
    "shards_of",
    "write_plan",
]

_ROW_GROUP_ROWS = 1 << 13
_READERS = 8  # threads that wait for objects
TILES_LEAST, TILES_MOST = 1, 8
"""Tiles of a shard: 8 of 5,313 tracks are 150 MB, seven of eight share a part of their tower with the one before."""


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


class Shards(Sequence[Shard]):
    """Shards of a plan, kept as columns: some 24 bytes each.

    Args:
        contigs: names, None for rows without a place.
        contig: index into `contigs` of each shard.
        part: the part of each shard; shards are in the order of parts and of rows.
        rows: rows of each shard.
    """

    def __init__(
        self,
        contigs: Sequence[str | None],
        *,
        contig: Sequence[int],
        part: Sequence[int],
        rows: Sequence[int],
    ) -> None:
        self._contigs = tuple(contigs)
        self._contig = np.array(contig, dtype=np.int32)
        self._part = np.array(part, dtype=np.int32)
        self._rows = np.array(rows, dtype=np.int64)
        begins = np.cumsum(self._rows) - self._rows
        new_part = np.diff(self._part, prepend=-1).astype(bool)
        self._first_row = begins - begins[np.flatnonzero(new_part)][np.cumsum(new_part) - 1]

    @property
    def total_rows(self) -> int:
        """Rows of all shards."""
        return int(self._rows.sum())

    def __len__(self) -> int:
        return int(self._rows.size)

    @overload
    def __getitem__(self, index: int) -> Shard: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Shard, ...]: ...
    def __getitem__(self, index: int | slice) -> Shard | tuple[Shard, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        number = range(len(self))[index]
        return Shard(
            number=number,
            chrom=self._contigs[self._contig[number]],
            part=int(self._part[number]),
            first_row=int(self._first_row[number]),
            rows=int(self._rows[number]),
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Sequence)
            and len(self) == len(other)
            and all(a == b for a, b in zip(self, other, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Shards({len(self)} of {self.total_rows} rows)"


@dataclass(frozen=True)
class Plan:
    """All alleles or tiles in order, in parts, and the shards they are cut into.

    Attributes:
        parts: their tables, each row with its shard; no shard crosses parts. Of a stored plan each is read when asked
            for, and only the latest kept.
        shards: in order; rows follow one another over parts.
    """

    parts: "tuple[pa.Table, ...] | StoredParts"
    shards: Shards

    def counts(self) -> dict[str, int]:
        """Rows by status."""
        return count_statuses(part["status"] for part in self.parts)


def default_shard_size(rows: int, *, least: int = 8, most: int = 2_000) -> int:
    """Some 64 shards for a small run, so that workers share it; but from `least` to `most` rows in one.

    The defaults are for alleles. A tile has 896 rows of values: see `TILES_LEAST` and `TILES_MOST`.
    """
    return min(max(least, -(-rows // 64)), most)


def make_plan(
    placed: pa.Table,
    contigs: Mapping[str, int],
    shard_size: int,
    *,
    window_starts: WindowStarts,
    audit: AuditSample | None = None,
) -> Plan:
    """Sort alleles, give them their windows, mark duplicates, draw the audited ones, and cut shards, all in memory.

    Args:
        placed: alleles as `variants.place` gives them.
        contigs: the genome's contigs; their order is the plan's. Rows without a place come last.
        shard_size: rows of a shard; up to half as many more where that keeps alleles of one window together, and one
            run of equal alleles is never cut.
        window_starts: first bases of the windows in which alleles that start at these positions are scored.
        audit: which alleles to score twice; none by default.
    """
    limit = 0 if audit is None else audit.limit([placed])
    prepare = Preparation(contigs, window_starts, audit, limit)
    return _divided(Divider(shard_size, prepare.marks), prepare(placed))


def make_tile_plan(tiles: pa.Table, shard_size: int) -> Plan:
    """Cut tiles into shards of so many on one contig.

    Args:
        tiles: of TILES_SCHEMA, contig after contig.
        shard_size: tiles of a shard.
    """
    return _divided(Divider(shard_size, _anywhere), tiles)


def _anywhere(tiles: pa.Table) -> Marks:
    anywhere = np.ones(tiles.num_rows, dtype=bool)
    return Marks(changes(tiles, ("chrom",)), anywhere, anywhere)


def _divided(divider: Divider, rows: pa.Table) -> Plan:
    parts = (*divider.add(rows), *divider.finish())
    return Plan(parts, shards_of(divider))


def shards_of(divider: Divider) -> Shards:
    """The shards that were cut."""
    return Shards(
        divider.contigs,
        contig=divider.shard_contigs,
        part=divider.shard_parts,
        rows=divider.shard_rows,
    )


def part_to_parquet(part: pa.Table) -> bytes:
    """A part as it is stored: the bytes follow from the rows alone, however they came."""
    numbers = [
        field.name for field in part.schema if pa.types.is_int64(field.type)
    ]  # in order, or nearly so
    sink = io.BytesIO()
    pq.write_table(
        part.combine_chunks(),
        sink,
        compression="zstd",
        use_dictionary=[path for path in _leaves(part.schema) if path not in {*numbers, "id"}],
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        write_statistics=["chrom", "start"],
        write_page_checksum=True,
        row_group_size=_ROW_GROUP_ROWS,
    )
    return sink.getvalue()


def _leaves(schema: pa.Schema) -> list[str]:
    """Names of columns as Parquet has them."""
    return [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        for field in schema
    ]


def plan_to_parquet(plan: Plan) -> list[bytes]:
    """Every part of the plan as it is stored."""
    return [part_to_parquet(part) for part in plan.parts]


def write_plan(store: Store, contents: Iterable[bytes]) -> None:
    """Put every part of the plan; parts that are there already are the same by construction."""
    for number, content in enumerate(contents):
        store.put_if_absent(plan_key(number), content)


class StoredParts:
    """The parts of a stored plan, read when asked for; the latest is kept."""

    def __init__(self, store: Store, parts: int) -> None:
        self._store, self._parts = store, parts
        self._latest: tuple[int, pa.Table] | None = None

    def __len__(self) -> int:
        return self._parts

    def __getitem__(self, index: int) -> pa.Table:
        number = range(self._parts)[index]
        if self._latest is None or self._latest[0] != number:
            self._latest = None
            self._latest = number, _open_part(self._store, number).read()
        return self._latest[1]

    def __iter__(self) -> Iterator[pa.Table]:
        return (self[number] for number in range(self._parts))


def read_plan(store: Store, parts: int) -> Plan:
    """The plan as written. Every part is fetched once, and its rows are left there.

    Raises:
        DatasetError: when a part is missing or damaged.
    """
    contigs: list[str | None] = []
    contig: list[int] = []
    part: list[int] = []
    rows: list[int] = []
    with ThreadPoolExecutor(_READERS) as pool:
        for number, shards in enumerate(
            pool.map(lambda number: _shards_of_part(store, number), range(parts))
        ):
            for chrom, size in shards:
                if not contigs or contigs[-1] != chrom:
                    contigs.append(chrom)
                contig.append(len(contigs) - 1)
                part.append(number)
                rows.append(size)
    return Plan(StoredParts(store, parts), Shards(contigs, contig=contig, part=part, rows=rows))


def _shards_of_part(store: Store, number: int) -> list[tuple[str | None, int]]:
    """Contig and rows of each shard of a part."""
    table = _open_part(store, number).read(["chrom", "shard"])
    starts = np.flatnonzero(np.diff(np.asarray(table["shard"]), prepend=-1))
    chroms = table["chrom"].take(pa.array(starts)).to_pylist()
    return list(zip(chroms, np.diff(starts, append=table.num_rows).tolist(), strict=True))


def read_shard(store: Store, shard: Shard) -> pa.Table:
    """The rows of one shard, from the plan as written; no more of its part is decoded than holds them."""
    return _open_part(store, shard.part).read_rows(shard.first_row, shard.rows)


@dataclass(frozen=True)
class _Part:
    """A part as fetched."""

    key: str
    file: pq.ParquetFile

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        with _naming(self.key):
            return self.file.read(columns)

    def read_rows(self, first: int, count: int) -> pa.Table:
        """So many rows from the first."""
        metadata = self.file.metadata
        ends = np.cumsum(
            [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        )
        groups = range(
            int(np.searchsorted(ends, first, "right")),
            int(np.searchsorted(ends, first + count)) + 1,
        )
        begin = int(ends[groups[0] - 1]) if groups[0] else 0
        with _naming(self.key):
            return self.file.read_row_groups(list(groups)).slice(first - begin, count)


def _open_part(store: Store, number: int) -> _Part:
    key = plan_key(number)
    content = store.get(key)
    if content is None:
        raise DatasetError(f"{key}: missing. Run the same command again to write it.")
    with _naming(key):
        return _Part(key, pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True))


@contextmanager
def _naming(key: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{key}: damaged: {error}") from error
