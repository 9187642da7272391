"""Contributions as tfmodisco-lite reads them: `ohe.npz` and `shap.npz`, each with an array of shape (n, 4, length).

modisco motifs -s DIR/ohe.npz -a DIR/shap.npz -n 2000 -w 2000 -o modisco.h5
"""

import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int8
from numpy.lib import format as npy

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError, first_few
from enformer_core.export.contribution_rows import (
    ContributionRow,
    contribution_rows,
)
from enformer_core.export.file_names import FileNames
from enformer_core.export.whole_file import whole_file
from enformer_core.user_path import one_line
from enformer_core.words import counted

# what NumPy calls an array that was saved without a name
_ARRAY = "arr_0.npy"

_FILES = "ohe.npz, shap.npz and windows.tsv"

_HEADER = "row\ttarget\tallele\tchrom\tstart\tend\tgroup\ttarget_start\ttarget_end\n"


def export_npz(ledger: Ledger, path: Path) -> int:
    """Write the sequences as one-hot letters, and the hypothetical contributions, into a directory.

    A run of several groups has a folder for each. `windows.tsv` says which row is what. Where the run has no
    hypothetical contributions, each base's own stands at its letter, and 0 at the others.

    Returns:
        How many rows there are.

    Raises:
        InputError: for a run of another kind, or where nothing can be written.
    """
    # read twice: a .npy says in its first bytes how many rows will follow
    counts = Counter(row.group for row in contribution_rows(ledger))
    if not counts:
        raise InputError(f"{ledger.store.location}: no target has contributions yet")
    window_bp = next(contribution_rows(ledger)).codes.size
    folders = _folders(ledger)
    with ExitStack() as files:
        writers = {}
        for group, rows in counts.items():
            opened = _writer(path / folders[group], (rows, 4, window_bp))
            writers[group] = files.enter_context(opened)
        for row in contribution_rows(ledger):
            writers[row.group].write(row)
    return counts.total()


def npz_written(ledger: Ledger, rows: int) -> str:
    """What was written of a run, and in which folders where it has several groups."""
    folders = list(_folders(ledger).values())
    if len(folders) == 1:
        return f"{counted(rows, 'rows')} of {_FILES}"
    return f"{counted(rows, 'rows')}, {_FILES} in each of the folders {first_few(folders)}"


def _folders(ledger: Ledger) -> dict[str, str]:
    """The folder of each group, in the directory that was named; of one group there is none."""
    groups: Any = ledger.run.identity["groups"]
    if len(groups) == 1:
        return {groups[0]["name"]: ""}
    names = FileNames()
    return {group["name"]: names.of(group["name"]) for group in groups}


def npz_caution(ledger: Ledger) -> str | None:
    """What a user should know of the arrays before motifs are looked for in them; None where there is nothing."""
    if ledger.run.identity.get("hypothetical"):
        return None
    return (
        "tfmodisco-lite wants hypothetical contributions, of all four letters at every base; this run kept those of "
        "the letters that are there alone, and the others are 0. For motifs, attribute with --hypothetical"
    )


@runtime_checkable
class _Stream(Protocol):
    """What takes bytes; a member of a zip archive has little else of a file."""

    def write(self, data: bytes, /) -> int: ...


class _Writer:
    """The three files of one group, written row after row."""

    def __init__(self, letters: _Stream, contributions: _Stream, windows: _Stream) -> None:
        self._letters = letters
        self._contributions = contributions
        self._windows = windows
        self._rows = 0
        windows.write(_HEADER.encode())

    def write(self, row: ContributionRow) -> None:
        """Add a row to each of the three."""
        letters = _one_hot(row)
        contributions = row.hypothetical
        if contributions is None:
            # 0 but at the letter that is there
            contributions = (letters * row.values).astype(np.float32)
        end = row.start + row.codes.size
        window = (row.contig, row.start, end)
        target = (row.group, row.target_start, row.target_end)
        cells = (self._rows, row.target, row.allele, *window, *target)
        line = "\t".join(one_line(str(cell)) for cell in cells)
        self._letters.write(letters.tobytes())
        self._contributions.write(contributions.tobytes())
        self._windows.write(f"{line}\n".encode())
        self._rows += 1


def _one_hot(row: ContributionRow) -> Int8[np.ndarray, "4 length"]:
    """Rows A, C, G, T; N is 0 in all of them."""
    # the code of N is 4, which no row has
    of_rows = np.arange(4)[:, None]
    is_letter = row.codes == of_rows
    return is_letter.astype(np.int8)


@contextmanager
def _writer(folder: Path, shape: tuple[int, int, int]) -> Iterator[_Writer]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from error
    with (
        whole_file(folder / "ohe.npz") as letters,
        whole_file(folder / "shap.npz") as contributions,
        whole_file(folder / "windows.tsv") as windows,
        _array(letters, np.dtype(np.int8), shape) as letters_array,
        _array(contributions, np.dtype(np.float32), shape) as contributions_array,
    ):
        yield _Writer(letters_array, contributions_array, windows)


@contextmanager
def _array(
    file: IO[bytes],
    kind: np.dtype[Any],
    shape: tuple[int, int, int],
) -> Iterator[_Stream]:
    """A `.npz` of one array, whose rows are written one by one: a thousand windows would be 3 GB in memory."""
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(_ARRAY, "w", force_zip64=True) as array,
    ):
        # np.save would want the whole array
        header = {
            "descr": npy.dtype_to_descr(kind),
            "fortran_order": False,
            "shape": shape,
        }
        npy.write_array_header_1_0(array, header)
        yield array
