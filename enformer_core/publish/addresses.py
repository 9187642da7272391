"""Places of files as Iceberg's metadata names them, which its readers take letter by letter.

Nothing is percent-encoded there: readers look for a file that is called so. And they take an address apart as that of a
web page: `#` and `?` end its path, and ends of lines and tabs are dropped, so that they look for another file. Knows
names of places. Does not know what lies there.
"""

import os
import re
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.storage.open import parse_address
from enformer_core.user_path import one_line, readable_name

ON_DISK = "file://"

_LOST = re.compile(r"[#?\x00-\x1f]")


def address_of_place(name: str) -> str:
    """Where every reader finds a folder: `s3://…`, or `file://` and its whole path; no slash at the end.

    Links are followed, unless they lead to a path that no reader finds: then the link is the name.

    Args:
        name: as its user gave it; an address of this form stays as it is.

    Raises:
        InputError: for a path that readers take for another one.
    """
    addresses = addresses_of_place(name)
    for address in addresses:
        if _is_readable(address):
            return address
    shown = one_line(readable_name(name))
    advice = (
        "Give it a further name and publish by that: ln -s OLD NEW, where NEW has no such signs in its whole path."
        if addresses[0].startswith(ON_DISK)
        else "Copy it to a prefix without these signs."
    )
    raise InputError(
        f"{shown}: readers of Iceberg tables find no file in whose path is '#', '?', a tab, an end of a line, or what "
        f"is no UTF-8; nothing was written. {advice}"
    )


def addresses_of_place(name: str) -> list[str]:
    """What a folder may be called by in metadata, whoever can read that: all links followed, or none."""
    if name.startswith(ON_DISK) or parse_address(name) is not None:
        return [name.rstrip("/")]
    paths = (Path(name).resolve(), Path(os.path.abspath(name)))  # noqa: PTH100 - of links as they are
    return [f"{ON_DISK}{path}" for path in paths]


def _is_readable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return _LOST.search(text) is None
