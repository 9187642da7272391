"""How far a run is: a bar on a terminal, plain lines elsewhere.

Knows counts and time. Does not know what is counted.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

_LINE_EVERY_S = 10.0


class Progress:
    """Counts what is done and shows it, with the rate and the time left.

    On a terminal this is a bar. Elsewhere it is lines: one at the start, one at the end, and between them at most one
    each 10 s, written when something is done. The rate is the mean since the start, without what had been done before.

    Attributes:
        total: how many there are, those done before included.
        unit: what is counted, in the plural.
        done_before: how many earlier runs have done.
        stream: where to show it; standard error by default.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        total: int,
        unit: str = "variants",
        *,
        done_before: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._unit = unit
        self._done_before = done_before
        self._done = done_before
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._began_s = clock()
        self._next_line_s = self._began_s
        self._bar = _bar(self._stream, clock) if _animates(self._stream) else None

    def __enter__(self) -> Self:
        self._began_s = self._clock()
        self._next_line_s = self._began_s + _LINE_EVERY_S
        if self._bar is None:
            self._line(self.text())
        else:
            self._bar.add_task("", total=self._total, completed=self._done, text=self.text())
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is None:
            self._line(self.text())
        else:
            self._show()
            self._bar.stop()

    def advance(self, count: int, **fields: Any) -> None:
        """Count `count` more as done; what else is known of them is not shown."""
        del fields
        self._done += count
        if self._bar is not None:
            self._show()
        elif self._clock() >= self._next_line_s:
            self._next_line_s = self._clock() + _LINE_EVERY_S
            self._line(self.text())

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Show a line of text, above the bar where there is one."""
        del event, fields
        if self._bar is None:
            self._line(text)
        else:
            self._bar.console.print(text, markup=False, highlight=False)

    def text(self) -> str:
        """`1,200 of 10,000 variants (12 %), 35.2 variants/s, 4 min left`; rate and time once something is done."""
        share = 100 * self._done / self._total if self._total else 100
        text = f"{self._done:,} of {self._total:,} {self._unit} ({share:.0f} %)"
        done_here, elapsed_s = self._done - self._done_before, self._clock() - self._began_s
        if done_here <= 0 or elapsed_s <= 0:
            return text
        per_second = done_here / elapsed_s
        text += f", {_significant(per_second)} {self._unit}/s"
        if self._done < self._total:
            text += f", {duration((self._total - self._done) / per_second)} left"
        return text

    def _show(self) -> None:
        assert self._bar is not None, "only called with a bar"
        for task_id in self._bar.task_ids:
            self._bar.update(task_id, completed=self._done, text=self.text())

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class Tally:
    """A count without a known end: shown in place on a terminal, as a line every 10 s elsewhere, and gone at the end.

    Attributes:
        unit: what is counted, in the plural.
        stream: where to show it; standard error by default.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        unit: str,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unit = unit
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._step, self._began_s, self._next_line_s = "", 0.0, clock() + _LINE_EVERY_S
        animated = (
            Console(file=self._stream, force_terminal=True) if _animates(self._stream) else None
        )
        self._status = None if animated is None else animated.status("")

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
        if step != self._step:
            self._step, self._began_s = step, now_s
        elapsed_s = now_s - self._began_s
        rate = f", {_significant(count / elapsed_s)} {self._unit}/s" if elapsed_s > 0 else ""
        text = f"{step}: {count:,} {self._unit}{rate}"
        if self._status is not None:
            self._status.update(text)
        elif now_s >= self._next_line_s:
            self._next_line_s = now_s + _LINE_EVERY_S
            print(text, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """A time span in its two largest units at most: `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02d} h"


def _significant(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _animates(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _bar(stream: TextIO, clock: Callable[[], float]) -> RichProgress:
    return RichProgress(
        BarColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        console=Console(file=stream, force_terminal=True),
        get_time=clock,
        refresh_per_second=2,
        redirect_stdout=False,  # it may be a file
        redirect_stderr=False,
    )


def _now() -> datetime:
    return datetime.now(UTC)


class JsonLines:
    """Shows a run as `Progress` does, one JSON object a line: `time`, `event`, and what belongs to the event.

    Every line has `done`, `total` and `unit`, and `per_second` and `seconds_left`: the mean since the start, without
    what had been done before, and the rest at that rate; null until something is done.

    Attributes:
        total: how many there are, those done before included.
        unit: what is counted, in the plural.
        done_before: how many earlier runs have done.
        stream: where to write; standard error by default.
        now: the time.
    """

    def __init__(
        self,
        total: int,
        unit: str = "variants",
        *,
        done_before: int = 0,
        stream: TextIO | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._total, self._unit, self._done, self._done_before = (
            total,
            unit,
            done_before,
            done_before,
        )
        self._stream = sys.stderr if stream is None else stream
        self._now = now
        self._began = now()

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
        self._write(
            "ended", {"error": None if error is None else f"{type(error).__name__}: {error}"}
        )

    def advance(self, count: int, **fields: Any) -> None:
        """Count `count` more as done."""
        self._done += count
        self._write("done", fields)

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Write an event with its text for people."""
        self._write(event, {"text": text, **fields})

    def _write(self, event: str, fields: dict[str, Any]) -> None:
        now = self._now()
        per_second = self._per_second((now - self._began).total_seconds())
        line = {
            "time": now.isoformat(timespec="milliseconds"),
            "event": event,
            "done": self._done,
            "total": self._total,
            "unit": self._unit,
            "per_second": per_second,
            "seconds_left": None
            if per_second is None
            else round((self._total - self._done) / per_second, 1),
            **fields,
        }
        print(json.dumps(line, ensure_ascii=False, default=str), file=self._stream, flush=True)

    def _per_second(self, elapsed_s: float) -> float | None:
        done_here = self._done - self._done_before
        return float(f"{done_here / elapsed_s:.4g}") if done_here > 0 and elapsed_s > 0 else None
