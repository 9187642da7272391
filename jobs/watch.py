"""The driver's eyes: what a pool's events mean to whoever watches a run.

Knows events, receipts and how they are shown. Does not know what is computed.
"""

import sys
import traceback
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self

from cluster.pool import (
    Event,
    PoolError,
    PoolNotice,
    TaskDone,
    TaskFailed,
    TaskIsolated,
    TaskRetried,
    WorkerLost,
)
from enformer_core.dataset.ledger import BLOCK_SHARDS, Committed, Ledger
from enformer_core.errors import StorageError

_SHOWN = 10


class Display(Protocol):
    """Shows a run: a bar, lines of text, or lines of JSON."""

    def advance(self, count: int, **fields: Any) -> None:
        """Count more as done."""
        ...

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Tell what happened."""
        ...


def audit_figures(event: Event) -> dict[str, float]:
    """What a shard's audits say, as figures that the pool may show: the relative error of each statistic."""
    if not isinstance(event, TaskDone) or not isinstance(event.result, Committed):
        return {}
    return {
        f"audit_error_{name}": entry.error / entry.norm
        for audit in event.result.audits
        for name, entry in audit.statistics.items()
        if entry.norm > 0 and entry.error is not None
    }


class ReceiptBlocks:
    """Puts the receipts of every thousand shards once more as one object, as soon as all of them are committed.

    It is done beside the run and is no condition of anything: what is not put makes `status` slower, not wrong.
    """

    def __init__(self, ledger: Ledger, committed: set[int], shards: int) -> None:
        self._ledger = ledger
        self._whole_blocks = shards // BLOCK_SHARDS
        self._committed = Counter(number // BLOCK_SHARDS for number in committed)
        self._thread = ThreadPoolExecutor(1)
        self._puts: list[Future[None]] = []

    def add(self, shard: int) -> None:
        """A shard was committed."""
        block = shard // BLOCK_SHARDS
        self._committed[block] += 1
        if self._committed[block] == BLOCK_SHARDS and block < self._whole_blocks:
            self._puts.append(self._thread.submit(self._ledger.put_block, block))

    def close(self) -> None:
        """Wait for what is under way; storage that fails here fails at the run's own puts too."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class Watch:
    """Counts a run's events and shows them. Use as a context manager.

    Attributes:
        shards_done: committed in this run of the command.
        found: objects that another attempt, or another driver, had put before.
    """

    def __init__(self, display: Display, blocks: ReceiptBlocks) -> None:
        self.shards_done = 0
        self.found = 0
        self._display = display
        self._blocks = blocks
        self._failed: list[TaskFailed] = []
        self._failures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._blocks.close()
        if self.found:
            text = f"{self.found:,} objects were there already, put by another attempt or driver; they were kept"
            self._display.say("found", text, objects=self.found)

    def see(self, event: Event) -> None:
        """Take note of an event."""
        match event:
            case TaskDone(result=Committed() as committed):
                self._done(event, committed)
            case TaskRetried():
                self._display.say(
                    "retried",
                    f"{event.key} is tried again: {event.reason}",
                    task=event.key,
                    worker=event.worker,
                    counted=event.counted,
                )
            case TaskIsolated():
                rows = ", ".join(
                    f"{row} ({reason})" for row, reason in [*event.failures.items()][:_SHOWN]
                )
                text = f"{event.key}: {len(event.failures)} rows fail by themselves and are marked so: {rows}"
                self._display.say("isolated", text, task=event.key, rows=len(event.failures))
            case TaskFailed():
                self._fail(event)
            case WorkerLost():
                text = f"{event.worker} was lost ({event.reason}); its shards are tried again"
                self._display.say("worker_lost", text, worker=event.worker)
            case PoolNotice():
                self._display.say("notice", event.text)
            case _:
                pass

    def failures(self) -> str:
        """What was given up, and why."""
        shown = "\n".join(f"  {failed.key}: {failed.error}" for failed in self._failed)
        more = (
            f"\n  … and {self._failures - len(self._failed):,} more"
            if self._failures > len(self._failed)
            else ""
        )
        return f"{self._failures:,} shards are not committed in this run:\n{shown}{more}"

    def _done(self, event: TaskDone, committed: Committed) -> None:
        self.shards_done += 1
        self.found += committed.found
        self._blocks.add(committed.shard)
        self._display.advance(
            committed.rows,
            task=event.key,
            worker=event.worker,
            seconds=round(event.seconds, 3),
            by_status=dict(committed.by_status),
        )

    def _fail(self, event: TaskFailed) -> None:
        self._failures += 1
        if len(self._failed) < _SHOWN:
            self._failed.append(event)
            if not isinstance(event.error, PoolError | StorageError):
                traceback.print_exception(event.error, file=sys.stderr)
        self._display.say(
            "failed", f"{event.key} is given up in this run: {event.error}", task=event.key
        )
