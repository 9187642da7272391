"""Files that appear under their name when they are whole, or not at all; streams are written to as they are."""

import io
import secrets
import stat
import sys
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from enformer_core.errors import InputError
from enformer_core.user_path import circle_of_links, for_terminal, why_unwritable

STDOUT = Path("-")
"""The name that means standard output."""

_MEMORY = Path("/dev/shm")  # noqa: S108 - the one folder of devices that has files
_SYSTEM = (Path("/dev"), Path("/proc"))

_MOST_LINKS = 40
"""As many as Linux follows; names of links in a circle may differ each time, as `x/../x/link`."""


class ReaderLeftError(Exception):
    """Who reads a pipe had enough, as `head` has: nothing failed, and not all of it was written."""


@contextmanager
def whole_file(
    path: Path,
    *,
    may_replace: bool = True,
    is_painted: bool = False,
) -> Iterator[IO[bytes]]:
    """Open a file beside `path` that takes its name when the block ends well, and is gone when it does not.

    `-` is standard output. That, and what is there and is no file, such as a device or a pipe, is written to as it
    is, until its reader leaves; a terminal is given signs that it would obey as text. Of a link it is the file behind
    that is written anew; the link stays.

    Args:
        path: where it belongs.
        may_replace: whether a file that is there, perhaps since a moment ago, gives way.
        is_painted: whether what is written has colours for terminals, and no text of others in it.

    Raises:
        InputError: when it cannot be written, or must not give way and is there.
        ReaderLeftError: when the reader of a pipe left before the end.
    """
    try:
        target = _behind_links(path)
        if path == STDOUT:
            yield from _standard_output(is_painted=is_painted)
        elif is_stream(path):
            # at its end: what a shell has opened as /dev/stdout may hold something already
            with target.open("ab" if _is_system(target) else "wb") as stream:
                yield from _escaped(stream, is_painted=is_painted)
        else:
            yield from _put(target, may_replace=may_replace)
    except BrokenPipeError as error:
        raise ReaderLeftError(path) from error
    except OSError as error:
        if isinstance(error, FileExistsError) and not may_replace:
            raise InputError(
                f"{path}: is there already: it was made meanwhile. Remove it, or give another name."
            ) from error
        name = "standard output" if path == STDOUT else path
        raise InputError(f"{name}: cannot be written: {why_unwritable(path, error)}") from error


def is_stream(path: Path) -> bool:
    """Whether it is standard output, a device or a pipe, which is written to as it is and takes no other name.

    Raises:
        OSError: for links that lead in a circle.
    """
    target = _behind_links(path)
    return path == STDOUT or _is_system(target) or (target.exists() and not target.is_file())


def replaces(path: Path) -> bool:
    """Whether `whole_file` puts another file in the place of one that is there; what it cannot write it says itself."""
    try:
        target = _behind_links(path)
    except OSError:  # links that lead in a circle
        return False
    return path != STDOUT and not _is_system(target) and target.is_file()


class _ForTerminal(io.BufferedIOBase):
    """Text of which a terminal obeys no sign but ends of lines and tabs; what is no UTF-8 stands there by number."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        # letters may be cut in two between two pieces
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")

    def isatty(self) -> bool:
        """It is, always: what is no text is of no use here."""
        return True

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, piece: Any, /) -> int:
        """Show a piece.

        Returns:
            How many bytes it has.
        """
        content = bytes(piece)
        self._stream.write(for_terminal(self._decoder.decode(content)).encode())
        return len(content)

    def flush(self) -> None:
        """Show what was written so far."""
        self._stream.flush()


def _escaped(stream: IO[bytes], *, is_painted: bool) -> Iterator[IO[bytes]]:
    if is_painted or not stream.isatty():
        yield stream
        return
    yield cast("IO[bytes]", _ForTerminal(stream))
    stream.flush()


def _standard_output(*, is_painted: bool) -> Iterator[IO[bytes]]:
    """The process's own stream, however the shell has led it; nothing is opened, closed or renamed."""
    stream: IO[bytes] | None = getattr(sys.stdout, "buffer", None)
    if stream is None:
        raise InputError("standard output: is closed. Name a file.")
    sys.stdout.flush()  # in the order in which it was written
    yield from _escaped(stream, is_painted=is_painted)
    stream.flush()


def _put(target: Path, *, may_replace: bool) -> Iterator[IO[bytes]]:
    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        # By `open`, which gives a new file the rights that the user's umask leaves.
        with scratch.open("xb") as out:
            yield out
        if not may_replace:
            _named_once(scratch, target)
            return
        if target.exists():
            scratch.chmod(stat.S_IMODE(target.stat().st_mode))
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def _named_once(scratch: Path, target: Path) -> None:
    """Give a file its name, unless another has it.

    Raises:
        FileExistsError: where one has.
    """
    try:
        # unlike a rename, it never takes the place of a file
        target.hardlink_to(scratch)
    except FileExistsError:
        raise
    except OSError:
        # a file system without hard links: who makes the empty file has the name
        target.touch(exist_ok=False)
        scratch.replace(target)


def _behind_links(path: Path) -> Path:
    """Where a chain of links leads; one that leads to a device ends there, wherever that itself may lead.

    Raises:
        OSError: for links that lead in a circle.
    """
    place = path
    for _ in range(_MOST_LINKS):
        if not place.is_symlink() or _is_system(place):
            return place
        place = place.parent / place.readlink()
    raise circle_of_links(path)


def _is_system(path: Path) -> bool:
    """Whether it lies where the system keeps devices and descriptors, of which nothing may be replaced."""
    place = path.absolute()
    return not place.is_relative_to(_MEMORY) and any(map(place.is_relative_to, _SYSTEM))
