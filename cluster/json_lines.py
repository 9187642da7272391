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
        self._total, self._unit, self._done = total, unit, done_before
        self._stream = sys.stderr if stream is None else stream
        self._now = now

    def __enter__(self) -> Self:
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
        line = {
            "time": self._now().isoformat(timespec="milliseconds"),
            "event": event,
            "done": self._done,
            "total": self._total,
            "unit": self._unit,
            **fields,
        }
        print(json.dumps(line, ensure_ascii=False, default=str), file=self._stream, flush=True)
