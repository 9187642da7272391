"""The ways in which a run can refuse to go on; every message names the item, both values and the remedy."""

import difflib
from collections.abc import Iterable, Sequence


class InputError(Exception):
    """What the user gave cannot be used: a file, a name, a setting (exit code 2)."""


class DatasetError(Exception):
    """What lies in the output directory is not what this run wrote, or has been damaged since (exit code 2)."""


class IncompleteRunError(DatasetError):
    """A run that goes on, of which something is asked that only a finished one has (exit code 5)."""


class StorageError(Exception):
    """Storage, disk or credentials are at fault: what is committed stays, the same command continues (exit code 5)."""


class TransientStorageError(StorageError):
    """Storage that may work at the next attempt: overload, a broken connection, two writers at the same moment."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: what was perhaps meant, in any case, or all that there is."""
    names = list(known)
    by_letters: dict[str, list[str]] = {}
    for each in names:
        by_letters.setdefault(each.casefold(), []).append(each)
    close = difflib.get_close_matches(name.casefold(), by_letters, n=3, cutoff=0.5)
    if close:
        meant = [each for letters in close for each in by_letters[letters]]
        return f"; did you mean {' or '.join(meant[:3])}?"
    return f"; known are {', '.join(names)}"


def first_few(names: Sequence[str], count: int = 5) -> str:
    """The first of many names, for a message: `chr1, chr2, chr3, chr4, chr5 and 20 more`."""
    shown = ", ".join(names[:count])
    more = len(names) - count
    return f"{shown} and {more} more" if more > 0 else shown
