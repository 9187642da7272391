"""Whether a file's ending says what is written into it: no spreadsheet opens text that is called a workbook.

Knows names. Writes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.export.text_file import is_packed
from enformer_core.export.whole_file import STDOUT, is_stream
from jobs.log import note

_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")


def ending_of(path: Path) -> str:
    """The ending in small letters, `.csv` of `a.CSV.gz`; empty where there is none."""
    return (Path(path.stem).suffix if is_packed(path) else path.suffix).lower()


def refuse_workbook(option: str, path: Path) -> None:
    """Refuse the name of a workbook, whatever is written.

    Raises:
        InputError: naming the option by which it was given.
    """
    if ending_of(path) in _WORKBOOKS:
        raise InputError(
            f"{option} {path}: no workbooks are written here. Give a name in .csv or .tsv, which spreadsheets open."
        )


def note_ending(option: str, path: Path, written: str, endings: Sequence[str]) -> None:
    """Say where an ending speaks of another format; nothing is said of a stream or a device.

    Args:
        option: by which the file was named.
        path: of the file.
        written: what it will hold, in words.
        endings: that say so.
    """
    ending = ending_of(path)
    if path != STDOUT and ending not in ("", *endings) and not _is_stream(path):
        note(
            f"{option} {path}: is {written}, which {ending} does not say; {' or '.join(endings)} does"
        )


def _is_stream(path: Path) -> bool:
    try:
        return is_stream(path)
    except OSError:  # whoever writes it says what is wrong
        return True
