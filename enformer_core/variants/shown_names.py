"""How messages call a file of variants: as its user does, in one line, whatever place on this machine it is read from.

What is piped in, and what lies on object storage, is read from a copy, whose path means nothing to the user.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.user_path import one_line

STDIN = "-"
"""The name that means standard input."""

SPOOLED_STDIN = "standard-input"
"""The name of the file that holds what came by it."""

_IN_WORDS = "standard input"


def shown_name(name: str) -> str:
    """What rows carry as `input_file`, for a message."""
    return _IN_WORDS if name == STDIN else one_line(name)


@contextmanager
def as_given(path: Path, given: str | None) -> Iterator[None]:
    """While this lasts, refusals name the file as its user does.

    Args:
        path: from which it is read.
        given: what the user wrote; the path by default.

    Raises:
        InputError: the same that the block raises, in other words.
    """
    try:
        yield
    except InputError as error:
        said = str(error)
        called = said.replace(str(path), shown_name(given or str(path)))
        if given == STDIN:
            # remedies name the file by its last part: unzip FILE
            called = called.replace(SPOOLED_STDIN, "FILE")
        if called == said:
            raise
        raise InputError(called) from error
