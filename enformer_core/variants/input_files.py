"""Input files by name: globs and directories spelled out, each file given once, and digests of their bytes.

Does not know what is in them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

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
    """Return the files meant, in the order given: a glob's in order of names, a directory's Parquet files likewise.

    Raises:
        InputError: when a glob matches nothing, or a directory holds no Parquet.
    """
    files: list[InputFile] = []
    for given in inputs:
        if isinstance(given, InputFile):
            files.append(given)
        else:
            files.extend(_files_of(given))
    return files


def _files_of(path: Path) -> Iterator[InputFile]:
    for name in expand_name(str(path), suffix=".parquet"):
        if Path(name).is_dir():
            raise InputError(
                f"{name}: a directory without Parquet files (*.parquet). Give variant files by name."
            )
        yield InputFile(Path(name), name)


def input_names(files: Sequence[InputFile]) -> list[str]:
    """Return what each file's rows carry: its name, or what was given where two share a name.

    Raises:
        InputError: when a file is given twice.
    """
    # Files of one name in several directories, chr1/calls.vcf and chr2/calls.vcf, are told apart by what was given.
    files_of_name = Counter(file.name for file in files)
    names = [file.name if files_of_name[file.name] == 1 else file.given for file in files]
    for name, times in Counter(names).items():
        if times > 1:
            raise InputError(
                f"{name}: given twice. Rows are named by file and line, so give each file once."
            )
    return names


def check_file(path: Path) -> None:
    """Refuse what is no file, and a file without a byte.

    Raises:
        InputError: naming it.
    """
    if path.is_dir():
        raise InputError(f"{path}: a directory. Give the variant files in it by name.")
    if not path.is_file():
        raise InputError(f"{path}: no such variant file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: an empty file (0 bytes). Was it written or copied to its end?")


class InputDigest(TypedDict):
    """An input file as a run's identity tells it.

    Attributes:
        name: as in the column `input_file`.
        sha256: of the file as it is, packed or not.
        bytes: its size.
    """

    name: str
    sha256: str
    bytes: int


def input_digests(paths: Sequence[Path | InputFile]) -> list[InputDigest]:
    """Read each file through for its digest.

    Raises:
        InputError: when a file is missing or empty.
    """
    files = expand_inputs(paths)
    digests: list[InputDigest] = []
    for file, name in zip(files, input_names(files), strict=True):
        check_file(file.path)
        with file.path.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        size_bytes = file.path.stat().st_size
        digests.append({"name": name, "sha256": sha256, "bytes": size_bytes})
    return digests
