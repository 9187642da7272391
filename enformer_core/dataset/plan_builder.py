"""Planning that streams: any number of alleles, in any order, in bounded memory.

    with gather(batches, contigs, place=place, scratch=folder) as gathered:   # read once, counted, spilled to scratch
        drafted = gathered.draft(shard_size, window_starts=..., audit=...)    # sorted, cut, encoded, on scratch still
        drafted.put(store)

Between the steps the caller can name the run by what was counted, and describe it by what was drafted. The plan is
the one that `plan.make_plan` makes of the same rows, byte for byte. Threads share the work: reading in the caller's,
placing, sorting and encoding in others, all of it in Arrow and NumPy, which let go of the interpreter. Does not know
file formats or how alleles are placed.
"""

import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.digests import sha256
from enformer_core.dataset.external_sort import Spill, Stretch, scratch_errors
from enformer_core.dataset.keys import plan_key
from enformer_core.dataset.order import Preparation, WindowStarts
from enformer_core.dataset.plan import (
    Plan,
    Shards,
    StoredParts,
    part_to_parquet,
    plan_to_parquet,
    shards_of,
)
from enformer_core.dataset.sharding import Divider
from enformer_core.storage.store import Store
from enformer_core.variants.hashing import AuditSample

UNIT_ROWS = 1 << 17
"""Alleles that are sorted at once, where stretches of the genome hold fewer: some 50 MB while they are."""

MOST_ROWS = 1 << 19
"""Alleles of a stretch beyond which it is divided first."""

Step = Literal["read", "planned"]

Report = Callable[[Step, int], None]
"""Called with the number of alleles that are through a step, in the caller's thread."""

Item = TypeVar("Item")

Result = TypeVar("Result")


def _silent(step: Step, alleles: int) -> None:
    del step, alleles


@dataclass(frozen=True)
class Drafted:
    """A whole plan, encoded, not stored yet.

    Attributes:
        parts: each as it will be stored: a file on scratch disk, or its bytes.
        sha256: of each part.
        shards: in order.
        by_status: rows by status.
    """

    parts: tuple[Path | bytes, ...]
    sha256: tuple[str, ...]
    shards: Shards
    by_status: Mapping[str, int]

    def put(self, store: Store) -> Plan:
        """Store every part; those that are there already are the same by construction."""
        for number, part in enumerate(self.parts):
            store.put_if_absent(
                plan_key(number), part if isinstance(part, bytes) else part.read_bytes()
            )
        return Plan(StoredParts(store, len(self.parts)), self.shards)

    @staticmethod
    def of(plan: Plan) -> "Drafted":
        """A plan that was made in memory."""
        contents = tuple(plan_to_parquet(plan))
        return Drafted(
            contents, tuple(sha256(content) for content in contents), plan.shards, plan.counts()
        )


@dataclass(frozen=True)
class Gathered:
    """All alleles of a run, placed and counted, on scratch disk until the block ends.

    Attributes:
        records: input records; each has one first ALT.
        alleles: rows, one for each ALT.
        by_status: rows by status, in the order of the statuses' names.
        by_contig: rows by contig, in the genome's order; None, the last, for rows without a place.
        folder: the scratch files.
        contigs: the genome's contigs with their lengths in bp.
        workers: threads.
        report: where progress is told.
    """

    records: int
    alleles: int
    by_status: Mapping[str, int]
    by_contig: Mapping[str | None, int]
    folder: Path
    contigs: Mapping[str, int]
    workers: int
    report: Report
    spill: Spill

    def __enter__(self) -> "Gathered":
        return self

    def __exit__(self, *exception: object) -> None:
        self.dispose()

    def dispose(self) -> None:
        """Remove the scratch files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def draft(
        self, shard_size: int, *, window_starts: WindowStarts, audit: AuditSample | None = None
    ) -> Drafted:
        """Sort, cut and encode the plan; arguments as for `plan.make_plan`.

        Raises:
            InputError: when scratch files cannot be written.
        """
        limit = (
            0
            if audit is None
            else audit.limit(pa.Table.from_batches([batch]) for batch in self.spill.read())
        )
        prepare = Preparation(self.contigs, window_starts, audit, limit)
        divider = Divider(shard_size, prepare.marks)
        with ThreadPoolExecutor(self.workers) as pool:
            prepared = _in_order(
                pool, lambda stretch: prepare(stretch.read()), self._stretches(), self.workers
            )
            parts = enumerate(self._parts(divider, prepared))
            written = list(_in_order(pool, self._write, parts, 2 * self.workers))
        return Drafted(
            parts=tuple(file for file, _ in written),
            sha256=tuple(digest for _, digest in written),
            shards=shards_of(divider),
            by_status=self.by_status,
        )

    def _stretches(self) -> Iterator[Stretch]:
        for stretch in self.spill.stretches(UNIT_ROWS):
            if stretch.rows <= MOST_ROWS or not stretch.can_be_divided:
                yield stretch
                continue
            finer = self.spill.divide(stretch, UNIT_ROWS)
            yield from finer.stretches(UNIT_ROWS)

    def _parts(self, divider: Divider, prepared: Iterable[pa.Table]) -> Iterator[pa.Table]:
        done = 0
        for rows in prepared:
            yield from divider.add(rows)
            done += rows.num_rows
            self.report("planned", done)
        yield from divider.finish()

    def _write(self, numbered: tuple[int, pa.Table]) -> tuple[Path, str]:
        number, part = numbered
        content, file = part_to_parquet(part), self.folder / f"part-{number:05d}.parquet"
        with scratch_errors(file):
            file.write_bytes(content)
        return file, sha256(content)


def gather(
    batches: Iterable[pa.Table],
    contigs: Mapping[str, int],
    *,
    place: Callable[[pa.Table], pa.Table],
    scratch: Path | None = None,
    workers: int = 2,
    report: Report = _silent,
) -> Gathered:
    """Read all alleles once: place them, count them, and spill them by stretch of the genome.

    Args:
        batches: alleles as read, some 100,000 at a time, in any order; they are asked for in this thread.
        contigs: the genome's contigs with their lengths in bp; their order is the plan's.
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
        spill, total = Spill(folder / "alleles.arrow", contigs), _Counts()
        with ThreadPoolExecutor(workers) as pool:
            for counts in _in_order(pool, lambda raw: _take(place(raw), spill), batches, workers):
                total.add(counts)
                report("read", total.alleles)
        spill.close()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    names: list[str | None] = [*contigs, None]
    return Gathered(
        records=total.records,
        alleles=total.alleles,
        by_status=MappingProxyType(dict(sorted(total.by_status.items()))),
        by_contig=MappingProxyType(
            {name: total.by_contig[name] for name in names if name in total.by_contig}
        ),
        folder=folder,
        contigs=contigs,
        workers=workers,
        report=report,
        spill=spill,
    )


@dataclass
class _Counts:
    """What came, by record, row, status and contig."""

    records: int = 0
    alleles: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    by_contig: Counter[str | None] = field(default_factory=Counter)

    def add(self, other: "_Counts") -> None:
        self.records += other.records
        self.alleles += other.alleles
        self.by_status += other.by_status
        self.by_contig += other.by_contig


def _take(placed: pa.Table, spill: Spill) -> _Counts:
    if placed.num_rows:
        spill.add(placed)
    return _Counts(
        records=pc.sum(pc.equal(placed["alt_index"], 1)).as_py() or 0,
        alleles=placed.num_rows,
        by_status=_counted(placed["status"]),
        by_contig=_counted(placed["chrom"]),
    )


def _counted(column: pa.ChunkedArray) -> Counter[Any]:
    return Counter({row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()})


def _in_order(
    pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int
) -> Iterator[Result]:
    """Results in the order of the items, of which no more are taken than are being worked on, and `ahead` waiting."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
