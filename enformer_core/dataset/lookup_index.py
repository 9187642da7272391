"""Where alleles of a run lie: which rows have an identifier, and from where to where each shard reaches.

The index is made once of the plan, and put beside it by whoever asks first; receipts alone say what of it is done. A
plan never changes, and the index bears the plan's digest in its name: one of another plan has another name, so that a
stale one is never found. It is derived, and nothing but a saving: where it is damaged or cannot be put, it is made
anew in memory.
"""

import io
from collections.abc import (
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int64

from enformer_core.dataset.codec import (
    Footer,
    canonical_json,
    from_parquet,
    with_footer,
)
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import lookup_key
from enformer_core.dataset.order import run_firsts
from enformer_core.dataset.plan_storage import read_part
from enformer_core.dataset.run import Run
from enformer_core.errors import DatasetError, StorageError
from enformer_core.storage.fenced_files import fenced_files
from enformer_core.storage.store import Store

_FORMAT = 1
"""Part of the index's name: an index of another release that is made otherwise is not read."""

_IDS = "ids"
_SPANS = "shards"

_ROW_GROUP_ROWS = 1 << 13  # what is decoded for one identifier: some 100 kB

_BETWEEN_IDS = ";"  # as VCF has several in one record

_IDS_SCHEMA = pa.schema([("id", pa.string()), ("shard", pa.int32()), ("row", pa.int32())])

_SPANS_SCHEMA = pa.schema(
    [
        ("shard", pa.int32()),
        ("chrom", pa.string()),
        ("first_start", pa.int64()),
        ("last_start", pa.int64()),
    ]
)


@dataclass(frozen=True)
class ShardRow:
    """A row of the plan, and of the first value table: row `row`, from 0, of shard `shard`."""

    shard: int
    row: int


class ShardSpans:
    """Which positions each shard holds.

    Args:
        table: a row for each shard with a place: its contig, its least and its greatest start, 0-based.
    """

    def __init__(self, table: pa.Table) -> None:
        self._contig = table["chrom"].to_numpy(zero_copy_only=False)
        self._shard = np.asarray(table["shard"])
        self._first = np.asarray(table["first_start"])
        self._last = np.asarray(table["last_start"])
        self.contigs: tuple[str, ...] = tuple(pc.unique(table["chrom"]).to_pylist())

    @cached_property
    def _of_contig(self) -> Mapping[str, Int64[np.ndarray, " shards"]]:
        return {name: np.flatnonzero(self._contig == name) for name in self.contigs}

    def holding(
        self,
        contig: str,
        starts: Collection[int],
    ) -> list[int]:
        """Shards that may hold an allele that starts at one of these positions, 0-based."""
        at = self._of_contig.get(contig)
        if at is None:
            return []
        in_order = np.array(sorted(starts), np.int64)
        # a shard from 5 to 9, starts 3 7 20: one lies before it, and two do not lie behind it
        before = np.searchsorted(
            in_order,
            self._first[at],
            side="left",
        )
        not_behind = np.searchsorted(
            in_order,
            self._last[at],
            side="right",
        )
        return [int(shard) for shard in self._shard[at[before < not_behind]]]


@dataclass(frozen=True)
class LookupIndex:
    """The index of one run.

    Attributes:
        spans: which positions each shard holds.
        ids: rows by identifier, in small letters, in order of identifiers.
        note: why it could not be kept, for people; None where it is.
    """

    spans: ShardSpans
    ids: pq.ParquetFile
    note: str | None = None

    def rows_of(self, names: Collection[str]) -> dict[str, list[ShardRow]]:
        """Rows of identifiers, which are in small letters; those that no row has are not among them."""
        found: dict[str, list[ShardRow]] = {}
        for group in self._groups(names):
            rows = self.ids.read_row_group(group)
            wanted = rows.filter(pc.is_in(rows["id"], pa.array(sorted(names), pa.string())))
            for row in wanted.to_pylist():
                found.setdefault(row["id"], []).append(ShardRow(row["shard"], row["row"]))
        return found

    def _groups(self, names: Collection[str]) -> list[int]:
        """Row groups that may hold the names; several where one identifier is that of many rows."""
        footer = self.ids.metadata
        groups = []
        for group in range(footer.num_row_groups):
            limits = footer.row_group(group).column(0).statistics
            # without limits, as of very long texts, anything may be in it
            if limits is None or any(limits.min <= name <= limits.max for name in names):
                groups.append(group)
        return groups


def open_index(
    store: Store,
    run: Run,
) -> LookupIndex:
    """The index of a run; made and put where there is none yet.

    Raises:
        DatasetError: for a plan that is missing, damaged, or not the one that `run.json` names.
    """
    digest = _digest(run)
    spans_key = lookup_key(_SPANS, digest)
    ids_key = lookup_key(_IDS, digest)
    # the smaller one is put last: where it stands, both do
    try:
        content = store.get(spans_key)
    except StorageError as error:
        # such as a file in the place of the folder; where it is the storage that fails, the plan says so
        return _in_memory(
            run, _tables(store, run), f"the index of its alleles was not kept: {error}"
        )
    if content is None:
        return _made(
            store,
            run,
            spans_key,
            ids_key,
        )
    try:
        spans = _checked(
            content,
            spans_key,
            Footer(_SPANS, run.digest, run.notice),
        )
        ids = _opened(store, ids_key)
    except (DatasetError, StorageError) as error:
        return _in_memory(run, _tables(store, run), f"{error}; it was made again, and not kept")
    return LookupIndex(ShardSpans(spans), ids)


def read_spans(
    store: Store,
    run: Run,
) -> ShardSpans:
    """Which positions each shard of a run holds, of the index where there is one; nothing is put.

    Raises:
        DatasetError: for a plan that is missing, damaged, or not the one that `run.json` names.
    """
    key = lookup_key(_SPANS, _digest(run))
    try:
        content = store.get(key)
        if content is not None:
            return ShardSpans(_checked(content, key, Footer(_SPANS, run.digest, run.notice)))
    except (DatasetError, StorageError):
        pass  # it is derived
    spans = [_spans_of(part) for part in _parts(store, run, ["chrom", "start", "shard"])]
    return ShardSpans(pa.concat_tables([_SPANS_SCHEMA.empty_table(), *spans]))


def _digest(run: Run) -> str:
    """What names an index: the run, its plan, and how the index is made."""
    return sha256(canonical_json([_FORMAT, run.digest, run.plan.sha256]))[:16]


def _checked(
    content: bytes,
    key: str,
    expected: Footer,
) -> pa.Table:
    table, footer = from_parquet(content, key)
    if footer != expected:
        raise DatasetError(f"{key}: is not this run's")
    return table


def _opened(
    store: Store,
    key: str,
) -> pq.ParquetFile:
    """A table of which only what is asked for is read."""
    files = fenced_files(store.location, {key: None})
    try:
        return pq.ParquetFile(
            files.open(key, "rb"),
            page_checksum_verification=True,
        )
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{key}: damaged: {error}") from error


def _made(
    store: Store,
    run: Run,
    spans_key: str,
    ids_key: str,
) -> LookupIndex:
    spans, ids = tables = _tables(store, run)
    try:
        store.put_if_absent(ids_key, _encoded(ids, Footer(_IDS, run.digest, run.notice)))
        store.put_if_absent(spans_key, _encoded(spans, Footer(_SPANS, run.digest, run.notice)))
    except StorageError as error:
        # who may only read is answered all the same
        return _in_memory(run, tables, f"the index of its alleles was not kept: {error}")
    return _in_memory(
        run,
        tables,
        None,
    )


def _in_memory(
    run: Run,
    tables: tuple[pa.Table, pa.Table],
    note: str | None,
) -> LookupIndex:
    spans, ids = tables
    content = _encoded(
        ids,
        Footer(_IDS, run.digest, run.notice),
    )
    return LookupIndex(ShardSpans(spans), pq.ParquetFile(pa.BufferReader(content)), note)


def _encoded(
    table: pa.Table,
    footer: Footer,
) -> bytes:
    sink = io.BytesIO()
    texts = [field.name for field in table.schema if pa.types.is_string(field.type)]
    numbers = [field.name for field in table.schema if field.name not in texts]
    encodings = dict.fromkeys(texts, "DELTA_BYTE_ARRAY")  # neighbours begin alike
    encodings |= dict.fromkeys(numbers, "DELTA_BINARY_PACKED")
    pq.write_table(
        with_footer(table, footer),
        sink,
        compression="zstd",
        use_dictionary=False,
        column_encoding=encodings,
        write_page_checksum=True,
        row_group_size=_ROW_GROUP_ROWS,
    )
    return sink.getvalue()


def _tables(
    store: Store,
    run: Run,
) -> tuple[pa.Table, pa.Table]:
    """Spans and identifiers of a plan."""
    spans = [_SPANS_SCHEMA.empty_table()]
    ids = [_IDS_SCHEMA.empty_table()]
    for part in _parts(store, run, ["chrom", "start", "id", "shard"]):
        spans.append(_spans_of(part))
        ids.append(_ids_of(part))
    of_all = pa.concat_tables(ids).sort_by(
        [("id", "ascending"), ("shard", "ascending"), ("row", "ascending")]
    )
    return pa.concat_tables(spans), of_all


def _parts(
    store: Store,
    run: Run,
    columns: Sequence[str],
) -> Iterator[pa.Table]:
    for number, digest in enumerate(run.plan.sha256):
        yield read_part(
            store,
            number,
            columns,
            digest=digest,
        )


def _spans_of(part: pa.Table) -> pa.Table:
    placed = part.filter(pc.is_valid(part["chrom"])).select(["shard", "chrom", "start"])
    if not placed.num_rows:
        return _SPANS_SCHEMA.empty_table()
    # a shard lies on one contig, and is whole in one part
    of_shards = placed.group_by("shard", use_threads=False).aggregate(
        [("chrom", "first"), ("start", "min"), ("start", "max")]
    )
    columns = [of_shards[name] for name in ("shard", "chrom_first", "start_min", "start_max")]
    named = pa.table(columns, names=_SPANS_SCHEMA.names)
    # a record whose position could not be read has none
    return named.cast(_SPANS_SCHEMA).filter(pc.is_valid(named["first_start"]))


def _ids_of(part: pa.Table) -> pa.Table:
    shards = np.asarray(part["shard"])
    # shards 5 5 5 6 6: they begin at rows 0 3, so that rows within them are 0 1 2 0 1
    firsts = run_firsts(shards)
    sizes = np.diff(firsts, append=shards.size)
    rows = np.arange(shards.size) - np.repeat(firsts, sizes)
    table = pa.table([part["id"], pa.array(shards), pa.array(rows)], names=_IDS_SCHEMA.names)
    table = table.filter(pc.is_valid(table["id"])).combine_chunks()
    names = pc.split_pattern(pc.utf8_lower(table["id"]), _BETWEEN_IDS).combine_chunks()
    of_row = pc.list_parent_indices(names)
    columns = [pc.list_flatten(names), table["shard"].take(of_row), table["row"].take(of_row)]
    return pa.table(columns, names=_IDS_SCHEMA.names).cast(_IDS_SCHEMA)


def names_in(identifier: str) -> list[str]:
    """The identifiers that a row's own holds, in small letters."""
    return identifier.lower().split(_BETWEEN_IDS)
