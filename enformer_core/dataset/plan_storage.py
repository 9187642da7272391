"""The parts of a plan as Parquet objects: encoded, stored, and read again as a whole or one shard at a time.

Does not know how a plan is made.
"""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from enformer_core.dataset.damage import repair_advice
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import plan_key
from enformer_core.dataset.order import run_firsts
from enformer_core.dataset.plan import Plan, Shard, ShardsBuilder
from enformer_core.errors import DatasetError
from enformer_core.storage.store import Store

_ROW_GROUP_ROWS = 1 << 13  # what is decoded to read one shard: not much more than its rows

_READERS = 8  # threads; they wait for the store most of the time


def part_to_parquet(part: pa.Table) -> bytes:
    """Encode a part of a plan; the bytes follow from the rows alone, in however many chunks they come."""
    schema = part.schema
    # Whole numbers are in order, or nearly so, and as differences take a few bits each.
    numbers = [field.name for field in schema if pa.types.is_int64(field.type)]
    # An id stands once, so that a dictionary would only add to it.
    no_dictionary = {*numbers, "id"}
    dictionary = [path for path in _paths(schema) if path not in no_dictionary]
    sink = io.BytesIO()
    pq.write_table(
        part.combine_chunks(),
        sink,
        compression="zstd",
        use_dictionary=dictionary,
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        write_statistics=["chrom", "start"],
        write_page_checksum=True,
        row_group_size=_ROW_GROUP_ROWS,
    )
    return sink.getvalue()


def _paths(schema: pa.Schema) -> list[str]:
    """Names of columns as Parquet has them, in which a list is called by its elements."""
    return [
        f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name
        for field in schema
    ]


class StoredParts:
    """The parts of a stored plan, each read when it is needed; the one read last is kept.

    Args:
        store: of the run.
        parts: how many there are.
    """

    def __init__(self, store: Store, parts: int) -> None:
        self._store = store
        self._parts = parts
        self._last_read: tuple[int, pa.Table] | None = None

    def __len__(self) -> int:
        return self._parts

    def __getitem__(self, number: int, /) -> pa.Table:
        number = range(self._parts)[number]
        if self._last_read is None or self._last_read[0] != number:
            self._last_read = None  # let go of it first, or both would be in memory
            rows = _open_part(self._store, number).read()
            self._last_read = (number, rows)
        return self._last_read[1]

    def __iter__(self) -> Iterator[pa.Table]:
        return (self[number] for number in range(self._parts))


class MissingPartError(DatasetError):
    """A part of the plan is not there: its driver died, or it was removed; it follows from the same input."""


def read_plan(
    store: Store,
    parts: int,
    *,
    digests: Sequence[str] = (),
) -> Plan:
    """Read which shards a stored plan has. Every part is fetched once, and its rows are left there.

    Args:
        store: of the run.
        parts: how many parts the plan has, as `run.json` says.
        digests: sha256 of each, as `run.json` says; none, and they are not looked at.

    Raises:
        MissingPartError: when a part is missing.
        DatasetError: when a part is damaged, or another one than `run.json` names, with the remedy.
    """
    shards = ShardsBuilder()
    with ThreadPoolExecutor(_READERS) as pool:
        read_shards = partial(_shards_of_part, store, digests)
        for part, shards_of_part in enumerate(pool.map(read_shards, range(parts))):
            for chrom, rows in shards_of_part:
                shards.append(chrom, part=part, rows=rows)
    return Plan(StoredParts(store, parts), shards.build())


def _shards_of_part(
    store: Store,
    digests: Sequence[str],
    number: int,
) -> list[tuple[str | None, int]]:
    """Contig and rows of each shard of a part."""
    expected = digests[number] if digests else None
    rows = _open_part(store, number, digest=expected).read(["chrom", "shard"])
    # shards 5 5 5 6 6 -> firsts 0 3 -> sizes 3 2
    firsts = run_firsts(np.asarray(rows["shard"]))
    sizes = np.diff(firsts, append=rows.num_rows)
    chroms = rows["chrom"].take(pa.array(firsts, pa.int64())).to_pylist()
    return list(zip(chroms, sizes.tolist(), strict=True))


def read_shard(
    store: Store,
    shard: Shard,
    *,
    digest: str | None = None,
) -> pa.Table:
    """Read the rows of one shard from a stored plan; no more of its part is decoded than holds them.

    Args:
        store: of the run.
        shard: which.
        digest: sha256 of its part, as `run.json` says; None, and it is not looked at.

    Raises:
        DatasetError: when the part is missing or damaged.
    """
    part = _open_part(store, shard.part, digest=digest)
    return part.read_rows(shard.first_row, shard.rows)


def read_part(
    store: Store,
    number: int,
    columns: Sequence[str] | None = None,
    *,
    digest: str | None = None,
) -> pa.Table:
    """Some columns of one part of a stored plan.

    Args:
        store: of the run.
        number: which part.
        columns: their names; None for all.
        digest: sha256 of the part, as `run.json` says; None, and it is not looked at.

    Raises:
        DatasetError: when the part is missing or damaged.
    """
    return _open_part(store, number, digest=digest).read(columns)


@dataclass(frozen=True)
class _Part:
    """A part whose bytes are here, and of which nothing but the footer is decoded."""

    key: str
    file: pq.ParquetFile

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        with _damage_named(self.key):
            return self.file.read(columns)

    def read_rows(self, first: int, count: int) -> pa.Table:
        footer = self.file.metadata
        sizes = [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]
        # Groups of 10 rows end at 10 20 30. Rows [8, 13) lie from group 0, the first whose end is beyond 8, to group 1,
        # the first whose end is not below 13.
        ends = np.cumsum(sizes)
        first_group = int(np.searchsorted(ends, first, "right"))
        last_group = int(np.searchsorted(ends, first + count))
        groups_begin = int(ends[first_group] - sizes[first_group])
        groups = list(range(first_group, last_group + 1))
        with _damage_named(self.key):
            rows = self.file.read_row_groups(groups)
        return rows.slice(first - groups_begin, count)


def _open_part(
    store: Store,
    number: int,
    *,
    digest: str | None = None,
) -> _Part:
    key = plan_key(number)
    content = store.get(key)
    if content is None:
        raise MissingPartError(f"{key}: missing. Run the same command again to write it.")
    if digest is not None and (found := sha256(content)) != digest:
        raise DatasetError(
            f"{key}: damaged: sha256 is {found}, run.json says {digest}. "
            f"{repair_advice(store.location)}"
        )
    with _damage_named(key):
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    return _Part(key, file)


@contextmanager
def _damage_named(key: str) -> Iterator[None]:
    """Turn what the decoder says of a part into an error that names it."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{key}: damaged: {error}") from error
