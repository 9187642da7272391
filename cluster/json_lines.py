"""What happens in a run as lines of JSON, for programs that watch it. Knows counts and time, not what is counted."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TextIO


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
        self._total, self._unit, self._done, self._done_before = total, unit, done_before, done_before
        self._stream = sys.stderr if stream is None else stream
        self._now = now
        self._began = now()

    def __enter__(self) -> Self:
        self._began = self._now()
        self._write("started", {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._write("ended", {"error": None if error is None else f"{type(error).__name__}: {error}"})

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
            "seconds_left": None if per_second is None else round((self._total - self._done) / per_second, 1),
            **fields,
        }
        print(json.dumps(line, ensure_ascii=False, default=str), file=self._stream, flush=True)

    def _per_second(self, elapsed_s: float) -> float | None:
        done_here = self._done - self._done_before
        return float(f"{done_here / elapsed_s:.4g}") if done_here > 0 and elapsed_s > 0 else None
