"""Some objects of one place as a file system of their own, `run://key`, behind which there is nothing else to read.

DuckDB is given it in the place of all other files: whatever a query is made of, it reads these objects and writes
none. Knows keys and lengths. Does not know what the objects are.
"""

# ruff: noqa: ARG002 - the signatures are fsspec's
import io
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from fsspec.spec import AbstractFileSystem

from enformer_core.errors import DatasetError, StorageError
from enformer_core.storage.open import sql_filesystem

_READ_ONLY = "rb"

_NEVER_CHANGED = datetime(1970, 1, 1, tzinfo=UTC)

FENCED = "run://"
"""How the names of these files begin."""


@runtime_checkable
class _Files(Protocol):
    """What is asked of the place where objects lie: one of fsspec's file systems, or a disk."""

    def info(self, path: str) -> Mapping[str, Any]:
        """What is known of an object: `size`, its bytes."""

    def open(self, path: str, mode: str) -> io.IOBase:
        """It, to be read."""


class FencedFiles(AbstractFileSystem):
    """Objects of one place, each with the length that it must have.

    Whoever reads through DuckDB gets its words for what goes wrong here; so the first of it is kept.

    Args:
        files: of the place, by whole names.
        place: where the objects lie, without a slash at its end.
        sizes: bytes of each object that may be read, by key; None where that is not known.

    Attributes:
        opened: keys of what was read.
        failure: what went wrong first: a `DatasetError` for an object that is not what it must be, a `StorageError`,
            or a `PermissionError` for what is beyond the fence.
    """

    protocol = "run"
    # fsspec would keep it for the life of the process
    cachable = False

    def __init__(
        self,
        files: _Files,
        place: str,
        sizes: Mapping[str, int | None],
    ) -> None:
        super().__init__()
        self._files = files
        self._place = place
        self._sizes = sizes
        self.opened: dict[str, None] = {}
        self.failure: Exception | None = None

    def glob(self, path: str, **kwargs: Any) -> list[str]:
        """The name itself: DuckDB asks so for each file, and patterns are no names here."""
        return [self._known(path)]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """Name and length.

        Raises:
            DatasetError: for an object that is missing, or of another length.
        """
        key = self._known(path)
        return {"name": key, "size": self._checked_size(key), "type": "file"}

    def modified(self, path: str) -> datetime:
        """One moment for all: objects never change."""
        return _NEVER_CHANGED

    def _open(
        self,
        path: str,
        mode: str = _READ_ONLY,
        **kwargs: Any,
    ) -> io.IOBase:
        if mode != _READ_ONLY:
            raise self._failed(PermissionError(f"{path}: a query writes nothing"))
        key = self._known(path)
        self.opened[key] = None
        self._checked_size(key)
        try:
            return FileOfThreads(self._files.open(f"{self._place}/{key}", mode))
        except OSError as error:
            raise self._failed(_unreadable(key, error)) from error

    def _known(self, path: str) -> str:
        key = self._strip_protocol(path)
        if key not in self._sizes:
            raise self._failed(PermissionError(f"{path}: no table of the run"))
        return str(key)

    def _checked_size(self, key: str) -> int:
        try:
            size = int(self._files.info(f"{self._place}/{key}")["size"])
        except FileNotFoundError as error:
            text = f"{key}: missing, though a receipt names it"
            raise self._failed(DatasetError(text)) from error
        except OSError as error:
            raise self._failed(_unreadable(key, error)) from error
        except StorageError as error:
            raise self._failed(error) from error
        expected = self._sizes[key]
        if expected is not None and size != expected:
            text = f"{key}: {size:,} bytes, its receipt says {expected:,} bytes"
            raise self._failed(DatasetError(text))
        return size

    def _failed(self, error: Exception) -> Exception:
        """The error, which is kept where it is the first."""
        self.failure = self.failure or error
        return error


class FileOfThreads(io.RawIOBase):
    """A file in which each thread has a place of its own.

    DuckDB's threads read row groups of one file through one handle, and go to a place and read there in two calls.
    With one place for all, another thread comes between:

        thread 1    seek(4)              read(10) gets what lies at 90
        thread 2            seek(90)

    Args:
        file: open for reading; it is closed with this one.
    """

    def __init__(self, file: io.IOBase) -> None:
        super().__init__()
        self._file: Any = file
        self._one_at_a_time = threading.Lock()
        self._of_thread = threading.local()

    def readable(self) -> bool:
        """It is open for nothing else."""
        return True

    def seekable(self) -> bool:
        """Each thread goes where it wants."""
        return True

    def tell(self) -> int:
        """Where the thread that asks will read next."""
        return int(getattr(self._of_thread, "place", 0))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there, for the thread that asks alone."""
        if whence == io.SEEK_CUR:
            offset += self.tell()
        if whence == io.SEEK_END:
            with self._one_at_a_time:
                offset = self._file.seek(offset, io.SEEK_END)
        self._of_thread.place = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        """So many bytes from the place of the thread that asks; all that are left for a negative number."""
        place = self.tell()
        with self._one_at_a_time:
            self._file.seek(place)
            content: bytes = self._file.read(size)
        self._of_thread.place = place + len(content)
        return content

    def close(self) -> None:
        """Close the file too."""
        if not self.closed:
            self._file.close()
        super().close()


class _Disk:
    """Files by their paths. fsspec's own does more at each opening, of which a query of a large run has thousands."""

    def info(self, path: str) -> dict[str, int]:
        """The length in bytes."""
        return {"size": Path(path).stat().st_size}

    def open(self, path: str, mode: str) -> io.IOBase:
        """The file."""
        return io.BufferedReader(io.FileIO(path, mode))


def _unreadable(key: str, error: OSError) -> DatasetError:
    return DatasetError(f"{key}: cannot be read: {error.strerror or error}")


def fenced_files(name: str, sizes: Mapping[str, int | None]) -> FencedFiles:
    """Some objects below a path or an address, for a reader that must see nothing else.

    Args:
        name: the place.
        sizes: bytes of each object, by key; None where that is not known.
    """
    filesystem = sql_filesystem(name)
    if filesystem is None:
        # a name that begins with a tilde is a directory's by now
        return FencedFiles(_Disk(), str(Path(name).resolve()), sizes)
    return FencedFiles(filesystem, name.rstrip("/"), sizes)
