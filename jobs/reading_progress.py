"""A count without a known end, such as that of the alleles of an input that is being read.

Knows counts and time. Does not know what is counted: the caller names the unit.
"""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console

from enformer_core.words import duration
from jobs.count import significant
from jobs.heartbeat import Heartbeat
from jobs.log import current_log, write_line
from jobs.output import safe
from jobs.progress import LINE_EVERY_S, Clock, is_animated


class ReadingProgress:
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
        self._began_s = clock()
        self._step = "reading"
        self._step_began_s = clock()
        self._count = 0
        self._next_line_s = clock() + LINE_EVERY_S
        self._heartbeat = Heartbeat(self.beat)
        self._status = None
        if is_animated(self._stream) and not current_log().as_json:
            self._status = Console(file=self._stream, force_terminal=True).status("")

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        self._heartbeat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._heartbeat.stop()
        if self._status is not None:
            self._status.stop()

    def show(self, step: str, count: int) -> None:
        """So many are through the step that is under way; each step's rate is its own."""
        now_s = self._clock()
        # Reading, sorting and cutting differ in speed: each step's rate is its own.
        if step != self._step:
            self._step = step
            self._step_began_s = now_s
        self._count = count
        self.beat()

    def beat(self) -> None:
        """Show how far it is, also where nothing gets through for long; no more than a line in 10 s."""
        now_s = self._clock()
        if self._status is not None:
            self._status.update(self._text(now_s))
        elif now_s >= self._next_line_s:
            self._next_line_s = now_s + LINE_EVERY_S
            if current_log().as_json:
                write_line("planning", step=self._step, count=self._count, unit=self._unit)
            else:
                print(self._text(now_s), file=self._stream, flush=True)

    def _text(self, now_s: float) -> str:
        text = f"{self._step}: {self._count:,} {self._unit}"
        elapsed_s = now_s - self._step_began_s
        # of less than a second a rate is chance: 198 alleles would be 45 million a second
        if elapsed_s >= 1 and self._count:
            text += f", {significant(self._count / elapsed_s)} {self._unit}/s"
        whole_s = now_s - self._began_s
        return f"{text}, {duration(whole_s)}" if whole_s >= 1 else text
