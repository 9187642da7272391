"""What a pool's events tell a person, in words, and whose fault an error is. Does not know where the words go."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from cluster.pool import (
    Blame,
    Event,
    PoolError,
    PoolNotice,
    TaskFailed,
    TaskIsolated,
    TaskRetried,
    WorkerLost,
)
from enformer_core.errors import DatasetError, InputError, StorageError
from enformer_core.words import counted

MOST_SHOWN = 10
"""Items of a list that are named; more would be no help."""


@dataclass(frozen=True)
class Said:
    """An event in words.

    Attributes:
        event: its kind, for programs.
        text: for people.
        fields: what else programs may want of it.
    """

    event: str
    text: str
    fields: Mapping[str, object]


def in_words(event: Event) -> Said | None:
    """What an event tells a person; None where that is nothing, as when a worker is ready."""
    match event:
        case TaskRetried():
            fields = {"task": event.key, "worker": event.worker, "counted": event.counted}
            return Said("retried", f"{event.key} is tried again: {event.reason}", fields)
        case TaskIsolated():
            first = list(event.failures.items())[:MOST_SHOWN]
            reasons = ", ".join(f"{row} ({reason})" for row, reason in first)
            rows = len(event.failures)
            text = f"{event.key}: {counted(rows, 'rows')} marked as failed, alone too: {reasons}"
            return Said("isolated", text, {"task": event.key, "rows": rows})
        case TaskFailed():
            text = f"{event.key} is given up in this run: {event.error}"
            return Said("failed", text, {"task": event.key})
        case WorkerLost():
            text = f"{event.worker} was lost ({event.reason}); its shards are tried again"
            return Said("worker_lost", text, {"worker": event.worker})
        case PoolNotice():
            return Said("notice", event.text, {})
        case _:
            return None


def story_of(failed: TaskFailed) -> str | None:
    """Where in the program a task has failed; None for errors that say all there is to say."""
    if isinstance(failed.error, PoolError | StorageError):
        return None
    return "".join(traceback.format_exception(failed.error)).rstrip()


def classify(error: BaseException) -> Blame:
    """Whose fault an exception of a worker is."""
    if isinstance(error, InputError | DatasetError):
        return "stop"
    return "storage" if isinstance(error, StorageError) else "task"
