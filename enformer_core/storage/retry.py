"""Trying again: transient failures of storage, with growing pauses and an end.

Knows time only through a clock that is given, so that a simulation can run hours in a moment. Does not know why an
attempt failed.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from enformer_core.errors import StorageError, TransientStorageError
from enformer_core.storage.store import Store

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 20.0
_PATIENCE_S = 120.0
_PATIENCE_AT_START_S = 30.0
_MOST_ATTEMPTS = 1_000_000

T = TypeVar("T")
Listed = TypeVar("Listed", str, tuple[str, int])


@runtime_checkable
class Clock(Protocol):
    """Time, as far as retries know it: a simulation gives one that runs hours in a moment."""

    def now(self) -> float:
        """Seconds since some moment; never runs backwards."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return when that many seconds have passed."""
        ...


@dataclass(frozen=True)
class SystemClock:
    """The clock of this machine, which nobody can set back."""

    def now(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread for that long."""
        time.sleep(seconds)


class Retries:
    """Exponential backoff with full jitter, bounded by all the time spent.

    Each pause is drawn between nothing and a bound that doubles from 0.2 s to 20 s: writers that failed together do
    not come back together. The n-th attempt is not begun when its pause would end beyond the patience.

    Attributes:
        retried: attempts repeated so far, in this process.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int | None = None,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._settings = (clock, seed, patience_s)
        self._clock = clock
        self._patience_s = patience_s
        self._random = random.Random(seed)  # noqa: S311 - spreads load, keeps no secret
        self._lock = threading.Lock()
        self.retried = 0

    def __reduce__(self) -> tuple[Any, ...]:
        # A lock cannot be sent. Without a seed every process draws its own pauses.
        return _retries, self._settings

    def call(self, attempt: Callable[[], T], *, patience_s: float | None = None) -> T:
        """The attempt's result, after as many attempts as it takes.

        Raises:
            StorageError: what the attempt raised; after the last of transient failures, one that is not transient.
        """
        patience_s = self._patience_s if patience_s is None else patience_s
        began = self._clock.now()
        for failures in range(_MOST_ATTEMPTS):
            try:
                return attempt()
            except TransientStorageError as error:
                pause_s = self._pause_s(failures)
                spent_s = self._clock.now() - began
                if spent_s + pause_s > patience_s:
                    raise _given_up(error, failures + 1, spent_s) from error
            with self._lock:
                self.retried += 1
            self._clock.sleep(pause_s)
        raise AssertionError("a million attempts fit into the patience: the clock stands still")

    def _pause_s(self, failures: int) -> float:
        # 2**1000 is no float
        doublings = min(failures, 30)
        bound_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**doublings)
        with self._lock:
            return self._random.random() * bound_s


def _retries(clock: Clock, seed: int | None, patience_s: float) -> Retries:
    return Retries(clock, seed=seed, patience_s=patience_s)


def _given_up(error: TransientStorageError, attempts: int, spent_s: float) -> StorageError:
    return StorageError(
        f"{error} Given up after {attempts} attempts in {spent_s:.0f} s. "
        "What is committed stays: run the same command again when the storage answers."
    )


class RetryingStore:
    """A store whose transient failures are tried again.

    A put whose answer was lost is repeated and then finds its own object: it returns False, as for another writer's,
    and the caller reads and checks what is there.

    Attributes:
        store: the place itself, one attempt for each call.
        retries: how often and how long.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        seed: int | None = None,
    ) -> None:
        self.store = store
        self.retries = Retries(clock, seed=seed)

    @property
    def location(self) -> str:
        """The store's own: retries change no names."""
        return self.store.location

    def check_usable(self, marker: str, closed: str) -> None:
        """See `Store`; a place that does not answer at all is given up sooner than in the middle of a run."""
        self.retries.call(
            lambda: self.store.check_usable(marker, closed),
            patience_s=_PATIENCE_AT_START_S,
        )

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """See `Store`; False also when an attempt whose answer was lost had created the object."""
        return self.retries.call(lambda: self.store.put_if_absent(key, content))

    def get(self, key: str) -> bytes | None:
        """See `Store`; an object that arrives damaged is read again."""
        return self.retries.call(lambda: self.store.get(key))

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """See `Store`. A listing that broke off goes on behind the last key seen, with fresh patience."""
        return self._listed(lambda last: self.store.keys(prefix, after=last), after)

    def sizes(self, prefix: str, *, after: str = "") -> Iterator[tuple[str, int]]:
        """See `Store`. A listing that broke off goes on as that of `keys` does."""
        return self._listed(lambda last: self.store.sizes(prefix, after=last), after)

    def _listed(
        self, begin_behind: Callable[[str], Iterator[Listed]], after: str
    ) -> Iterator[Listed]:
        listing: Iterator[Listed] | None = None

        def next_entry() -> Listed | None:
            # A generator that has raised is exhausted and would end the listing early: another one goes on.
            nonlocal listing
            listing = listing or begin_behind(after)
            try:
                return next(listing, None)
            except TransientStorageError:
                listing = None
                raise

        while (entry := self.retries.call(next_entry)) is not None:
            after = entry if isinstance(entry, str) else entry[0]
            yield entry

    def move(self, key: str, to: str) -> None:
        """See `Store`; an attempt whose answer was lost had moved it."""
        self.retries.call(lambda: self.store.move(key, to))

    def sweep(self) -> None:
        """See `Store`; what was removed before a failure stays removed."""
        self.retries.call(self.store.sweep)
