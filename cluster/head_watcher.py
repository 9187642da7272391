"""Whether the head of a cluster still answers. Ray itself would wait for a minute, then end this very process."""

import socket
import time
from collections.abc import Callable

from cluster.pool import PoolError

_EVERY_S = 5.0

_PATIENCE_S = 40.0  # a head may be restarted; after a minute, Ray ends this process

_QUICK_S = 2.0


def check_port(address: str, *, timeout_s: float = _QUICK_S) -> None:
    """Connect to `host:port` and close again.

    Raises:
        OSError: when nothing listens there.
        ValueError: when that is no address.
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=timeout_s).close()


def listens(address: str) -> bool:
    """Whether something takes connections at `host:port`."""
    try:
        check_port(address)
    except (OSError, ValueError):
        return False
    return True


class HeadWatcher:
    """Watches an address from time to time.

    Where it cannot be reached from here in the first place, as through a proxy, it is not watched.

    Args:
        address: `host:port`.
        clock: seconds that only grow.
    """

    def __init__(self, address: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._silent_since_s: float | None = None
        self._checked_s = clock()
        self._watched = listens(address)

    def answers(self) -> bool:
        """Whether it does, looked up anew every few seconds."""
        now_s = self._clock()
        # Every tick of the scheduler asks; a connection each time would be a load on the head.
        if self._watched and now_s - self._checked_s >= _EVERY_S:
            self._checked_s = now_s
            if listens(self._address):
                self._silent_since_s = None
            elif self._silent_since_s is None:
                self._silent_since_s = now_s
        return self._silent_since_s is None

    def check(self) -> None:
        """Raise `PoolError` when it has been silent for long."""
        if self.answers() or self._silent_since_s is None:
            return
        silent_s = self._clock() - self._silent_since_s
        if silent_s >= _PATIENCE_S:
            raise PoolError(
                f"the head of the cluster, {self._address}, has not answered for {silent_s:.0f} s. What is "
                "committed stays: run the same command again when the cluster is back."
            )
