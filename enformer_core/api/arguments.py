"""What users of the Python interface give, of whatever type, as what the program takes; all else is refused by name."""

import operator
import os
from collections.abc import Iterable

from enformer_core.errors import InputError

TrackChoice = str | int | Iterable[int] | None
"""Tracks: as `--tracks` takes them, or columns as numbers; None for all."""


def text(setting: str, given: object) -> str:
    """A text.

    Raises:
        InputError: for anything else.
    """
    if isinstance(given, str):
        return given
    raise InputError(f"{setting}={given!r}: must be text")


def path(setting: str, given: object) -> str:
    """A path or an address, as text.

    Raises:
        InputError: for what is neither text nor a `pathlib.Path`.
    """
    try:
        return os.fsdecode(os.fspath(given))  # type: ignore[call-overload] # a TypeError is asked for
    except TypeError as error:
        raise InputError(f"{setting}={given!r}: must be a path, as text or pathlib.Path") from error


def optional_path(setting: str, given: object) -> str | None:
    """As `path`, or None for nothing."""
    return None if given is None else path(setting, given)


def whole_number(setting: str, given: object) -> int:
    """A whole number, also NumPy's.

    Raises:
        InputError: for anything else.
    """
    try:
        return operator.index(given)  # type: ignore[arg-type] # a TypeError is asked for
    except TypeError as error:
        raise InputError(f"{setting}={given!r}: must be a whole number") from error


def optional_number(setting: str, given: object) -> int | None:
    """As `whole_number`, or None for nothing."""
    return None if given is None else whole_number(setting, given)


def whole_numbers(setting: str, given: object) -> tuple[int, ...]:
    """Whole numbers; one alone is a list of one.

    Raises:
        InputError: for anything else.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return (whole_number(setting, given),)
    return tuple(whole_number(setting, each) for each in given)


def selector(tracks: object) -> str | None:
    """Tracks as the text that selects them, or None for all.

    Raises:
        InputError: for what is neither text nor whole numbers.
    """
    if tracks is None or isinstance(tracks, str):
        return tracks
    columns = tracks if isinstance(tracks, Iterable) else [tracks]
    return ",".join(
        column if isinstance(column, str) else str(whole_number("tracks", column))
        for column in columns
    )
