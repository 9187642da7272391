"""What the events of a pool mean to whoever watches a run: what is counted, told, and remembered for the end.

Knows events, receipts and a display. Does not know what is computed.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from cluster.pool import Event, TaskDone, TaskFailed, TaskStarted
from enformer_core.dataset.keys import BLOCK_SHARDS
from enformer_core.dataset.ledger import Committed, Ledger
from enformer_core.dataset.plan import Shard
from enformer_core.words import agreeing, counted
from jobs.count import Count
from jobs.log import remember
from jobs.pool_events import MOST_SHOWN, in_words, story_of
from jobs.progress import Display


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
        self._full_blocks = shards // BLOCK_SHARDS
        self._committed = Counter(number // BLOCK_SHARDS for number in committed)
        # One thread: never more than one request beside those of the workers.
        self._thread = ThreadPoolExecutor(1)
        self._puts: list[Future[None]] = []

    def add(self, shard: int) -> None:
        """Count a shard that was committed; the last one of a block starts the block's put."""
        block = shard // BLOCK_SHARDS
        self._committed[block] += 1
        # The last block of a run is seldom full; `status` reads its receipts one by one.
        if self._committed[block] == BLOCK_SHARDS and block < self._full_blocks:
            self._puts.append(self._thread.submit(self._ledger.put_block, block))

    def close(self) -> None:
        """Wait for what is under way; storage that fails here fails at the run's own puts too."""
        self._thread.shutdown(wait=True, cancel_futures=True)


class Watch:
    """Counts a run's events and shows them. Use as a context manager.

    Attributes:
        shards_done: committed in this run of the command.
        shards_elsewhere: committed meanwhile by other commands on the same output.
        objects_there: objects that another attempt, or another driver, had put before.
        by_status: rows of the shards committed in this run of the command.
        work_began_s: when the first shard was begun, on the monotonic clock; None before that.

    Args:
        display: where it is shown.
        blocks: told of every shard that is committed.
        at_first: what is said when the first shard is begun, while nothing is done.
    """

    def __init__(
        self, display: Display, blocks: ReceiptBlocks, at_first: str = "computing"
    ) -> None:
        self.shards_done = 0
        self.shards_elsewhere = 0
        self.objects_there = 0
        self.by_status: Counter[str] = Counter()
        self.work_began_s: float | None = None
        self._display = display
        self._blocks = blocks
        self._at_first = at_first
        self._failures = 0
        self._first_failures: list[TaskFailed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._blocks.close()
        # Said once, at the end: after a killed driver it may be so of thousands of objects.
        there = self.objects_there
        if there:
            self._display.say(
                "found",
                f"{counted(there, 'objects')} {agreeing(there, 'was', 'were')} there already, put by another attempt "
                f"or driver, and {agreeing(there, 'was', 'were')} kept",
                objects=there,
            )

    def see(self, event: Event) -> None:
        """Take note of an event, and show it where it tells a person something."""
        match event:
            case TaskDone(result=Committed() as committed):
                self._count(event, committed)
            case TaskStarted():
                self._begin_work()
            case TaskFailed():
                self._remember(event)
            case _:
                self._say(event)

    def see_elsewhere(self, shard: Shard) -> None:
        """Count a shard that another command on the same output has committed."""
        self.shards_elsewhere += 1
        self._blocks.add(shard.number)
        self._display.advance(shard.rows, task=f"shard {shard.number}", worker="another command")

    def failures(self) -> str:
        """Which shards were given up, and why; the first ten of them."""
        lines = [f"not committed in this run: {counted(self._failures, 'shards')}"]
        lines += [f"  {failed.key}: {failed.error}" for failed in self._first_failures]
        more = self._failures - len(self._first_failures)
        if more:
            lines.append(f"  … and {more:,} more")
        return "\n".join(lines)

    def _begin_work(self) -> None:
        if self._at_first:
            self.work_began_s = time.monotonic()
            self._display.begin_work()
            self._display.phase(self._at_first)
            self._at_first = ""

    def _count(self, event: TaskDone, committed: Committed) -> None:
        self.shards_done += 1
        self.objects_there += committed.found
        self.by_status.update(committed.by_status)
        self._blocks.add(committed.shard)
        self._display.advance(
            committed.rows,
            audited=len(committed.audits),
            task=event.key,
            worker=event.worker,
            seconds=round(event.seconds, 3),
            by_status=dict(committed.by_status),
        )

    def _remember(self, event: TaskFailed) -> None:
        # All are counted, but only some kept: a broken store can fail a million shards.
        self._failures += 1
        if len(self._first_failures) < MOST_SHOWN:
            self._first_failures.append(event)
            story = story_of(event)
            if story is not None:
                self._display.say("traceback", story, task=event.key)
        self._say(event)

    def _say(self, event: Event) -> None:
        said = in_words(event)
        if said is not None:
            self._display.say(said.event, said.text, **said.fields)


@contextmanager
def remembered(count: Count, watch: Watch) -> Iterator[None]:
    """However this ends: what is done by then is kept for the summary."""
    began_s = time.monotonic()
    try:
        yield
    finally:
        rate = count.rate(time.monotonic() - (watch.work_began_s or began_s))
        remember(
            done=count.done,
            audited=count.audited,
            by_status=dict(watch.by_status),
            per_second=rate.per_second,
        )
