"""A store's objects as fsspec's file system, through which DuckDB reads a run: names are found, ranges are read.

There is no writing, and no client of its own: every request is the store's, with the store's errors and retries.
"""

# ruff: noqa: ARG002 - the signatures are fsspec's
import io
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from enformer_core.storage.patterns import is_pattern, matching_keys
from enformer_core.storage.retry import Clock, Retries, RetryingStore
from enformer_core.storage.store import ObjectStat, ObjectStore

# DuckDB opens a file two or three times and seeks: in Parquet, the footer's length, the footer, the columns. Up to this
# size a file is one request, and the last ones stay in memory.
_SMALL_BYTES = 4 << 20
_SMALL_FILES_KEPT = 16

_READ_AHEAD_BYTES = 4 << 20

_NEVER_CHANGED = datetime(1970, 1, 1, tzinfo=UTC)


def object_filesystem(
    scheme: str,
    open_bucket: Callable[[str], ObjectStore],
    clock: Clock,
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
    """What was asked once is not asked again: for as long as a query lasts, it sees the objects that it saw first."""

    # fsspec would keep this object, and its connections, for the life of the process.
    cachable = False

    def __init__(self, open_bucket: Callable[[str], ObjectStore], clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._retries = Retries(clock)
        # Wrapped here and not as methods: what these remember ends with this object.
        self._open_bucket = cache(open_bucket)
        self._stat = cache(self._ask_stat)
        self._matches = cache(self._ask_matches)
        self._small_content = lru_cache(_SMALL_FILES_KEPT)(self._read_small)

    def glob(self, path: str, **kwargs: Any) -> list[str]:
        return list(self._matches(path))

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        name = self._strip_protocol(path)
        size_bytes = self._stat(name).size_bytes
        return {"name": name, "size": size_bytes, "type": "file"}

    def modified(self, path: str) -> datetime:
        return _NEVER_CHANGED

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Bytes from `start` up to but without `end` of the version that was first seen."""
        # HTTP has no range without a byte
        if start >= end:
            return b""
        bucket, key = self._split(path)
        store = self._open_bucket(bucket)
        etag = self._stat(path).etag

        def attempt() -> bytes:
            pieces = store.pieces(key, etag=etag, first_byte=start, end_byte=end)
            return b"".join(pieces)

        return self._retries.call(attempt)

    def _open(
        self,
        path: str,
        mode: str = "rb",
        **kwargs: Any,
    ) -> io.IOBase:
        size_bytes = self._stat(path).size_bytes
        if size_bytes <= _SMALL_BYTES:
            return io.BytesIO(self._small_content(path))
        return _ObjectFile(self, path, mode, _READ_AHEAD_BYTES, size=size_bytes)

    def _read_small(self, path: str) -> bytes:
        size_bytes = self._stat(path).size_bytes
        return self.read_range(path, 0, size_bytes)

    def _ask_matches(self, path: str) -> list[str]:
        bucket, pattern = self._split(path)
        if not is_pattern(pattern):
            # DuckDB asks so for the name of one file, too: its whole folder need not be listed.
            return [f"{bucket}/{pattern}"] if self.exists(path) else []
        store = RetryingStore(self._open_bucket(bucket), self._clock)
        return [f"{bucket}/{key}" for key in matching_keys(store, pattern)]

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
