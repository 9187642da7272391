"""The planner: from alleles in any order, or tiles in theirs, to an encoded plan.

    with gather(batches, contigs, place=place, scratch=folder) as alleles:  # read once, counted, in buckets on scratch
        draft = alleles.draft(shard_size, window_starts=..., audit=...)     # sorted, cut, encoded, on scratch still
        draft.put(store)

Any number of alleles is planned in bounded memory. Between the steps the caller can name the run by what was counted,
and describe it by what was drafted. The bytes of a plan follow from its rows and the settings: neither the order in
which rows come nor how many come at a time matters. Threads share the work: reading in the caller's, placing, sorting
and encoding in others, all of it in Arrow and NumPy, which let go of the interpreter. Does not know file formats or how
alleles are placed.
"""

import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.digests import sha256
from enformer_core.dataset.external_sort import Bucket, ExternalSorter, scratch_errors
from enformer_core.dataset.keys import plan_key
from enformer_core.dataset.order import (
    AlleleSorter,
    Boundaries,
    ContigLengths,
    WindowStarts,
    changes,
)
from enformer_core.dataset.plan import Plan, Shards
from enformer_core.dataset.plan_storage import StoredParts, part_to_parquet
from enformer_core.dataset.sharding import Sharder
from enformer_core.storage.store import Store
from enformer_core.variants.audit_sample import AuditChoice, AuditSample

BUCKET_ROWS = 1 << 17
"""Alleles that are sorted at once, where buckets hold fewer: some 50 MB while they are."""

MAX_BUCKET_ROWS = 1 << 19
"""Alleles of a bucket beyond which it is divided first."""

Step = Literal["read", "planned"]

Report = Callable[[Step, int], None]
"""Called with the number of alleles that are through a step, in the caller's thread."""

Item = TypeVar("Item")

Result = TypeVar("Result")


def _no_report(step: Step, alleles: int) -> None:
    del step, alleles


def _as_it_is(rows: pa.Table) -> pa.Table:
    return rows


@dataclass(frozen=True)
class DraftPlan:
    """A complete plan, encoded, not stored yet.

    Attributes:
        parts: each as it will be stored: a file on scratch disk, or its bytes.
        sha256: of each part.
        shards: in order.
        by_status: rows by status, in the order of the statuses' names.
    """

    parts: tuple[Path | bytes, ...]
    sha256: tuple[str, ...]
    shards: Shards
    by_status: Mapping[str, int]

    def put(self, store: Store) -> Plan:
        """Store every part; those that are there already are the same by construction."""
        for number, part in enumerate(self.parts):
            # One at a time: a plan of millions of alleles need not fit into memory.
            content = part if isinstance(part, bytes) else part.read_bytes()
            store.put_if_absent(plan_key(number), content)
        return Plan(StoredParts(store, len(self.parts)), self.shards)


class _PartFile(NamedTuple):
    path: Path
    sha256: str


@dataclass(frozen=True)
class PlacedAlleles:
    """All alleles of a run, placed and counted, in buckets on scratch disk until the `with` block ends.

    Attributes:
        records: input records; each has one first ALT.
        alleles: rows, one for each ALT.
        by_status: rows by status, in the order of the statuses' names.
        by_contig: rows by contig, in the genome's order; None, the last, for rows without a place.
        by_flag: rows by what is worth knowing of them; a row may have several flags. Not yet the duplicates.
        folder: the scratch files.
        contigs: the genome's.
        workers: threads.
        report: where progress is told.
        external_sorter: the buckets.
    """

    records: int
    alleles: int
    by_status: Mapping[str, int]
    by_contig: Mapping[str | None, int]
    by_flag: Mapping[str, int]
    folder: Path
    contigs: ContigLengths
    workers: int
    report: Report
    external_sorter: ExternalSorter

    def __enter__(self) -> "PlacedAlleles":
        return self

    def __exit__(self, *exception: object) -> None:
        # A draft's parts lie there, too: it must have been put by now.
        shutil.rmtree(self.folder, ignore_errors=True)

    def draft(
        self,
        shard_size: int,
        *,
        window_starts: WindowStarts,
        audit: AuditSample | None = None,
        finish: Callable[[pa.Table], pa.Table] = _as_it_is,
    ) -> DraftPlan:
        """Sort alleles, give them their windows, flag repeats, draw the audited ones, cut shards, and encode the plan.

        Args:
            shard_size: rows of a shard; up to half as many more where that keeps alleles of one window together, and
                one run of equal alleles is never cut.
            window_starts: first bases of the windows in which alleles that start at these positions are scored.
            audit: which alleles to score twice; none by default.
            finish: what becomes of rows in order before they are cut, such as types that are known only once all are
                read; called in several threads.

        Raises:
            InputError: when scratch files cannot be written.
        """
        choice = self._audit_choice(audit, window_starts)
        allele_sorter = AlleleSorter(self.contigs, window_starts, audit, choice)
        sharder = Sharder(shard_size, allele_sorter.boundaries)

        def read_sorted(bucket: Bucket) -> pa.Table:
            return finish(allele_sorter.sort(bucket.read()))

        # A pipeline: threads sort buckets ahead, this one cuts what is sorted, and threads encode what is cut.
        with ThreadPoolExecutor(self.workers) as pool:
            in_order = _map_in_order(pool, read_sorted, self._buckets(), self.workers)
            parts = self._parts(sharder, in_order)
            numbered = enumerate(parts)
            written = _map_in_order(pool, self._write, numbered, 2 * self.workers)
            files = list(written)
        return DraftPlan(
            parts=tuple(file.path for file in files),
            sha256=tuple(file.sha256 for file in files),
            shards=sharder.shards(),
            by_status=self.by_status,
        )

    def _audit_choice(self, audit: AuditSample | None, window_starts: WindowStarts) -> AuditChoice:
        if audit is None:
            return AuditChoice()
        batches = self.external_sorter.read()
        tables = (pa.Table.from_batches([batch]) for batch in batches)
        return audit.choose(tables, window_starts)

    def _buckets(self) -> Iterator[Bucket]:
        for bucket in self.external_sorter.buckets(BUCKET_ROWS):
            # Variants of one gene, or of a dense study, lie in few of the genome's intervals.
            if bucket.rows > MAX_BUCKET_ROWS and bucket.can_be_divided:
                finer = self.external_sorter.divide(bucket, BUCKET_ROWS)
                yield from finer.buckets(BUCKET_ROWS)
            else:
                yield bucket

    def _parts(self, sharder: Sharder, in_order: Iterable[pa.Table]) -> Iterator[pa.Table]:
        # Taken by one thread, and in order: where a shard ends hangs on all rows before it.
        done = 0
        for rows in in_order:
            yield from sharder.add(rows)
            done += rows.num_rows
            self.report("planned", done)
        yield from sharder.finish()

    def _write(self, numbered: tuple[int, pa.Table]) -> _PartFile:
        """Encode a part onto scratch disk, where it waits until the run has a name."""
        number, part = numbered
        content = part_to_parquet(part)
        path = self.folder / f"part-{number:05d}.parquet"
        with scratch_errors(path):
            path.write_bytes(content)
        return _PartFile(path, sha256(content))


def gather(
    batches: Iterable[pa.Table],
    contigs: ContigLengths,
    *,
    place: Callable[[pa.Table], pa.Table],
    scratch: Path | None = None,
    workers: int = 2,
    report: Report = _no_report,
) -> PlacedAlleles:
    """Read all alleles once: place them, count them, and write them to buckets of the genome.

    Args:
        batches: alleles as read, some 100,000 at a time, in any order; they are taken in this thread.
        contigs: the genome's.
        place: from a batch, its alleles of PLACED_SCHEMA (further columns are kept); called in several threads.
        scratch: a local directory with room for some 70 bytes an allele; by default the system's.
        workers: threads beside this one, and batches in memory.
        report: told how far it has come.

    Returns:
        A context manager: leaving it removes the scratch files, whatever happened.

    Raises:
        InputError: as the reader and `place` raise it, or when scratch files cannot be written.
    """
    with scratch_errors(Path(scratch or tempfile.gettempdir()) / "plan"):
        folder = Path(tempfile.mkdtemp(prefix="enformer-ray-plan-", dir=scratch))
    try:
        sorter = ExternalSorter(folder / "alleles.arrow", contigs)
        total = _Counts()

        def spill(raw: pa.Table) -> _Counts:
            alleles = place(raw)
            sorter.add(alleles)
            return _count(alleles)

        with ThreadPoolExecutor(workers) as pool:
            for counts in _map_in_order(pool, spill, batches, workers):
                total.add(counts)
                report("read", total.alleles)
        sorter.close()
    # an interruption, too: nobody has a handle on the folder yet
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # A Counter gives 0 for what never came.
    by_contig = {name: total.by_contig[name] for name in (*contigs, None)}
    return PlacedAlleles(
        records=total.records,
        alleles=total.alleles,
        by_status=_sorted_counts(total.by_status),
        by_contig={name: rows for name, rows in by_contig.items() if rows},
        by_flag=_sorted_counts(total.by_flag),
        folder=folder,
        contigs=contigs,
        workers=workers,
        report=report,
        external_sorter=sorter,
    )


def draft_tiles(
    tiles: pa.Table,
    shard_size: int,
    *,
    together: Sequence[str] = (),
    together_rows: int | None = None,
) -> DraftPlan:
    """Cut tiles, or other rows in order, into shards of so many on one contig, and encode the plan, in memory.

    A genome has some 27,000 tiles: there is nothing to sort.

    Args:
        tiles: of TILES_SCHEMA or any other, contig after contig.
        shard_size: tiles of a shard; up to half as many more where that keeps some together.
        together: columns in which rows agree that cost less in one shard; none for rows that have nothing in common.
        together_rows: most rows of a shard that keeps such rows together; None for half as many more as its size.
    """
    cut_between = partial(_cut_between, together=together)
    sharder = Sharder(shard_size, cut_between, window_rows=together_rows)
    parts = chain(sharder.add(tiles), sharder.finish())
    contents = tuple(part_to_parquet(part) for part in parts)
    return DraftPlan(
        parts=contents,
        sha256=tuple(sha256(content) for content in contents),
        shards=sharder.shards(),
        by_status=_sorted_counts(_value_counts(tiles["status"])),
    )


def _cut_between(rows: pa.Table, together: Sequence[str]) -> Boundaries:
    # no tile is another's repeat: a shard may end anywhere
    every_row = np.ones(rows.num_rows, dtype=bool)
    return Boundaries(
        new_contig=changes(rows, ("chrom",)),
        new_window=changes(rows, together) if together else every_row,
        new_allele=every_row,
    )


@dataclass
class _Counts:
    """How many records and rows came, and of which statuses, contigs and flags."""

    records: int = 0
    alleles: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    by_contig: Counter[str | None] = field(default_factory=Counter)
    by_flag: Counter[str] = field(default_factory=Counter)

    def add(self, other: "_Counts") -> None:
        self.records += other.records
        self.alleles += other.alleles
        self.by_status += other.by_status
        self.by_contig += other.by_contig
        self.by_flag += other.by_flag


def _count(alleles: pa.Table) -> _Counts:
    # each record has one first ALT, however many follow
    first_alts = pc.sum(pc.equal(alleles["alt_index"], 1))
    return _Counts(
        # the sum of no rows is null
        records=first_alts.as_py() or 0,
        alleles=alleles.num_rows,
        by_status=_value_counts(alleles["status"]),
        by_contig=_value_counts(alleles["chrom"]),
        by_flag=_value_counts(pc.list_flatten(alleles["flags"])),
    )


def _value_counts(column: pa.ChunkedArray) -> Counter[Any]:
    counts = pc.value_counts(column).to_pylist()
    return Counter({row["values"]: row["counts"] for row in counts})


def _sorted_counts(counts: Mapping[str, int]) -> Mapping[str, int]:
    return dict(sorted(counts.items()))


def _map_in_order(
    pool: Executor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    waiting_at_most: int,
) -> Iterator[Result]:
    """Map `work` over items in the pool's threads, in order, without taking many items in advance.

    `Executor.map` would take all of them at once: the whole input would be in memory.

    Args:
        pool: the threads.
        work: called with each item.
        items: taken in the caller's thread.
        waiting_at_most: results that may wait, done or under way, while the next item is taken.
    """
    futures: deque[Future[Result]] = deque()
    try:
        for item in items:
            futures.append(pool.submit(work, item))
            if len(futures) > waiting_at_most:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:
        # After an error, or when nobody wants the results any more, what has not begun never will.
        for future in futures:
            future.cancel()
