"""A store's objects as fsspec's file system, through which DuckDB reads a run: names are found, ranges are read.

There is no writing, and no client of its own: every request is the store's, with the store's errors and retries.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from enformer_core.storage.patterns import is_pattern, matching_keys
from enformer_core.storage.retry import Clock, Retries, RetryingStore
from enformer_core.storage.store import ObjectStat, ObjectStore

_READ_AT_ONCE_BYTES = 4 << 20
"""A file up to this size is one request; Parquet would take three (its footer's length, its footer, its columns)."""

_READ_AHEAD_BYTES = 4 << 20

_NEVER_CHANGED = datetime(1970, 1, 1, tzinfo=UTC)


def object_filesystem(
    scheme: str, open_bucket: Callable[[str], ObjectStore], clock: Clock
) -> AbstractFileSystem:
    """The read-only file system of a scheme, whose paths are `bucket/key`, with or without the scheme.

    Args:
        scheme: what stands before the colon.
        open_bucket: the store of a bucket's name.
        clock: time for pauses between attempts.
    """
    # fsspec asks the class which scheme it serves.
    kind = type("ObjectFileSystem", (_ObjectFileSystem,), {"protocol": scheme})
    return kind(open_bucket, clock)


class _ObjectFileSystem(AbstractFileSystem):
    cachable = (
        False  # fsspec would keep this object, and its connections, for the life of the process
    )

    def __init__(self, open_bucket: Callable[[str], ObjectStore], clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._retries = Retries(clock)
        self._open_bucket = cache(open_bucket)
        self._stat = cache(self._ask_stat)  # DuckDB asks twice for each file

    def glob(self, path: str, **kwargs: Any) -> list[str]:  # noqa: ARG002 - as fsspec calls it
        bucket, pattern = self._split(path)
        if not is_pattern(pattern):
            return [f"{bucket}/{pattern}"] if self.exists(path) else []
        store = RetryingStore(self._open_bucket(bucket), self._clock)
        return [f"{bucket}/{key}" for key in matching_keys(store, pattern)]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG002
        name = self._strip_protocol(path)
        return {"name": name, "size": self._stat(name).size_bytes, "type": "file"}

    def modified(self, path: str) -> datetime:  # noqa: ARG002
        return _NEVER_CHANGED

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Bytes from `start` up to but without `end` of the version that was first seen."""
        if start >= end:
            return b""
        bucket, key = self._split(path)
        store = self._open_bucket(bucket)
        etag = self._stat(path).etag
        return self._retries.call(
            lambda: b"".join(store.pieces(key, etag=etag, first_byte=start, end_byte=end))
        )

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> "_ObjectFile":  # noqa: ARG002
        size_bytes = self._stat(path).size_bytes
        cache_type = "all" if size_bytes <= _READ_AT_ONCE_BYTES else "readahead"
        return _ObjectFile(
            self, path, mode, _READ_AHEAD_BYTES, cache_type=cache_type, size=size_bytes
        )

    def _ask_stat(self, path: str) -> ObjectStat:
        bucket, key = self._split(path)
        store = self._open_bucket(bucket)
        stat = self._retries.call(lambda: store.stat(key))
        if stat is None:
            raise FileNotFoundError(path)
        return stat

    def _split(self, path: str) -> tuple[str, str]:
        bucket, _, key = self._strip_protocol(path).partition("/")
        return bucket, key


class _ObjectFile(AbstractBufferedFile):
    def _fetch_range(self, start: int, end: int) -> bytes:
        content: bytes = self.fs.read_range(self.path, start, end)
        return content
