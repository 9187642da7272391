"""Whole numbers as files and people write them. Loads nothing, so that the command line can ask."""

import re

_DIGITS = re.compile(r"\s*[+-]?[0-9]{1,18}\s*", re.ASCII)
"""Of 19 digits some do not fit into 64 bits."""


def whole_number(text: str) -> int:
    """The number that a text is, in the digits 0 to 9.

    Python would take `1_000` for a thousand, and digits of other scripts, which no other program reads so.

    Raises:
        ValueError: for anything else.
    """
    if not _DIGITS.fullmatch(text):
        raise ValueError(f"{text!r} is no whole number of up to 18 digits")
    return int(text)
