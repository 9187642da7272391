"""What a user means by a path. Loads nothing, so that the command line can ask."""

import os
from pathlib import Path

from enformer_core.errors import InputError


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


def readable_name(name: str) -> str:
    r"""A name as text: bytes of it that are no UTF-8 stand there as `\xe9`, as names of Latin-1 have them."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
