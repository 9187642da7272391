"""The file of a picture: its kind known before anything is read, and there when it is whole."""

from pathlib import Path
from typing import TYPE_CHECKING

from enformer_core.errors import InputError

if TYPE_CHECKING:
    from enformer_core.pictures.picture import Picture

_SUFFIXES = (".png", ".svg", ".html")


def check_picture_name(name: str) -> None:
    """Refuse a name that says no kind of picture, before anything is read.

    Raises:
        InputError: for such a name, an address, and a folder that is not there.
    """
    if "://" in name:
        raise InputError(f"--out {name}: is written to a file of this machine; give a path")
    path = Path(name)
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"--out {name}: pictures are written as .png, .svg or .html; name one")
    if not path.parent.is_dir():
        raise InputError(f"--out {name}: there is no directory {path.parent}")


def save_picture(picture: "Picture", name: str) -> None:
    """Write a picture, and say what it shows and what it leaves out.

    Raises:
        InputError: where it cannot be written.
    """
    from enformer_core.export.whole_file import replaces, whole_file
    from enformer_core.pictures.write import picture_bytes, picture_suffix
    from jobs.log import note, tell

    path = Path(name)
    instead = " (replaced the file that was there)" if replaces(path) else ""
    for text in (*picture.notes, *picture.hints):
        note(text)
    content = picture_bytes(picture, picture_suffix(name))
    with whole_file(path) as file:
        file.write(content)
    tell("picture", f"{picture.title}, in {name}{instead}", prefix="plot")
