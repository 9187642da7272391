"""Collect the null distribution of a background run: every allele that is ok, once, whatever the order of shards.

The run is read once for each statistic, some rows at a time, so that memory is that of one statistic. Knows runs. Does
not know what the file of a null looks like.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from typing import IO

import numpy as np
from jaxtyping import Float32

from enformer_core.dataset.committed_shard import CommittedShard
from enformer_core.dataset.finished import check_finished
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import Receipt
from enformer_core.dataset.run_tracks import chosen_tracks, scored_once
from enformer_core.errors import InputError
from enformer_core.summaries.null_file import VERSION, NullOf, NullWriter, StatisticNull
from enformer_core.summaries.processes import several_processes
from enformer_core.summaries.sketch import Sketch
from enformer_core.summaries.values import list_values, scored_statistics
from enformer_core.variants.table import Status
from enformer_core.version import __version__
from enformer_core.words import counted

_ROWS_AT_ONCE = 1_000

Report = Callable[[str, int, int], None]
"""Told of a statistic how many alleles were read, and of how many."""


def calibrate(
    ledger: Ledger,
    stream: IO[bytes],
    statistics: Sequence[str] = (),
    *,
    processes: int = 1,
    report: Report | None = None,
) -> NullOf:
    """Write the null distribution of a finished run.

    Args:
        ledger: of the run.
        stream: of the file.
        statistics: of the run; all by default.
        processes: how many read shards at once; the file is the same.
        report: told while it goes on.

    Returns:
        What the file says of itself.

    Raises:
        InputError: for a run of another kind, of which nothing is ok, or that lacks a statistic.
        IncompleteRunError: for a run that is not finished.
        DatasetError: for a table that is damaged.
    """
    names = scored_statistics(ledger, statistics)
    check_finished(ledger, "calibrate by it")
    manifest = ledger.manifest()
    assert manifest is not None, "a finished run has one"
    if not manifest.by_status.get(Status.OK):
        counts = ", ".join(f"{rows:,} {status}" for status, rows in manifest.by_status.items())
        raise InputError(
            f"{ledger.store.location}: of {counted(manifest.rows, 'alleles')} none is ok ({counts or 'none at all'}), "
            "so there is nothing to calibrate by"
        )
    tracks = chosen_tracks(ledger, None).tracks.indices()
    of_statistics = {}
    with NullWriter(stream, tracks) as writer:
        for name in names:
            collected = _collected(ledger, name, len(tracks), processes, report)
            _check_some_are_finite(ledger, name, collected)
            of_statistics[name] = StatisticNull(collected.sketch.rows, collected.not_finite)
            writer.add(name, collected.sketch)
        of = NullOf(
            version=VERSION,
            run=ledger.run.digest,
            identity=ledger.run.identity,
            by_status=manifest.by_status,
            records=ledger.run.plan.records,
            filtered=ledger.run.plan.filtered,
            statistics=of_statistics,
            notice=ledger.run.notice,
            created_by=f"enformer-ray {__version__}",
        )
        writer.finish(of)
    return of


def _check_some_are_finite(ledger: Ledger, statistic: str, collected: "_Collected") -> None:
    if not collected.sketch.rows:
        raise InputError(
            f"{ledger.store.location}: {statistic} has NaN or infinite values in each of "
            f"{counted(collected.not_finite, 'alleles')}, so there is nothing to calibrate by"
        )


@dataclass
class _Collected:
    """What was seen of one statistic.

    Attributes:
        sketch: of the alleles whose values are all finite.
        not_finite: the other alleles.
    """

    sketch: Sketch
    not_finite: int = 0

    def add(self, values: Float32[np.ndarray, "rows tracks"]) -> None:
        is_finite = np.isfinite(values).all(axis=1)
        self.not_finite += len(values) - int(is_finite.sum())
        self.sketch.add(values[is_finite])

    def merge(self, other: "_Collected") -> None:
        self.not_finite += other.not_finite
        self.sketch.merge(other.sketch)


def _collected(
    ledger: Ledger, statistic: str, tracks: int, processes: int, report: Report | None
) -> _Collected:
    """One statistic of all shards; sums of integers, so that it is the same however they are dealt out."""
    receipts = list(ledger.receipts())
    of = sum(receipt.rows for receipt in receipts)
    part = _Part(ledger.store.location, statistic, tracks)
    if processes == 1:
        return part.collect(receipts, _told(report, statistic, of))
    whole = _Collected(Sketch(tracks))
    done = 0
    with several_processes(processes) as pool:
        shares = [receipts[number::processes] for number in range(processes)]
        working = {pool.submit(part.collect, share): share for share in shares}
        for finished in as_completed(working):
            whole.merge(finished.result())
            done += sum(receipt.rows for receipt in working[finished])
            if report is not None:
                report(statistic, done, of)
    return whole


def _told(report: Report | None, statistic: str, of: int) -> Callable[[int], None] | None:
    if report is None:
        return None
    return lambda done: report(statistic, done, of)


@dataclass(frozen=True)
class _Part:
    """Reads one statistic of some shards."""

    location: str
    statistic: str
    tracks: int

    def collect(
        self, receipts: Sequence[Receipt], told: Callable[[int], None] | None = None
    ) -> _Collected:
        collected = _Collected(Sketch(self.tracks))
        waiting: list[Float32[np.ndarray, "rows tracks"]] = []
        read = 0
        for receipt in receipts:
            for values in self._values(receipt):
                waiting.append(values)
                # small shards are seen together: each look at the ends costs as much as many rows
                if sum(map(len, waiting)) >= _ROWS_AT_ONCE:
                    collected.add(np.concatenate(waiting))
                    waiting.clear()
            read += receipt.rows
            if told is not None:
                told(read)
        if waiting:
            collected.add(np.concatenate(waiting))
        return collected

    def _values(self, receipt: Receipt) -> Iterator[Float32[np.ndarray, "rows tracks"]]:
        shard = CommittedShard(receipt, self.location)
        columns = ["status", "flags", self.statistic]
        with shard.open_table("scores") as stored:
            for rows in stored.batches(columns, _ROWS_AT_ONCE):
                yield list_values(scored_once(rows)[self.statistic], self.tracks)
