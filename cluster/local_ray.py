"""Ray on this machine, seen from outside: where its files may lie, whether it still lives, how it is ended in time.

Knows paths, processes and signals of this machine. Does not import Ray, and does not know what it runs.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import psutil

from cluster.pool import PoolError

_SOCKET_BYTES = 103
"""The longest path of a socket: 107 bytes on Linux, 103 on macOS."""

_SESSION = "/ray/session_2026-01-31_23-59-59_123456_1234567/sockets/plasma_store"
"""What Ray appends to its directory for the longest of its sockets."""

ROOT_BYTES = _SOCKET_BYTES - len(_SESSION)
"""The longest directory under which Ray can keep its files."""

_ESSENTIAL = {"raylet": "raylet", "gcs_server": "control store (gcs_server)"}
"""Processes without which Ray does nothing any more, and what a message calls them."""


class LocalNode(Protocol):
    """What Ray knows of the processes that it has started on this machine."""

    all_processes: Mapping[str, Sequence[Any]]
    """Processes by kind; `process.pid` of each is its number."""

    def dead_processes(self) -> list[tuple[str, Any]]:
        """The kind of each process that has ended by itself, and the process."""
        ...

    def kill_all_processes(self, *, check_alive: bool, allow_graceful: bool) -> None:
        """End all of them; `allow_graceful` lets each tidy up first, `check_alive` complains of those that ended."""
        ...


class LocalHead:
    """Watches Ray on this machine, as `HeadWatcher` watches a cluster; nothing here ever comes back by itself.

    Args:
        node: Ray's own list of processes.
    """

    def __init__(self, node: LocalNode) -> None:
        self._node = node

    def answers(self) -> bool:
        """Whether all that Ray cannot do without is there."""
        return not self._ended()

    def check(self) -> None:
        """Raise `PoolError` when Ray has ended."""
        ended = " and ".join(self._ended())
        if ended:
            raise PoolError(
                f"Ray on this machine has ended: its {ended} is gone, most often because memory ran out. What is "
                "committed stays: run the same command again, with fewer --workers if memory is short."
            )

    def _ended(self) -> list[str]:
        dead = {kind for kind, _ in self._node.dead_processes()}
        return [name for kind, name in _ESSENTIAL.items() if kind in dead]


def directory_for_ray(environment: Mapping[str, str]) -> Path | None:
    """A short directory for Ray's files where its own choice is too long for its sockets; else None, Ray's own choice.

    Batch systems give each job a temporary directory of its own, and its path is often too long.

    Raises:
        PoolError: when the user has named a directory that is too long, or none can be had.
    """
    named = environment.get("RAY_TMPDIR")
    if named is not None and _is_long(named):
        raise PoolError(
            f"RAY_TMPDIR={named} has {len(os.fsencode(named))} bytes, and Ray's sockets in it would be too long: name "
            f"a directory of at most {ROOT_BYTES} bytes, such as /tmp"
        )
    if named is not None or not _is_long(environment.get("TMPDIR", "")):
        return None
    return _own_directory(Path(f"/tmp/ray-{os.getuid()}"))  # noqa: S108 - ours alone, as is checked


def _is_long(directory: str) -> bool:
    return len(os.fsencode(directory)) > ROOT_BYTES


def _own_directory(place: Path) -> Path:
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
    except OSError as error:
        raise PoolError(_no_directory(place, error.strerror)) from error
    # Whoever else made it could read and replace what workers are given there.
    if place.is_symlink() or found.st_uid != os.getuid():
        raise PoolError(_no_directory(place, "it belongs to somebody else"))
    return place


def _no_directory(place: Path, reason: str | None) -> str:
    return (
        f"TMPDIR is too long a path for Ray's sockets, and {place} cannot be used: {reason}. Let RAY_TMPDIR name a "
        f"directory of at most {ROOT_BYTES} bytes on a local disk, or compute in one process by --ray off."
    )


@contextmanager
def signals_kept() -> Iterator[None]:
    """While Ray starts: what SIGINT and SIGTERM do stays as it was, though Ray wants SIGTERM for itself."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def end_within(end: Callable[[], None], timeout_s: float) -> None:
    """Call a function that may wait for ever for what is gone; after so long it is left to itself."""
    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(timeout_s)


def kill_node(node: LocalNode) -> None:
    """SIGKILL to the processes of Ray on this machine, and to all that these have started."""
    own = [info.process.pid for of_kind in node.all_processes.values() for info in of_kind]
    # the raylet's agents would outlive it by minutes
    started = [child for pid in own for child in _descendants(pid)]
    node.kill_all_processes(check_alive=False, allow_graceful=False)
    for process in started:
        with suppress(psutil.Error):
            process.kill()


def _descendants(pid: int) -> list[psutil.Process]:
    """The processes that this one has started, and those that they have; none where it has ended."""
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def cannot_connect(address: str, error: Exception) -> str:
    """What is said where Ray is neither started on this machine (`local`) nor reached at an address."""
    remedy = "check the address and `ray status` there"
    if address == "local":
        remedy = (
            "free memory and disk under /tmp; where other programs keep this machine busy, wait and run the same "
            "command again, or compute in one process by --ray off"
        )
    return f"Ray at {address!r} cannot be reached or started: {error}\nPlease {remedy}."
