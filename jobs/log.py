"""What a command says on standard error beside its progress: notes, errors and, as JSON, a summary of how it ended.

A command that follows `--log-format json` writes nothing but lines of JSON there, whoever speaks. Knows lines and the
figures that it was told. Does not know what a run is.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from enformer_core.user_path import one_line
from jobs.terminal import broken, error_columns


def _now_s() -> float:
    # looked up when it is called: in simulated worlds the clock is another one
    return time.monotonic()


@dataclass
class Log:
    """How the command that is at work speaks.

    Attributes:
        as_json: whether each line is a JSON object.
        began_s: when the command began, on the monotonic clock.
        facts: what the summary will say.
        names: words of the command line that hold ends of lines, or what moves a cursor; as text they are escaped.
    """

    as_json: bool = False
    began_s: float = field(default_factory=_now_s)
    facts: dict[str, object] = field(default_factory=dict)
    names: tuple[str, ...] = ()


_LOG: ContextVar[Log | None] = ContextVar("log", default=None)


@contextmanager
def command_log() -> Iterator[Log]:
    """A log for one command, while this lasts."""
    before = _LOG.set(Log())
    try:
        yield current_log()
    finally:
        _LOG.reset(before)


def current_log() -> Log:
    """The log of the command that is at work; outside of one, one that nobody reads."""
    return _LOG.get() or Log()


def tell(
    event: str,
    text: object,
    *,
    prefix: str,
    **fields: Any,
) -> None:
    """Say something on standard error: `prefix: text`, or an event with its text and fields."""
    log = current_log()
    # a program reads all of it, or none: lines of text between would break its parser
    if log.as_json:
        write_line(event, text=str(text), **fields)
    else:
        print(printable(f"{prefix}: {text}", log.names), file=sys.stderr)


def printable(
    text: str,
    names: Iterable[str] = (),
) -> str:
    """A message of one line or more, in which nothing that a user has named breaks a line or moves a cursor.

    Args:
        text: the message; its own lines stay.
        names: what the user has named that has ends of lines in itself.
    """
    for name in names:
        text = text.replace(name, one_line(name))
    lines = text.split("\n")
    return "\n".join(map(one_line, lines))


def unprintable_names(words: Iterable[str]) -> tuple[str, ...]:
    """The words of a command line, and the values behind `--option=`, that `printable` must be told of."""
    values = [part for word in words for part in (word, word.partition("=")[2])]
    return tuple(value for value in values if one_line(value) != value)


def note(text: object) -> None:
    """Tell the user what stops nothing and should be known, in lines that fit where standard error is a terminal."""
    log = current_log()
    room = None if log.as_json else error_columns()
    if room is None:
        tell("note", text, prefix="note")
    else:
        lines = printable(f"note: {text}", log.names).split("\n")
        fitted = [broken(line, room) for line in lines]
        print("\n".join(fitted), file=sys.stderr)


def remember(**facts: Any) -> None:
    """Keep figures for the summary; the last of a name stands."""
    current_log().facts.update(facts)


def summarise(exit_code: int) -> None:
    """Write the last line of a log of JSON: what came of the command."""
    log = current_log()
    if log.as_json:
        seconds = round(_now_s() - log.began_s, 3)
        write_line("summary", **log.facts, seconds=seconds, exit_code=exit_code)


def write_line(event: str, **fields: Any) -> None:
    """Write an event as one line of JSON."""
    now = datetime.now(UTC)
    # at once: who follows a log waits for the line
    line = json_line(event, fields, now)
    print(line, file=sys.stderr, flush=True)


def json_line(
    event: str,
    fields: Mapping[str, object],
    at: datetime,
) -> str:
    """An event as one line of JSON, without its end: when it was, what it is called, what is known of it."""
    line = {"time": at.isoformat(timespec="milliseconds"), "event": event, **fields}
    # paths and numbers of other libraries are no JSON, but say what they are as text
    return json.dumps(line, default=str)
