"""Input files by name: globs and directories spelled out, each file given once, and digests of their bytes.

What can be read only once (`-`, a pipe) is written to a file first: inputs are read several times. Does not know what
is in them.
"""

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypedDict
from weakref import WeakKeyDictionary

from enformer_core.errors import InputError
from enformer_core.storage.expand import expand_name
from enformer_core.user_path import one_line, readable_name, real_path
from enformer_core.variants.shown_names import SPOOLED_STDIN, STDIN, as_given, shown_name

_SPOOL_BYTES = 1 << 20

_KEPT_STDIN: WeakKeyDictionary[TextIO, Path] = WeakKeyDictionary()
"""Where what came by standard input is kept: it comes only once."""


@dataclass(frozen=True)
class InputFile:
    r"""A file of variants on this machine, and how its user calls it.

    Attributes:
        path: where it is.
        given: the path or address that the user wrote, or that a glob or directory stood for, as text: bytes of a name
            that are no UTF-8 stand there as `\xe9`.
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
    if str(path) == STDIN:
        yield _spooled_stdin()
        return
    for name in expand_name(str(path), suffix=".parquet"):
        found = Path(name)
        if os.path.isdir(found):  # noqa: PTH112 - Path.is_dir raises where a name is too long
            raise InputError(
                f"{name}: a directory without Parquet files (*.parquet; names that begin with . or _ and runs of this "
                "program do not count). Give variant files by name."
            )
        given = readable_name(name)
        # `<(zcat x.vcf.gz)` and /dev/stdin
        yield InputFile(_spooled_pipe(found) if _is_pipe(found) else found, given)


def _is_pipe(path: Path) -> bool:
    try:
        return path.is_fifo() or path.is_char_device()
    except OSError:  # whoever opens it will say so
        return False


def _spooled_stdin() -> InputFile:
    stream = sys.stdin
    if stream is None or stream.closed:
        raise InputError(
            f"{STDIN}: standard input is closed. Pipe the variants in, or name a file."
        )
    if stream.isatty():
        raise InputError(
            f"{STDIN}: standard input is a terminal. Pipe the variants in (zcat x.vcf.gz | enformer-ray … -), or name "
            f"a file; a file of this name is ./{STDIN}"
        )
    # given twice it is the same file, which whoever compares names will say
    if stream not in _KEPT_STDIN:
        _KEPT_STDIN[stream] = _spooled(stream.buffer.read, SPOOLED_STDIN, shown_name(STDIN))
    return InputFile(_KEPT_STDIN[stream], STDIN)


def _spooled_pipe(path: Path) -> Path:
    try:
        with path.open("rb") as stream:
            return _spooled(stream.read, path.name, one_line(str(path)))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _spooled(
    read: Callable[[int], bytes],
    name: str,
    shown: str,
) -> Path:
    """What comes through a pipe, as a file that lasts as long as this process.

    Args:
        read: gives so many bytes of it, or fewer; none at its end.
        name: of the file.
        shown: what messages call the pipe.

    Raises:
        InputError: where nothing comes, or what comes has no place.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="enformer-ray-input-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / name
        with path.open("wb") as file:
            while piece := read(_SPOOL_BYTES):
                file.write(piece)
    except OSError as error:
        raise InputError(
            f"{shown}: what was piped in cannot be kept in {tempfile.gettempdir()}: {error.strerror}. "
            "Give a roomier place by TMPDIR, or write it to a file and name that."
        ) from error
    if not path.stat().st_size:
        raise InputError(
            f"{shown}: nothing came by it (0 bytes). Did the command that should write it fail?"
        )
    return path


def input_names(files: Sequence[InputFile]) -> list[str]:
    """Return what each file's rows carry: its name, or what was given where two share a name.

    Raises:
        InputError: when a file is given twice, by the same name or by two.
    """
    # Files of one name in several directories, chr1/calls.vcf and chr2/calls.vcf, are told apart by what was given.
    files_of_name = Counter(file.name for file in files)
    names = [file.name if files_of_name[file.name] == 1 else file.given for file in files]
    earlier: dict[Path, str] = {}
    for file in files:
        # links are followed: rows of one file under two names would be scored and counted twice
        place = real_path(file.path)
        if place in earlier:
            raise _given_twice(file.given, earlier[place])
        earlier[place] = file.given
    for name, times in Counter(names).items():
        if times > 1:
            raise _given_twice(name, name)
    return names


def _given_twice(name: str, before: str) -> InputError:
    as_what = "" if name == before else f", before as {before}"
    return InputError(
        f"{name}: given twice{as_what}. Rows are named by file and line, so give each file once."
    )


def check_file(
    path: Path,
    what: str = "variant file",
    remedy: str = "",
) -> None:
    """Refuse what is no file, and a file without a byte.

    Args:
        path: as it was given.
        what: kind of file it should be.
        remedy: what else could be given, where there is none.

    Raises:
        InputError: naming it.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: a directory. Give the {what}s in it by name.")
        if not path.is_file():
            raise InputError(f"{path}: {_what_is_missing(path, what)}{remedy}")
        size_bytes = path.stat().st_size
    except OSError as error:  # a name that is too long, a directory that may not be looked into
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if size_bytes == 0:
        raise InputError(f"{path}: an empty file (0 bytes). Was it written or copied to its end?")


def _what_is_missing(path: Path, what: str) -> str:
    if not path.is_symlink():
        return f"no such {what}"
    return f"a link to {path.readlink()}, where there is no file"


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
        with as_given(file.path, file.given):
            check_file(file.path)
        with file.path.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        size_bytes = file.path.stat().st_size
        digests.append({"name": name, "sha256": sha256, "bytes": size_bytes})
    return digests
