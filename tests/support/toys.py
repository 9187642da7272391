"""Worker factories whose behaviour can be read off: each makes a function that squares, waits, raises or dies."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class AwkwardError(Exception):
    """Cannot be made again from its pickle."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


class PickleableError(Exception):
    """Keeps what it carries on its way between processes."""

    def __init__(self, message: str, detail: dict[str, int]) -> None:
        super().__init__(message, detail)
        self.detail = detail


@dataclass(frozen=True)
class Computing:
    """A function as the middle stage of `cluster.pool.StagedFunction`, with nothing to fetch or store."""

    function: Callable[[Any], Any]

    def prepare(self, payload: Any) -> Any:
        return payload

    def compute(self, prepared: Any) -> Any:
        return self.function(prepared)

    def finish(self, computed: Any) -> Any:
        return computed


def squares() -> Any:
    return Computing(lambda number: number * number)


def environment() -> Any:
    return Computing(os.environ.get)


def broken() -> Any:
    raise PickleableError("no model here", {"code": 7})


def dying_factory() -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def perform(payload: Any) -> Any:
    """What a payload asks for: a number is squared, `(verb, argument)` is done."""
    match payload:
        case ("raise", error):
            raise error
        case ("raise awkward", _):
            raise AwkwardError("two", "arguments")
        case ("exit", code):
            raise SystemExit(code)
        case ("leave", code):
            return os._exit(code)
        case ("return a lock", _):
            return threading.Lock()
        case ("sleep", seconds):
            time.sleep(seconds)
            return os.getpid()
        case ("die", _):
            return os.kill(os.getpid(), signal.SIGKILL)
        case ("die once", marker):
            if not Path(marker).exists():
                Path(marker).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return "survived"
        case number:
            return number * number


def performer() -> Any:
    return Computing(perform)


@dataclass(frozen=True)
class CountedFactory:
    """Leaves a file for each time that it was called."""

    directory: Path

    def __call__(self) -> Any:
        (self.directory / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        return Computing(perform)
