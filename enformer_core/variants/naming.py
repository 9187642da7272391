"""Input files by name: globs and directories spelled out, each file given once, and digests of their bytes.

Does not know what is in them.
"""

import glob
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from enformer_core.errors import InputError

_GLOB = set("*?[")


def expand_inputs(paths: Sequence[Path]) -> list[Path]:
    """The files meant, in the order given: a glob's in order of names, a directory's Parquet files likewise.

    Raises:
        InputError: when a glob matches nothing, or a directory holds no Parquet.
    """
    files: list[Path] = []
    for path in paths:
        if _GLOB & set(str(path)) and not path.exists():
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - patterns may be absolute
            if not matches:
                raise InputError(f"{path}: no file matches this pattern")
            files.extend(expand_inputs([Path(match) for match in matches]))
        elif path.is_dir():
            files.extend(_parquet_files(path))
        else:
            files.append(path)
    return files


def _parquet_files(directory: Path) -> list[Path]:
    found = sorted(path for path in directory.rglob("*.parquet") if path.is_file())
    if not found:
        raise InputError(f"{directory}: a directory without Parquet files (*.parquet). Give variant files by name.")
    return found


def input_names(paths: Sequence[Path]) -> list[str]:
    """What each file's rows carry: its name, or the path as given where two share a name.

    Raises:
        InputError: when a file is given twice.
    """
    shared = Counter(path.name for path in paths)
    names = [path.name if shared[path.name] == 1 else str(path) for path in paths]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise InputError(f"{twice[0]}: given twice. Rows are named by file and line, so give each file once.")
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


def input_digests(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Name (as in `input_file`), sha256 and size in bytes of each file.

    Raises:
        InputError: when a file is missing or empty.
    """
    files = expand_inputs(paths)
    digests = []
    for path, name in zip(files, input_names(files), strict=True):
        check_file(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        digests.append({"name": name, "sha256": sha256, "bytes": path.stat().st_size})
    return digests
