"""A directory as a place for objects.

Does not know what the objects mean.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from enformer_core.errors import InputError

_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class LocalStore:
    """A directory. Objects are written beside their place, flushed to disk, and given their name by a hard link.

    A link, unlike a rename, fails when the name is taken, so two writers never replace each other's object.

    Attributes:
        root: the directory; made on the first put.
    """

    root: Path

    def check_usable(self, marker: str) -> None:
        """Refuse a place that cannot become or be a run's directory.

        Args:
            marker: the object by which a directory in use is known.

        Raises:
            InputError: for a file, a directory that holds other things, or one that cannot be written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise InputError(f"{self.root}: is a file; --out must be a directory")
        existing = next(path for path in (self.root, *self.root.absolute().parents) if path.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise InputError(f"{self.root}: cannot be written: no permission for {existing}. Choose another --out.")
        if not (self.root / marker).exists() and _holds_others(self.root):
            raise InputError(f"{self.root}: holds files but no run ({marker}). Choose another --out, or empty it.")

    def sweep(self) -> None:
        """Remove what writers that died left unfinished; only when nothing is left to write."""
        unfinished = self.root / _UNFINISHED
        for path in unfinished.glob("*"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another writer has just begun: its own sweep follows
            unfinished.rmdir()

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Create the object whole, or change nothing; False when it existed already.

        Raises:
            InputError: when the place cannot be written, naming it and the system's reason.
        """
        place = self.root / key
        if place.exists():
            return False
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            return self._link(place, content)
        except OSError as error:
            raise _unwritable(place, error) from error

    def _link(self, place: Path, content: bytes) -> bool:
        unfinished = self.root / _UNFINISHED
        unfinished.mkdir(exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=unfinished, prefix=place.name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            place.hardlink_to(name)
        except FileExistsError:
            return False
        finally:
            Path(name).unlink(missing_ok=True)
        return True

    def get(self, key: str) -> bytes | None:
        """The object's content, or None when there is none."""
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, in order; the prefix ends at a directory."""
        directory = self.root / prefix
        for path in sorted(directory.rglob("*")) if directory.is_dir() else []:
            if path.is_file():
                yield path.relative_to(self.root).as_posix()


def _holds_others(root: Path) -> bool:
    return root.is_dir() and any(path.name != _UNFINISHED for path in root.iterdir())


def _unwritable(place: Path, error: OSError) -> InputError:
    remedy = {
        errno.ENOSPC: "Free some space and run the same command again; what is committed stays.",
        errno.EDQUOT: "Free some of your quota and run the same command again; what is committed stays.",
    }.get(error.errno or 0, "Choose another --out, or make this one writable.")
    return InputError(f"{place}: cannot be written: {error.strerror}. {remedy}")
