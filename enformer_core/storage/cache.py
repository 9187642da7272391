"""Inputs of object storage, brought to this node once and shared by its processes.

A copy keeps the object's name, in a directory of its own version (address and etag), so that indexes can be made beside
it and a replaced object is never taken for the old one. Copies are never removed: the cache may be deleted whenever
nothing runs. Does not know what the files mean.
"""

import hashlib
import os
import platform
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from enformer_core.errors import InputError, StorageError, TransientStorageError
from enformer_core.machine import CACHE_VARIABLE, cache_directory
from enformer_core.storage.retry import Retries
from enformer_core.storage.store import ObjectStat, ObjectStore
from enformer_core.user_path import why_unwritable

_DIGEST_FILE = ".sha256"

_LONGEST_WAIT_S = 3600.0

_SPARE_BYTES = 64 << 20  # indexes, and what others write meanwhile


def local_copy(
    store: ObjectStore,
    key: str,
    name: str,
    retries: Retries,
) -> "LocalCopy":
    """A file of this node with an object's content.

    Of several processes on a node one downloads, the others wait for it. A copy made earlier is used again as long as
    the object is the same. A download that breaks off goes on where it was.

    Args:
        store: where the object is.
        key: the object, relative to the store.
        name: its full name, for messages and as part of the copy's identity.
        retries: how often transient failures are tried again.

    Raises:
        InputError: when there is no such object, or it is replaced meanwhile.
        StorageError: when storage or this node's disk is at fault, with the remedy.
    """
    stat = retries.call(lambda: store.stat(key))
    if stat is None:
        raise InputError(f"{name}: there is no such object")
    version = hashlib.sha256(f"{name}\n{stat.etag}\n{stat.size_bytes}".encode()).hexdigest()[:20]
    path = cache_directory("copies") / version / key.rsplit("/", 1)[-1]
    source = _Source(store, key, name, stat, retries)
    try:
        return LocalCopy(path, _fetch_once(source, path))
    except OSError as error:
        raise StorageError(
            f"{name}: no copy can be made at {path}: {why_unwritable(path, error)}. "
            f"Give another directory in ${CACHE_VARIABLE} and run the same command again."
        ) from error


@dataclass(frozen=True)
class LocalCopy:
    """A file of this node.

    Attributes:
        path: its last part is that of the object's name; indexes can be written beside it.
        sha256: of its content, in hexadecimal.
    """

    path: Path
    sha256: str


@dataclass(frozen=True)
class _Source:
    """One version of an object, and how it is read."""

    store: ObjectStore
    key: str
    name: str
    stat: ObjectStat
    retries: Retries


def _fetch_once(source: _Source, path: Path) -> str:
    """The copy's sha256, computed when it was fetched."""
    path.parent.mkdir(parents=True, exist_ok=True)
    digest_file = path.with_name(_DIGEST_FILE)
    lock = path.parent.with_suffix(".lock")
    try:
        with FileLock(lock, timeout=_LONGEST_WAIT_S):
            # A copy that somebody cut short is fetched again; the digest is written before the copy has its name.
            complete = path.is_file() and path.stat().st_size == source.stat.size_bytes
            if not (complete and digest_file.is_file()):
                _check_space(source, path.parent)
                _download(source, path)
            return digest_file.read_text()
    except Timeout as error:
        raise StorageError(
            f"{source.name}: another process of this node has been fetching it for "
            f"{_LONGEST_WAIT_S / 60:.0f} minutes ({lock}). "
            "End that process if it hangs, and run the same command again."
        ) from error


def _check_space(source: _Source, directory: Path) -> None:
    needed = source.stat.size_bytes
    free = shutil.disk_usage(directory).free
    if free < needed + _SPARE_BYTES:
        raise StorageError(
            f"{source.name}: its {needed:,} bytes do not fit on this node: {directory} has {free:,} free. "
            f"Free some space, or give another directory in ${CACHE_VARIABLE}, and run the same command again."
        )


def _download(source: _Source, path: Path) -> None:
    # Where locks do not reach, on a shared disk, other nodes may be writing here too: only this node's are removed.
    own_prefix = f".{platform.node()}-"
    for abandoned in path.parent.glob(f"{own_prefix}*.unfinished"):
        abandoned.unlink(missing_ok=True)
    unfinished = path.with_name(f"{own_prefix}{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            download = _Download(file, source)
            while not download.complete:
                source.retries.call(download.go_on)
            file.flush()
            os.fsync(file.fileno())
        path.with_name(_DIGEST_FILE).write_text(download.digest.hexdigest())
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


class _Download:
    """A file that grows by what comes through, and its digest so far."""

    def __init__(self, file: IO[bytes], source: _Source) -> None:
        self._file = file
        self._source = source
        self.digest = hashlib.sha256()
        self.arrived_bytes = 0

    @property
    def complete(self) -> bool:
        return self.arrived_bytes == self._source.stat.size_bytes

    def go_on(self) -> None:
        """Append what comes through; raises only when nothing did, so that patience begins anew otherwise."""
        source = self._source
        before_bytes = self.arrived_bytes
        try:
            for piece in source.store.pieces(
                source.key, etag=source.stat.etag, first_byte=before_bytes
            ):
                self._file.write(piece)
                self.digest.update(piece)
                self.arrived_bytes += len(piece)
        except TransientStorageError:
            if self.arrived_bytes >= source.stat.size_bytes:
                # Everything came, and then the client found its checksum to be wrong: which piece is damaged, is not
                # known.
                self._begin_again()
                raise
            if self.arrived_bytes == before_bytes:
                raise

    def _begin_again(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.digest = hashlib.sha256()
        self.arrived_bytes = 0
