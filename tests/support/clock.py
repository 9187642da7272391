"""Time that passes only when somebody sleeps."""

import threading


class FakeClock:
    """A clock for retries. Remembers every pause."""

    def __init__(self) -> None:
        self.pauses_s: list[float] = []
        self._now_s = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now_s

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.pauses_s.append(seconds)
            self._now_s += seconds
