"""How wide standard output and standard error are where they are terminals, and sentences that are broken to fit there.

What goes to a file or a pipe is written whole, a line a line. Knows letters and columns. Does not know what is said.
"""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable

_INDENT = "  "

# What stands before a line's sentence, as in `audit    sad: …`: more lines of it begin below its first word.
_LABEL = re.compile(r"\S+ {2,}")


def terminal_columns() -> int | None:
    """How many letters fit in a line of standard output; None where it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def error_columns() -> int | None:
    """How many letters fit in a line of standard error; None where it is no terminal."""
    if not sys.stderr.isatty():
        return None
    if "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    # standard output, which `shutil` asks where nothing is set, may be a file beside it
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or None
    except OSError:  # a terminal that does not know
        return shutil.get_terminal_size().columns


def print_prose(lines: Iterable[str]) -> None:
    """Print lines of words; on a terminal those that are too long are broken between words and indented."""
    room = terminal_columns()
    for line in lines:
        print(line if room is None else broken(line, room))


def broken(line: str, room: int) -> str:
    """A line of words, broken between them where it has more than `room` letters; a word stays whole, however long."""
    label = _LABEL.match(line)
    indent = " " * len(label[0]) if label else _INDENT
    # neither a path nor a word that is longer than the terminal is wide may be changed by being cut
    broken = textwrap.wrap(
        line,
        room,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return "\n".join(broken) if len(line) > room else line
