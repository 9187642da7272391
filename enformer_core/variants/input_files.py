"""Input files by name: globs and directories spelled out, each file given once, and digests of their bytes.

Does not know what is in them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enformer_core.errors import InputError
from enformer_core.storage.open import expand_name


@dataclass(frozen=True)
class InputFile:
    """A file of variants on this machine, and how its user calls it.

    Attributes:
        path: where it is.
        given: the path or address that the user wrote, or that a glob or directory stood for.
    """

    path: Path
    given: str

    @property
    def name(self) -> str:
        """The last part of what was given."""
        return self.given.rsplit("/", 1)[-1]


def expand_inputs(inputs: Sequence[Path | InputFile]) -> list[InputFile]:
    """The files meant, in the order given: a glob's in order of names, a directory's Parquet files likewise.

    Raises:
        InputError: when a glob matches nothing, or a directory holds no Parquet.
    """
    return [
        file for one in inputs for file in ([one] if isinstance(one, InputFile) else _files_of(one))
    ]


def _files_of(path: Path) -> Iterator[InputFile]:
    for name in expand_name(str(path), suffix=".parquet"):
        if Path(name).is_dir():
            raise InputError(
                f"{name}: a directory without Parquet files (*.parquet). Give variant files by name."
            )
        yield InputFile(Path(name), name)


def input_names(files: Sequence[InputFile]) -> list[str]:
    """What each file's rows carry: its name, or what was given where two share a name.

    Raises:
        InputError: when a file is given twice.
    """
    shared = Counter(file.name for file in files)
    names = [file.name if shared[file.name] == 1 else file.given for file in files]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(
            f"{twice[0]}: given twice. Rows are named by file and line, so give each file once."
        )
    return names


def check_file(path: Path) -> None:
    """Refuse what is no file, or an empty one.

    Raises:
        InputError: naming it.
    """
    if path.is_dir():
        raise InputError(f"{path}: a directory. Give the variant files in it by name.")
    if not path.is_file():
        raise InputError(f"{path}: no such variant file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: an empty file (0 bytes). Was it written or copied to its end?")


def input_digests(paths: Sequence[Path | InputFile]) -> list[dict[str, Any]]:
    """Name (as in `input_file`), sha256 and size in bytes of each file.

    Raises:
        InputError: when a file is missing or empty.
    """
    files = expand_inputs(paths)
    digests = []
    for file, name in zip(files, input_names(files), strict=True):
        check_file(file.path)
        with file.path.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        digests.append({"name": name, "sha256": sha256, "bytes": file.path.stat().st_size})
    return digests
