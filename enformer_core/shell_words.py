"""Command lines as a shell takes them, each in one line whatever its words hold."""

import shlex
from collections.abc import Iterable

from enformer_core.user_path import one_line, readable_name

_SPECIAL = frozenset('"$`\\!')
"""What means something to a shell between double quotes."""


def command_line(words: Iterable[str]) -> str:
    r"""The words of a command, quoted where they must be; one with a line's end as bash writes it: $'a\nb'."""
    return " ".join(map(shell_word, words))


def shell_word(word: str) -> str:
    """One word, quoted where it must be."""
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    # bytes of a file's name that are no UTF-8 too: $'caf\xe9'
    in_one_line = one_line(readable_name(escaped))
    if in_one_line != escaped:
        return f"$'{in_one_line}'"
    # SQL has apostrophes, which in double quotes are read more easily than each in quotes of its own
    if "'" in word and not _SPECIAL.intersection(word):
        return f'"{word}"'
    return shlex.quote(word)
