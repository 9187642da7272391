"""Whether words given to options can be what they should be, where the parser of the command line would let them by.

Looks at words, before any is converted, whether they come from the command line or from a TOML file.
"""

import re
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import get_args

from cyclopts import Argument

from enformer_core.errors import InputError
from enformer_core.user_path import readable_name
from jobs.option_types import holds_paths

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")

_NEARLY_WHOLE = re.compile(r"[+-]?[\d.]")

_NO_NUMBER = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)

_TRUTHS = ("True", "False")

_MOST = 10**12
"""No genome has so many bases, no run so many rows; and what is worked out from it fits into 64 bits."""

_LARGEST_SEED = 2**63 - 1


def check_words(options: Iterable[Argument]) -> None:
    """Refuse words that no option can mean.

    Raises:
        InputError: naming the option and the word.
    """
    for option in options:
        _check_text(option)
        kinds = set(get_args(option.hint) or (option.hint,)) - {NoneType, Ellipsis}
        if kinds == {int}:
            _check_whole_numbers(option)
        elif kinds == {float}:
            _check_finite(option)


def _check_text(option: Argument) -> None:
    """Names of files are bytes, which Linux leaves to their users; all else is text, and is stored as such."""
    if holds_paths(option.parameter):
        return
    for word in _words(option):
        try:
            word.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"{option.name} {readable_name(word)}: is not UTF-8, as text must be. Does the "
                "terminal, or the script, write Latin-1?"
            ) from None


def _check_whole_numbers(option: Argument) -> None:
    """Cyclopts takes 2.5 for 2, and 0x10 for 16; what is no number at all it refuses itself."""
    is_seed = option.name.endswith("seed")
    most = _LARGEST_SEED if is_seed else _MOST
    for word in _numbers(option):
        # true and false of a TOML file are numbers to Python
        if not _NEARLY_WHOLE.match(word) and word not in _TRUTHS:
            continue
        if not _WHOLE_NUMBER.fullmatch(word):
            raise InputError(f"{option.name} {word}: must be a whole number")
        # Python itself refuses to read a number of thousands of digits
        if len(word) > len(str(most)) + 1 or abs(int(word)) > most:
            raise InputError(f"{option.name} {word}: is too large. The most is {most:,}")
        # what draws takes none below, and some would only find out among workers
        if is_seed and int(word) < 0:
            raise InputError(f"{option.name} {word}: must be at least 0")


def _check_finite(option: Argument) -> None:
    """Python reads nan and inf as numbers; no setting means them, and JSON has neither."""
    for word in _numbers(option):
        if _NO_NUMBER.fullmatch(word):
            raise InputError(f"{option.name} {word}: must be a number")


def _words(option: Argument) -> Iterator[str]:
    for token in option.tokens:
        yield token.value


def _numbers(option: Argument) -> Iterator[str]:
    """Each number by itself: `--shifts -1,0` has two."""
    for word in _words(option):
        pieces = (piece.strip() for piece in word.split(","))
        yield from filter(None, pieces)
