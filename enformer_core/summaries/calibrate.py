"""Collect the null distribution of a background run: every allele that is ok, once, whatever the order of shards.

The run is read once for each statistic, some rows at a time, so that memory is that of one statistic. Elsewhere it is
read by stretches of shards, of which nothing comes back but their sketch, packed: that of millions of alleles is no
larger than that of thousands. Knows runs. Does not know what the file of a null looks like.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import IO

import numpy as np

from enformer_core.dataset.committed_shard import CommittedShard
from enformer_core.dataset.finished import check_finished
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import Manifest, Receipt
from enformer_core.dataset.run_tracks import chosen_tracks, scored_once
from enformer_core.errors import InputError
from enformer_core.summaries.null_file import VERSION, NullOf, NullWriter, StatisticNull
from enformer_core.summaries.sketch import Matrix, PackedSketch, Sketch
from enformer_core.summaries.values import list_values, scored_statistics
from enformer_core.summaries.work import Spread, Work, one_by_one
from enformer_core.variants.table import Status
from enformer_core.version import __version__
from enformer_core.words import counted

_ROWS_AT_ONCE = 1_000

_VALUES_OF_A_STRETCH = 100_000_000
"""At least: four seconds of reading. To pack what was seen and to put it to the rest takes one, of 5,313 tracks."""

_STRETCHES = 200
"""Of a statistic, at most: one process puts them together, in a minute."""

Report = Callable[[str, int, int], None]
"""Told of a statistic how many alleles were read, and of how many."""


def calibrate(
    ledger: Ledger,
    stream: IO[bytes],
    statistics: Sequence[str] = (),
    *,
    spread: Spread = one_by_one,
    report: Report | None = None,
) -> NullOf:
    """Write the null distribution of a finished run.

    Args:
        ledger: of the run.
        stream: of the file.
        statistics: of the run; all by default.
        spread: where shards are read, and how many at once; the file is the same.
        report: told while it goes on.

    Returns:
        What the file says of itself.

    Raises:
        InputError: for a run of another kind, of which nothing is ok, or that lacks a statistic.
        IncompleteRunError: for a run that is not finished.
        DatasetError: for a table that is damaged.
    """
    names = scored_statistics(ledger, statistics)
    manifest = _finished(ledger)
    tracks = chosen_tracks(ledger, None).tracks.indices()
    receipts = list(ledger.receipts())
    reader = _Reader(ledger.store.location, len(tracks))
    of_statistics = {}
    with NullWriter(stream, tracks) as writer:
        for name, collected in _collected(reader, names, receipts, spread, report):
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


def _finished(ledger: Ledger) -> Manifest:
    """The manifest of a run that something can be calibrated by."""
    check_finished(ledger, "calibrate by it")
    manifest = ledger.manifest()
    assert manifest is not None, "a finished run has one"
    if not manifest.by_status.get(Status.OK):
        counts = ", ".join(f"{rows:,} {status}" for status, rows in manifest.by_status.items())
        raise InputError(
            f"{ledger.store.location}: of {counted(manifest.rows, 'alleles')} none is ok ({counts or 'none at all'}), "
            "so there is nothing to calibrate by"
        )
    return manifest


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

    def add(self, values: Matrix) -> None:
        is_finite = np.isfinite(values).all(axis=1)
        self.not_finite += len(values) - int(is_finite.sum())
        self.sketch.add(values[is_finite])

    def merge(self, other: "_Packed") -> None:
        self.not_finite += other.not_finite
        self.sketch.merge(other.sketch)


@dataclass(frozen=True)
class _Packed:
    """The same of some shards, as it travels."""

    sketch: PackedSketch
    not_finite: int


def _collected(
    reader: "_Reader",
    statistics: Sequence[str],
    receipts: Sequence[Receipt],
    spread: Spread,
    report: Report | None,
) -> Iterator[tuple[str, _Collected]]:
    """Each statistic of all shards, in order: sums of integers, the same however shards are dealt out."""
    of = sum(receipt.rows for receipt in receipts)
    told = report or _untold
    if spread is one_by_one:
        # nothing travels, so nothing is packed
        for name in statistics:
            every_shard = _Stretch(name, tuple(receipts))
            yield name, reader.collect(every_shard, _telling(told, name, of))
        return
    stretches = _stretches(receipts, reader.tracks, of)
    every = [_Stretch(name, each) for name in statistics for each in stretches]
    merged = _Merged(statistics, len(stretches), reader.tracks)
    with closing(spread(reader, every)) as packed:
        for number, part in packed:
            stretch = every[number]
            rows = merged.add(stretch, part)
            told(stretch.statistic, rows, of)
            yield from merged.whole()


def _untold(statistic: str, done: int, of: int) -> None:
    """Does nothing with what nobody waits for."""


def _telling(report: Report, statistic: str, of: int) -> Callable[[int], None]:
    return lambda done: report(statistic, done, of)


def _stretches(
    receipts: Sequence[Receipt],
    tracks: int,
    rows: int,
) -> list[tuple[Receipt, ...]]:
    """Shards by stretches, each with as many rows as are worth a sketch of their own.

    Shards of 4 4 4 4 1 rows by stretches of 6: 4 4, 4 4, 1.
    """
    least = max(_VALUES_OF_A_STRETCH // tracks, rows // _STRETCHES)
    stretches = []
    waiting: list[Receipt] = []
    count = 0
    for receipt in receipts:
        waiting.append(receipt)
        count += receipt.rows
        if count >= least:
            stretches.append(tuple(waiting))
            waiting.clear()
            count = 0
    if waiting:
        stretches.append(tuple(waiting))
    return stretches


@dataclass(frozen=True)
class _Stretch:
    """Shards of which one statistic is read."""

    statistic: str
    receipts: tuple[Receipt, ...]


class _Merged:
    """What has come of each statistic; seldom of more than two at once, as stretches are begun in order.

    Args:
        statistics: in order.
        stretches: how many each has.
        tracks: how many values each allele has.
    """

    def __init__(self, statistics: Sequence[str], stretches: int, tracks: int) -> None:
        self._tracks = tracks
        self._left = dict.fromkeys(statistics, stretches)
        self._rows = dict.fromkeys(statistics, 0)
        self._begun: dict[str, _Collected] = {}

    def add(self, stretch: _Stretch, part: _Packed) -> int:
        """Put a stretch to the others; how many rows of its statistic have come by now."""
        name = stretch.statistic
        if name not in self._begun:
            self._begun[name] = _Collected(Sketch(self._tracks))
        self._begun[name].merge(part)
        self._left[name] -= 1
        self._rows[name] += sum(receipt.rows for receipt in stretch.receipts)
        return self._rows[name]

    def whole(self) -> Iterator[tuple[str, _Collected]]:
        """The statistics of which all has come, each once, as far as none before them is missing."""
        for name, left in list(self._left.items()):
            if left:
                return
            del self._left[name]
            yield name, self._begun.pop(name)


@dataclass(frozen=True)
class _Reader(Work[_Stretch, _Packed]):
    """Reads a statistic of some shards.

    Attributes:
        location: of the run.
        tracks: how many values each allele has.
    """

    location: str
    tracks: int

    def name(self, item: _Stretch) -> str:
        """The statistic and its shards, by the first and the last of them."""
        first, last = item.receipts[0], item.receipts[-1]
        return f"{item.statistic} of shards {first.shard} to {last.shard}"

    def compute(self, prepared: _Stretch) -> _Collected:
        """What was seen of the shards."""
        return self.collect(prepared, _nobody)

    def finish(self, computed: _Collected) -> _Packed:
        """The same, as it travels."""
        return _Packed(computed.sketch.packed(), computed.not_finite)

    def collect(self, stretch: _Stretch, told: Callable[[int], object]) -> _Collected:
        """What was seen of the shards; `told` hears how many rows have been read."""
        collected = _Collected(Sketch(self.tracks))
        waiting: list[Matrix] = []
        read = 0
        for receipt in stretch.receipts:
            for values in self._values(receipt, stretch.statistic):
                waiting.append(values)
                # small shards are seen together: each look at the ends costs as much as many rows
                if sum(map(len, waiting)) >= _ROWS_AT_ONCE:
                    collected.add(np.concatenate(waiting))
                    waiting.clear()
            read += receipt.rows
            told(read)
        if waiting:
            collected.add(np.concatenate(waiting))
        return collected

    def _values(self, receipt: Receipt, statistic: str) -> Iterator[Matrix]:
        shard = CommittedShard(receipt, self.location)
        columns = ["status", "flags", statistic]
        with shard.open_table("scores") as stored:
            for rows in stored.batches(columns, _ROWS_AT_ONCE):
                yield list_values(scored_once(rows)[statistic], self.tracks)


def _nobody(rows: int) -> None:
    """Hears how many rows have been read, and passes it over."""
