"""Processes that work side by side: what one of them was given when it began, and what becomes of all when one dies.

Knows processes. Does not know what they work at.
"""

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import Any

from enformer_core.errors import StorageError


@contextmanager
def several_processes(
    count: int, begin: Callable[..., None] | None = None, *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes while the block lasts; where the block fails, they are ended at once.

    Args:
        count: how many.
        begin: called once in each, with what it is given.
        given: to it.

    Raises:
        StorageError: where one of them was killed, with the remedy.
    """
    # not forked: threads of Arrow and of stores would be forked in the middle of what they do
    pool = ProcessPoolExecutor(
        count,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(begin, given),
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


def _begin(begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    # a terminal tells all of them: who has started them ends them
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if begin is not None:
        begin(*given)
