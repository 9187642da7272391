"""How a run is shown while it lasts: a bar on a terminal, lines of text elsewhere, or JSON lines for a log collector.

Knows counts and time. Does not know what is counted: the caller names the unit.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from jobs.output import safe

_LINE_EVERY_S = 10.0

Clock = Callable[[], float]
"""Seconds that only grow, from any beginning."""


class Display(Protocol):
    """Shows a run while a `with` block lasts: a bar, lines of text, or lines of JSON."""

    def __enter__(self) -> Self:
        """Show how many are done before anything is done here."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the end, and the error that made it one."""
        ...

    def advance(self, count: int, **fields: Any) -> None:
        """Count more as done; `fields` say what else is known of them, for displays that have room."""
        ...

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Tell what happened: its name and fields for programs, its text for people."""
        ...


def choose_display(
    log_format: Literal["text", "json"],
    *,
    total: int,
    unit: str,
    done_before: int = 0,
    stream: TextIO | None = None,
) -> Display:
    """Choose how a run is shown, on standard error where no stream is given.

    Args:
        log_format: `json` for lines of JSON; `text` for a bar where the stream is a terminal, for lines elsewhere.
        total: how many there are to do, those of earlier runs included.
        unit: what is counted, in the plural.
        done_before: how many earlier runs have done.
        stream: where to show it.
    """
    shown_on = safe(sys.stderr if stream is None else stream)
    count = Count(total, unit, done_before)
    if log_format == "json":
        return JsonLines(count, shown_on)
    return (
        ProgressBar(count, shown_on) if _is_animated(shown_on) else ProgressLines(count, shown_on)
    )


@dataclass
class Count:
    """How many are done, and how fast.

    Attributes:
        total: how many there are, those of earlier runs included.
        unit: what is counted, in the plural.
        done_before: how many earlier runs have done; no part of the rate.
        done: how many are done by now, those included.
    """

    total: int
    unit: str
    done_before: int = 0
    done: int = field(init=False)

    def __post_init__(self) -> None:
        self.done = self.done_before

    def per_second(self, elapsed_s: float) -> float | None:
        """The mean rate since the start, `elapsed_s` ago; None until something is done."""
        # What earlier runs had done cost no time here, and would make the rate look better than it is.
        done_here = self.done - self.done_before
        if done_here <= 0 or elapsed_s <= 0:
            return None
        return done_here / elapsed_s

    def text(self, elapsed_s: float) -> str:
        """`1,200 of 10,000 alleles (12 %), 35.2 alleles/s, 4 min left`; rate and time once something is done."""
        percent = 100 * self.done / self.total if self.total else 100
        text = f"{self.done:,} of {self.total:,} {self.unit} ({percent:.0f} %)"
        rate = self.per_second(elapsed_s)
        if rate is None:
            return text
        text += f", {_significant(rate)} {self.unit}/s"
        if self.done < self.total:
            text += f", {duration((self.total - self.done) / rate)} left"
        return text


class ProgressLines:
    """Shows a run as lines: one at the start, one at the end, and at most one each 10 s where something is done."""

    def __init__(self, count: Count, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._count = count
        self._stream = stream
        self._clock = clock
        self._began_s = clock()
        self._next_line_s = self._began_s

    def __enter__(self) -> Self:
        self._began_s = self._clock()
        self._next_line_s = self._began_s + _LINE_EVERY_S
        self._write_count()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write_count()

    def advance(self, count: int, **fields: Any) -> None:
        """Count more as done; what else is known of them is not shown."""
        del fields
        self._count.done += count
        if self._clock() >= self._next_line_s:
            self._next_line_s = self._clock() + _LINE_EVERY_S
            self._write_count()

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Write the text as a line of its own."""
        del event, fields
        self._write(text)

    def _write_count(self) -> None:
        self._write(self._count.text(self._clock() - self._began_s))

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class ProgressBar:
    """Shows a run as a bar that is redrawn in place, with what happens as lines above it."""

    def __init__(self, count: Count, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._began_s = clock()
        self._bar = RichProgress(
            BarColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            # The caller has decided that this is a terminal; Rich's own guess depends on more variables.
            console=Console(file=stream, force_terminal=True),
            get_time=clock,
            refresh_per_second=2,  # a day over SSH
            redirect_stdout=False,  # it may be a file
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=count.total, text="")

    def __enter__(self) -> Self:
        self._began_s = self._clock()
        self._update()
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._update()
        self._bar.stop()

    def advance(self, count: int, **fields: Any) -> None:
        """Count more as done; what else is known of them is not shown."""
        del fields
        self._count.done += count
        self._update()

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Write the text above the bar."""
        del event, fields
        self._bar.console.print(text, markup=False, highlight=False)

    def _update(self) -> None:
        text = self._count.text(self._clock() - self._began_s)
        self._bar.update(self._task, completed=self._count.done, text=text)


def _now() -> datetime:
    return datetime.now(UTC)


class JsonLines:
    """Shows a run as JSON objects, one a line: `time`, `event`, and what belongs to the event.

    Every line has `done`, `total` and `unit`, and `per_second` and `seconds_left`: the mean since the start, without
    what had been done before, and the rest at that rate; null until something is done.
    """

    def __init__(self, count: Count, stream: TextIO, now: Callable[[], datetime] = _now) -> None:
        self._count = count
        self._stream = stream
        self._now = now
        self._began = self._now()

    def __enter__(self) -> Self:
        self._began = self._now()
        self._write("started", {})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        message = None if error is None else f"{type(error).__name__}: {error}"
        self._write("ended", {"error": message})

    def advance(self, count: int, **fields: Any) -> None:
        """Count more as done, and write what is known of them as event `done`."""
        self._count.done += count
        self._write("done", fields)

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Write an event with its text for people."""
        self._write(event, {"text": text, **fields})

    def _write(self, event: str, fields: dict[str, Any]) -> None:
        now = self._now()
        count = self._count
        rate = count.per_second((now - self._began).total_seconds())
        # The time left follows from the rate as written, so that a reader can check one by the other.
        per_second = None if rate is None else float(f"{rate:.4g}")
        seconds_left = None if per_second is None else (count.total - count.done) / per_second
        line = {
            "time": now.isoformat(timespec="milliseconds"),
            "event": event,
            "done": count.done,
            "total": count.total,
            "unit": count.unit,
            "per_second": per_second,
            "seconds_left": None if seconds_left is None else round(seconds_left, 1),
            **fields,
        }
        # Flushed, so that who follows the log sees what happened and not what happened a buffer ago.
        print(json.dumps(line, default=str), file=self._stream, flush=True)


class Tally:
    """A count without a known end: shown in place on a terminal, as a line every 10 s elsewhere, and gone at the end.

    Attributes:
        unit: what is counted, in the plural.
        stream: where to show it; standard error by default.
        clock: seconds that only grow.
    """

    def __init__(
        self, unit: str, *, stream: TextIO | None = None, clock: Clock = time.monotonic
    ) -> None:
        self._unit = unit
        self._stream = safe(sys.stderr if stream is None else stream)
        self._clock = clock
        self._step = ""
        self._step_began_s = 0.0
        self._next_line_s = clock() + _LINE_EVERY_S
        self._status = None
        if _is_animated(self._stream):
            self._status = Console(file=self._stream, force_terminal=True).status("")

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, step: str, count: int) -> None:
        """So many are through the step that is under way; each step's rate is its own."""
        now_s = self._clock()
        # Reading, sorting and cutting differ in speed: each step's rate is its own.
        if step != self._step:
            self._step = step
            self._step_began_s = now_s
        text = f"{step}: {count:,} {self._unit}"
        elapsed_s = now_s - self._step_began_s
        if elapsed_s > 0:
            text += f", {_significant(count / elapsed_s)} {self._unit}/s"
        if self._status is not None:
            self._status.update(text)
        elif now_s >= self._next_line_s:
            self._next_line_s = now_s + _LINE_EVERY_S
            print(text, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """A time span in its two largest units at most: `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    # Rounded before it is divided: 7,199 s are 2 h 00 min and never 1 h 60 min.
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def _significant(rate: float) -> str:
    # Three digits, but no exponent: .3g would write 1234 as 1.23e+03.
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _is_animated(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor back."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
