"""A directory as a place for objects."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from enformer_core.errors import InputError, StorageError, TransientStorageError
from enformer_core.user_path import file_in_the_way

_UNFINISHED = ".unfinished"
"""How the names of files under way begin; earlier releases kept them in a directory of this name."""

_TRANSIENT = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOENT,  # another writer's sweep took the directory, or the file, from under this one
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_NO_DIRECTORY_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP})
_NO_LINKS = "This file system has no hard links, which runs need: choose another --out."
_LINK_REFUSALS = frozenset(
    {
        errno.EPERM,  # exFAT, and some FUSE mounts
        errno.ENOTSUP,
        errno.EMLINK,
        errno.EXDEV,  # directories of AFS
        errno.ENOSYS,  # gcsfuse
    }
)
_CONTINUE = "and run the same command again; what is committed stays."
_REMEDIES = {
    errno.ENOSPC: f"Free some space {_CONTINUE}",
    errno.EDQUOT: f"Free some of your quota {_CONTINUE}",
    errno.EROFS: f"Mount it writable {_CONTINUE}",
    errno.EACCES: f"Give this user permission {_CONTINUE}",
    errno.EPERM: f"Give this user permission, or use a file system that has hard links, {_CONTINUE}",
    errno.ENOTSUP: _NO_LINKS,
    errno.EMLINK: _NO_LINKS,
    errno.EXDEV: _NO_LINKS,
    errno.ENOSYS: _NO_LINKS,
    errno.ENAMETOOLONG: "Use shorter names: of --out, or of contigs.",
    errno.EFBIG: "This file system, or a limit on this user, refuses files so long: use a smaller --shard-size.",
}


@dataclass(frozen=True)
class LocalStore:
    """A directory. Objects are written beside their place, flushed to disk, and given their name by a hard link.

    A link, unlike a rename, fails when the name is taken, so two writers never replace each other's object. Names
    that begin with a dot are never listed: file systems and desktops leave such files behind.

    Attributes:
        root: the directory; made on the first put.
    """

    root: Path

    @property
    def location(self) -> str:
        """The directory's path, as its user wrote it."""
        return str(self.root)

    def check_usable(self, marker: str, closed: str) -> None:
        """Refuse a place that cannot become or be a run's directory; a closed run's need not be writable.

        Args:
            marker: the object by which a directory in use is known.
            closed: the object that stands when nothing is left to write.

        Raises:
            InputError: for a file, a directory that holds other things, one that cannot be written, or a file system
                without hard links.
        """
        try:
            self._check_place(marker)
            if not (self.root / closed).exists():
                self._check_writable()
        except OSError as error:  # a name that is too long, links that go round in circles
            raise self._unusable(f"cannot be used: {error.strerror}") from error

    def _check_place(self, marker: str) -> None:
        file = file_in_the_way(self.root)
        if file == self.root:
            raise InputError(f"{self.root}: is a file; --out must be a directory")
        if file is not None:
            raise InputError(f"{self.root}: {file} is a file; --out must be a directory")
        if not (self.root / marker).exists() and _holds_others(self.root):
            raise InputError(
                f"{self.root}: holds files but no run ({marker}). Choose another --out, or empty it."
            )

    def _check_writable(self) -> None:
        # Where nothing is yet, the nearest directory above decides.
        existing = next(path for path in self._ancestors() if path.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise self._unusable(f"cannot be written: no permission for {existing}")
        missing = [path for path in self._ancestors() if not path.exists()]
        try:
            self._try_out()
        finally:
            for path in missing:
                with contextlib.suppress(OSError):
                    path.rmdir()

    def _try_out(self) -> None:
        """Make the directory and a file with two names: some file systems forbid what permissions allow."""
        first = self.root / _unfinished_name()
        second = self.root / _unfinished_name()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            first.touch()
        except OSError as error:
            raise self._unusable(f"cannot be written: {error.strerror}") from error
        try:
            second.hardlink_to(first)
        except OSError as error:
            remedy = _NO_LINKS if error.errno in _LINK_REFUSALS else "Choose another --out."
            raise InputError(
                f"{self.root}: files there cannot be linked: {error.strerror}. {remedy}"
            ) from error
        finally:
            for path in (second, first):
                path.unlink(missing_ok=True)

    def _unusable(self, reason: str) -> InputError:
        return InputError(f"{self.root}: {reason}. Choose another --out.")

    def _ancestors(self) -> tuple[Path, ...]:
        """The root and what lies above it, upwards."""
        return (self.root, *self.root.absolute().parents)

    def sweep(self) -> None:
        """Remove what writers that died left unfinished; only when nothing is left to write."""
        for directory, _, names in os.walk(self.root):
            for name in names:
                if name.startswith(f"{_UNFINISHED}-"):
                    Path(directory, name).unlink(missing_ok=True)
        of_earlier_release = self.root / _UNFINISHED
        for path in of_earlier_release.glob("*"):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # mostly there is none
            of_earlier_release.rmdir()

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Create the object whole, or change nothing; False when it existed already.

        When it returns, the object and its name are on the disk.

        Raises:
            StorageError: when the place cannot be written, naming it, the system's reason and the remedy.
        """
        place = self.root / key
        try:
            created = not place.exists() and self._create(place, content)
            # Also for another writer's object: it may have died before it could.
            _sync_directory(place.parent)
        except OSError as error:
            raise _failure(place, error, action="written") from error
        return created

    def _create(self, place: Path, content: bytes) -> bool:
        _make_directory(place.parent)
        # Beside its place: where directories are volumes of their own, no link leads from one to another.
        unfinished = place.with_name(_unfinished_name())
        # The user's umask decides who may read it.
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            place.hardlink_to(unfinished)
        except FileExistsError:
            return False
        finally:
            unfinished.unlink(missing_ok=True)
        return True

    def move(self, key: str, to: str) -> None:
        """Give an object another key, whatever stands there; nothing happens when there is none."""
        source = self.root / key
        place = self.root / to
        try:
            _make_directory(place.parent)
            with contextlib.suppress(FileNotFoundError):
                source.replace(place)
                _sync_directory(source.parent)
                _sync_directory(place.parent)
        except OSError as error:
            raise _failure(source, error, action="moved") from error

    def get(self, key: str) -> bytes | None:
        """The object's content, or None when there is none."""
        try:
            return (self.root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failure(self.root / key, error, action="read") from error

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with `prefix`, in order of their bytes, behind `after`; the prefix ends at a directory."""
        try:
            for key in _files_below(self.root / prefix, prefix):
                if key > after:
                    yield key
        except OSError as error:
            raise _failure(self.root / prefix, error, action="listed") from error

    def sizes(self, prefix: str, *, after: str = "") -> Iterator[tuple[str, int]]:
        """As `keys`, with the length of each object in bytes."""
        for key in self.keys(prefix, after=after):
            place = self.root / key
            try:
                yield key, place.stat().st_size
            except FileNotFoundError:  # moved since it was listed
                continue
            except OSError as error:
                raise _failure(place, error, action="listed") from error


def _unfinished_name() -> str:
    return f"{_UNFINISHED}-{secrets.token_hex(8)}"


def _files_below(directory: Path, prefix: str) -> Iterator[str]:
    """Keys of a directory's files, without asking the disk about each: 100,000 receipts are listed at every start."""
    try:
        with os.scandir(directory) as entries:
            # Of the file `a-b` and the directory `a`, `a-b` comes first: keys below the directory begin with `a/`, and
            # a hyphen's byte is smaller than a slash's.
            names = sorted(
                f"{entry.name}/" if entry.is_dir() else entry.name
                for entry in entries
                if not entry.name.startswith(".")
            )
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        key = f"{prefix}{name}"
        if name.endswith("/"):
            yield from _files_below(directory / name, key)
        else:
            yield key


def _make_directory(directory: Path) -> None:
    """Make a directory, and bring every name on the way to the disk: a lost parent would take the object with it."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk; without it a power failure could take an object that was counted."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems do it by themselves, and refuse.
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(descriptor)


def _holds_others(root: Path) -> bool:
    return root.is_dir() and any(not path.name.startswith(_UNFINISHED) for path in root.iterdir())


def _failure(place: Path, error: OSError, *, action: str) -> StorageError:
    refusal = f"{place}: cannot be {action}: {error.strerror}."
    if error.errno in _TRANSIENT:
        return TransientStorageError(refusal)
    remedy = _REMEDIES.get(error.errno or 0, f"Mend what the system says {_CONTINUE}")
    return StorageError(f"{refusal} {remedy}")
