"""What a user means by a path. Loads nothing, so that the command line can ask."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enformer_core.errors import InputError

_BEYOND_ASCII = r"\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"

CONTROL_SIGNS = rf"[\x00-\x1f{_BEYOND_ASCII}]"
"""What ends a line, moves a cursor, or turns the direction in which letters stand."""

_CONTROL = re.compile(CONTROL_SIGNS)
_NOT_FOR_TERMINALS = re.compile(rf"[\x00-\x08\x0b-\x1f{_BEYOND_ASCII}]")
_NOT_IN_JSON = re.compile(rf"[{_BEYOND_ASCII}]")


def user_path(name: str) -> str:
    """A path as its user means it: `~/x` and `~name/x` in full, wherever they stand; anything else as it is.

    A shell expands a tilde only at the beginning of a word: neither in `--out=~/x` nor in a TOML file.

    Raises:
        InputError: when the home directory is not known.
    """
    # A file may be called so.
    if not name.startswith("~") or os.path.lexists(name):
        return name
    try:
        return str(Path(name).expanduser())
    except RuntimeError as error:
        raise InputError(f"{name}: {error} Give the whole path.") from error


def file_in_the_way(path: Path) -> Path | None:
    """The part of a path, or all of it, that is a file where a directory must be; None where nothing stands in the way.

    Of `a/b/c`, where `a` is a file, `a`.
    """
    for part in (path, *path.parents):
        try:
            if part.exists():
                return None if part.is_dir() else part
        except OSError:  # a name that is too long; whoever uses it will say so
            return None
    return None


def why_unwritable(path: Path, error: OSError) -> str:
    """Why a file cannot be written, for a message: which part of its path is a file, else the system's reason."""
    file = file_in_the_way(path.parent)
    return error.strerror or str(error) if file is None else f"{file} is a file"


def real_path(path: Path) -> Path:
    """Where a path leads when all links are followed; of links that lead in a circle, as far as they lead.

    `Path.resolve` raises there, before whoever opens the file can say what is wrong.
    """
    return Path(os.path.realpath(path))


def circle_of_links(path: Path) -> OSError:
    """What the system says of links that lead in a circle: a file that takes the name of one opens none of them."""
    return OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


@contextmanager
def named_as_given(path: str | Path | None, given: str | None) -> Iterator[None]:
    """While this lasts, refusals call a file as its user does: of an object's copy the path means nothing to people.

    Args:
        path: from which it is read; None where there is none.
        given: what the user wrote; None for the path itself.

    Raises:
        InputError: the same that the block raises, in other words.
    """
    try:
        yield
    except InputError as error:
        said = str(error)
        if path is None or given is None or str(path) not in said:
            raise
        raise InputError(said.replace(str(path), given)) from error


def one_line(text: str) -> str:
    r"""A text without what would break the line or move a terminal's cursor: a line's end stands there as `\n`."""
    return _CONTROL.sub(_by_number, text)


def for_terminal(text: str) -> str:
    r"""A text whose lines and tabs stay, without what else would move a cursor: an escape stands there as `\x1b`."""
    return _NOT_FOR_TERMINALS.sub(_by_number, text)


def for_json(encoded: str) -> str:
    r"""JSON in which texts have as `\u009b` what its own rules leave as it is, and a terminal would obey.

    Args:
        encoded: what a library made; outside of texts JSON has no such signs.
    """
    return _NOT_IN_JSON.sub(lambda sign: f"\\u{ord(sign[0]):04x}", encoded)


def _by_number(sign: re.Match[str]) -> str:
    return sign[0].encode("unicode_escape").decode()


def readable_name(name: str) -> str:
    r"""A name as text: bytes of it that are no UTF-8 stand there as `\xe9`, as names of Latin-1 have them."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
