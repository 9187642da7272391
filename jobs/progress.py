"""How a run is shown while it lasts: a bar on a terminal, lines of text elsewhere, or JSON lines for a log collector.

Knows time and streams. Does not know what is counted: the caller names the unit.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import RLock
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from jobs.count import Count
from jobs.log import json_line
from jobs.output import safe

LINE_EVERY_S = 10.0
"""Between two lines about the same thing; no longer is nothing said, either."""

_SILENT_S = 8.0  # asked every second: so no 10 s pass without a line

_BAR_COLUMNS = 20
_LEAST_BAR_COLUMNS = 8
"""On a narrow terminal the bar becomes shorter, then what stands beside it, so that neither takes the other's place."""

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

    def phase(self, text: str) -> None:
        """Say what the run is at, until something is done."""
        ...

    def begin_work(self) -> None:
        """The first of what is counted is begun: the rate counts from here."""
        ...

    def follow(self, in_hand: Callable[[], int]) -> None:
        """Learn how many are computed that are not done yet; asked from any thread."""
        ...

    def advance(
        self,
        count: int,
        *,
        audited: int = 0,
        **fields: Any,
    ) -> None:
        """Count more as done, some of them audited; `fields` say what else is known, for displays that have room."""
        ...

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Tell what happened: its name and fields for programs, its text for people."""
        ...

    def beat(self) -> None:
        """Show that the run is alive where nothing was shown for long; called every second, beside everything else."""
        ...


def choose_display(
    log_format: Literal["text", "json"], count: Count, *, stream: TextIO | None = None
) -> Display:
    """Choose how a run is shown, on standard error where no stream is given.

    Args:
        log_format: `json` for lines of JSON; `text` for a bar where the stream is a terminal, for lines elsewhere.
        count: what is counted.
        stream: where to show it.
    """
    shown_on = safe(sys.stderr if stream is None else stream)
    if log_format == "json":
        return JsonLines(count, shown_on)
    if is_animated(shown_on):
        return ProgressBar(count, shown_on)
    # a bar in a file would be a line for each time that it was drawn
    return ProgressLines(count, shown_on)


class ProgressLines:
    """Shows a run as lines: one at the start, one at the end, one for each phase, and one each 10 s between them."""

    def __init__(
        self,
        count: Count,
        stream: TextIO,
        clock: Clock = time.monotonic,
    ) -> None:
        self._count = count
        self._stream = stream
        self._clock = clock
        self._lock = RLock()
        self._began_s = self._work_began_s = self._next_line_s = clock()

    def __enter__(self) -> Self:
        self._began_s = self._work_began_s = self._clock()
        self._write_count()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._write_count()

    def phase(self, text: str) -> None:
        """Write what the run is at, as a line of its own."""
        self._count.phase = text
        self._write(text)

    def begin_work(self) -> None:
        """Let the rate count from here."""
        self._work_began_s = self._clock()

    def follow(self, in_hand: Callable[[], int]) -> None:
        """Learn how many are computed that are not done yet."""
        self._count.in_hand = in_hand

    def advance(
        self,
        count: int,
        *,
        audited: int = 0,
        **fields: Any,
    ) -> None:
        """Count more as done; what else is known of them is not shown."""
        del fields
        self._count.done += count
        self._count.audited += audited
        self.beat()

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Write the text as a line of its own."""
        del event, fields
        self._write(text)

    def beat(self) -> None:
        """Write how far it is, where that was not written for 10 s."""
        with self._lock:
            # asked in the same lock in which it is set: two threads would write two lines
            if self._clock() >= self._next_line_s:
                self._write_count()

    def _write_count(self) -> None:
        with self._lock:
            now_s = self._clock()
            self._next_line_s = now_s + LINE_EVERY_S
            elapsed_s = now_s - self._began_s
            work_s = now_s - self._work_began_s
            self._write(self._count.text(elapsed_s, work_s))

    def _write(self, text: str) -> None:
        with self._lock:
            print(text, file=self._stream, flush=True)


class ProgressBar:
    """Shows a run as a bar that is redrawn in place, with what happens as lines above it."""

    def __init__(
        self,
        count: Count,
        stream: TextIO,
        clock: Clock = time.monotonic,
    ) -> None:
        self._count = count
        self._clock = clock
        self._began_s = self._work_began_s = clock()
        self._drawn = BarColumn(_BAR_COLUMNS)
        self._bar = RichProgress(
            self._drawn,
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
        self._began_s = self._work_began_s = self._clock()
        self.beat()
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # the bar stays on the screen as it was drawn last
        self.beat()
        self._bar.stop()

    def phase(self, text: str) -> None:
        """Show what the run is at beside the bar."""
        self._count.phase = text
        self.beat()

    def begin_work(self) -> None:
        """Let the rate count from here."""
        self._work_began_s = self._clock()

    def follow(self, in_hand: Callable[[], int]) -> None:
        """Learn how many are computed that are not done yet."""
        self._count.in_hand = in_hand

    def advance(
        self,
        count: int,
        *,
        audited: int = 0,
        **fields: Any,
    ) -> None:
        """Count more as done; what else is known of them is not shown."""
        del fields
        self._count.done += count
        self._count.audited += audited
        self.beat()

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Write the text above the bar."""
        del event, fields
        # a user's names may hold what Rich takes for markup
        self._bar.console.print(text, markup=False, highlight=False)

    def beat(self) -> None:
        """Draw the bar again, with the count and the rate of this moment."""
        now_s = self._clock()
        # asked each time: a terminal may be made wider or narrower; a blank stands before the text and behind it
        room = self._bar.console.width - 2
        text = self._count.text(
            now_s - self._began_s, now_s - self._work_began_s, most=room - _LEAST_BAR_COLUMNS
        )
        left = max(room - len(text), _LEAST_BAR_COLUMNS)
        self._drawn.bar_width = min(left, _BAR_COLUMNS)
        self._bar.update(self._task, completed=self._count.computed, text=text)


def _now() -> datetime:
    return datetime.now(UTC)


class JsonLines:
    """Shows a run as JSON objects, one a line: `time`, `event`, and what belongs to the event.

    Every line has `done`, `total` and `unit`, those `in_hand` (computed and not stored yet) and `audited`, and
    `per_second` and `seconds_left`: the mean since the first shard was begun, without what had been done before, and
    the rest at that rate; null until something is done.
    """

    def __init__(
        self,
        count: Count,
        stream: TextIO,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._count = count
        self._stream = stream
        self._now = now
        self._lock = RLock()
        self._work_began = self._spoke = self._now()

    def __enter__(self) -> Self:
        self._work_began = self._now()
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

    def phase(self, text: str) -> None:
        """Write what the run is at as event `phase`."""
        self._count.phase = text
        self._write("phase", {"text": text})

    def begin_work(self) -> None:
        """Let the rate count from here."""
        self._work_began = self._now()

    def follow(self, in_hand: Callable[[], int]) -> None:
        """Learn how many are computed that are not done yet."""
        self._count.in_hand = in_hand

    def advance(
        self,
        count: int,
        *,
        audited: int = 0,
        **fields: Any,
    ) -> None:
        """Count more as done, and write what is known of them as event `done`."""
        self._count.done += count
        self._count.audited += audited
        self._write("done", fields)

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Write an event with its text for people."""
        self._write(event, {"text": text, **fields})

    def beat(self) -> None:
        """Write event `working` where nothing was written for some seconds."""
        with self._lock:
            now = self._now()
            silent_s = (now - self._spoke).total_seconds()
            if silent_s >= _SILENT_S:
                self._write("working", {"text": self._count.phase}, now)

    def _write(
        self,
        event: str,
        fields: Mapping[str, object],
        at: datetime | None = None,
    ) -> None:
        with self._lock:
            now = at or self._now()
            self._spoke = now
            work = now - self._work_began
            figures = self._figures(work.total_seconds())
            line = json_line(event, {**figures, **fields}, now)
            # Flushed, so that who follows the log sees what happened and not what happened a buffer ago.
            print(line, file=self._stream, flush=True)

    def _figures(self, work_s: float) -> dict[str, str | float | None]:
        count = self._count
        rate = count.rate(work_s).per_second
        # The time left follows from the rate as written, so that a reader can check one by the other.
        per_second = None if rate is None else float(f"{rate:.4g}")
        left = None
        if per_second is not None:
            rows_left = count.total - count.computed
            left = round(rows_left / per_second, 1)
        return {
            "done": count.done,
            "total": count.total,
            "unit": count.unit,
            "in_hand": count.computed - count.done,
            "audited": count.audited,
            "per_second": per_second,
            "seconds_left": left,
        }


def is_animated(stream: TextIO) -> bool:
    """Whether the stream is a terminal that can move its cursor back."""
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
