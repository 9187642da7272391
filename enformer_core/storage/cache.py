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
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from enformer_core.errors import InputError, StorageError, TransientStorageError
from enformer_core.storage.open import S3Uri, parse_s3
from enformer_core.storage.retry import Clock, Retries, SystemClock
from enformer_core.storage.s3 import ObjectStat, S3Store

CACHE_VARIABLE = "ENFORMER_RAY_CACHE"

_DIGEST_FILE = ".sha256"

_LONGEST_WAIT_S = 3600.0

_SPARE_BYTES = 64 << 20  # indexes, and what others write meanwhile


def cache_directory() -> Path:
    """Where this node keeps copies: $ENFORMER_RAY_CACHE, else ~/.cache/enformer-ray (or as $XDG_CACHE_HOME says)."""
    named = os.environ.get(CACHE_VARIABLE)
    return (
        Path(named)
        if named
        else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "enformer-ray"
    )


def local_copy(name: str, *, sha256: str | None = None, clock: Clock | None = None) -> Path:
    """A path on this node with the content that `name` has.

    Of several processes on a node one downloads, the others wait for it. A copy made earlier is used again as long as
    the object is the same. A download that breaks off goes on where it was.

    Args:
        name: `s3://bucket/key`, or a path, which is returned as it stands.
        sha256: of the content, in hexadecimal; for `s3://` the copy must have it.
        clock: time for pauses between attempts.

    Returns:
        A path whose last part is that of `name`. Its directory can be written beside it.

    Raises:
        InputError: when there is no such object, or its digest is another.
        StorageError: when storage or this node's disk is at fault, with the remedy.
    """
    uri = parse_s3(name)
    if uri is None:
        return Path(name)
    if not uri.key:
        raise InputError(f"{name}: is a bucket; an object's name is needed, s3://bucket/key")
    retries = Retries(clock or SystemClock())
    store = S3Store(uri.bucket, "")
    stat = retries.call(lambda: store.stat(uri.key))
    if stat is None:
        raise InputError(f"{name}: there is no such object")
    copy = _place(uri, stat)
    try:
        digest = _fetch_once(store, uri, stat, copy, retries)
    except OSError as error:
        raise StorageError(
            f"{name}: no copy can be made at {copy}: {error.strerror or error}. "
            f"Give another directory in ${CACHE_VARIABLE} and run the same command again."
        ) from error
    if sha256 is not None and digest != sha256.lower():
        raise InputError(
            f"{name}: its sha256 is {digest}, expected {sha256}. The object is not the one that is meant."
        )
    return copy


def _place(uri: S3Uri, stat: ObjectStat) -> Path:
    version = hashlib.sha256(f"{uri}\n{stat.etag}\n{stat.size_bytes}".encode()).hexdigest()[:20]
    return cache_directory() / "copies" / version / uri.key.rsplit("/", 1)[-1]


def _fetch_once(store: S3Store, uri: S3Uri, stat: ObjectStat, copy: Path, retries: Retries) -> str:
    """The copy's sha256, computed when it was fetched."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    digest_file = copy.with_name(_DIGEST_FILE)
    lock = copy.parent.with_suffix(".lock")
    try:
        with FileLock(lock, timeout=_LONGEST_WAIT_S):
            if not _is_whole(copy, stat):
                _check_space(uri, stat, copy.parent)
                _download(store, uri, stat, copy, retries)
            return digest_file.read_text()
    except Timeout as error:
        raise StorageError(
            f"{uri}: another process of this node has been fetching it for {_LONGEST_WAIT_S / 60:.0f} minutes "
            f"({lock}). End that process if it hangs, and run the same command again."
        ) from error


def _is_whole(copy: Path, stat: ObjectStat) -> bool:
    return (
        copy.is_file()
        and copy.stat().st_size == stat.size_bytes
        and copy.with_name(_DIGEST_FILE).is_file()
    )


def _check_space(uri: S3Uri, stat: ObjectStat, directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < stat.size_bytes + _SPARE_BYTES:
        raise StorageError(
            f"{uri}: its {stat.size_bytes:,} bytes do not fit on this node: {directory} has {free:,} free. "
            f"Free some space, or give another directory in ${CACHE_VARIABLE}, and run the same command again."
        )


class _Download:
    """A file that grows by what comes through, and its digest so far."""

    def __init__(self, file: IO[bytes], size_bytes: int) -> None:
        self._file = file
        self._size_bytes = size_bytes
        self.digest = hashlib.sha256()
        self.arrived_bytes = 0

    @property
    def whole(self) -> bool:
        return self.arrived_bytes == self._size_bytes

    def go_on(self, store: S3Store, key: str, etag: str) -> None:
        """Append what comes through; raises only when nothing did, so that patience begins anew otherwise."""
        before = self.arrived_bytes
        try:
            for piece in store.pieces(key, etag=etag, first_byte=before):
                self._file.write(piece)
                self.digest.update(piece)
                self.arrived_bytes += len(piece)
        except TransientStorageError:
            if self.arrived_bytes >= self._size_bytes:
                self._begin_again()  # all came, and the client found its checksum to be wrong
                raise
            if self.arrived_bytes == before:
                raise

    def _begin_again(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.digest = hashlib.sha256()
        self.arrived_bytes = 0


def _download(store: S3Store, uri: S3Uri, stat: ObjectStat, copy: Path, retries: Retries) -> None:
    mine = f".{platform.node()}-"  # where locks do not reach, other nodes may be writing here too
    for left_over in copy.parent.glob(f"{mine}*.unfinished"):
        left_over.unlink(missing_ok=True)
    unfinished = copy.with_name(f"{mine}{os.getpid()}.unfinished")
    try:
        with unfinished.open("wb") as file:
            download = _Download(file, stat.size_bytes)
            while not download.whole:
                retries.call(lambda: download.go_on(store, uri.key, stat.etag))
            file.flush()
            os.fsync(file.fileno())
        copy.with_name(_DIGEST_FILE).write_text(download.digest.hexdigest())
        unfinished.replace(copy)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
