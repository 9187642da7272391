"""Processes of this machine that work side by side, and what becomes of all when one of them dies.

Knows processes. Does not know what they work at.
"""

import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import active_children, get_context
from typing import Any

from enformer_core.errors import StorageError
from enformer_core.summaries.work import Item, Result, Work

_WAITING = 2
"""Items for each process that are given out at once: no more results than these wait to be taken."""


@dataclass(frozen=True)
class Processes:
    """Does a work in several processes; see `work.Spread`.

    Attributes:
        count: how many.
    """

    count: int

    def __call__(
        self,
        work: Work[Item, Result],
        items: Sequence[Item],
    ) -> Generator[tuple[int, Result]]:
        """The number of each item with its result, in the order in which they are done.

        Raises:
            StorageError: where a process was killed, with the remedy.
        """
        given: dict[Future[Result], int] = {}
        numbered = iter(enumerate(items))
        with _processes(self.count, work) as pool:
            more = self.count * _WAITING
            while True:
                for number, item in islice(numbered, more):
                    given[pool.submit(_do, item)] = number
                if not given:
                    return
                done, _ = wait(given, return_when=FIRST_COMPLETED)
                more = len(done)
                for future in done:
                    yield given.pop(future), future.result()


@contextmanager
def _processes(count: int, work: Work[Any, Any]) -> Iterator[ProcessPoolExecutor]:
    """Processes that know a work, while the block lasts; where it fails, they are ended at once."""
    # not forked: threads of Arrow and of stores would be forked in the middle of what they do
    pool = ProcessPoolExecutor(
        count,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(work,),
    )
    try:
        with pool:
            try:
                yield pool
            except BaseException:
                # what they work at is of no use any more, and may take minutes
                for child in active_children():
                    child.terminate()
                raise
    except BrokenProcessPool as error:
        raise StorageError(
            "a process was killed, most likely for want of memory. Give fewer --processes, and the same command "
            "again: what is finished stays."
        ) from error


_begun: list[Work[Any, Any]] = []
"""What a process was given when it began."""


def _begin(work: Work[Any, Any]) -> None:
    # a terminal tells all of them: who has started them ends them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _begun.append(work)


def _do(item: Any) -> Any:
    return _begun[-1](item)
