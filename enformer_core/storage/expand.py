"""The files or objects that a name stands for: itself, what a pattern matches, or the data files of a directory.

A name that is there is itself, whatever signs it holds. What programs leave beside their data is never data: names that
begin with `.` or `_` (`_temporary/`, `._x.parquet`), and the runs of this program.
"""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

from enformer_core.errors import InputError
from enformer_core.storage.open import Address, parse_address
from enformer_core.storage.patterns import folder_before, is_pattern, matcher
from enformer_core.storage.retry import Retries, RetryingStore, SystemClock
from enformer_core.storage.store import Store
from enformer_core.user_path import user_path

_HIDDEN = (".", "_")

# Beside the data in the folders that Spark, Hail and Dask write; patterns match them, and nobody means them.
_MARKERS = ("_SUCCESS", "_metadata", "_common_metadata", "_committed_", "_started_")

# A run's tables are no input: with --out inside a directory of variants they would be, the second time.
_RUN_FILE = "run.json"
_RUN_SIGN = b'"identity_sha256"'


def expand_name(name: str, *, suffix: str) -> list[str]:
    """The files or objects that a name stands for, in order of their names.

    Args:
        name: a file or an object; a pattern with `*`, `?` or `[...]`, none of which stands for a slash, or with `**`
            for any number of parts; or a directory, or a prefix that is meant as one.
        suffix: what the names below a directory end with.

    Returns:
        Each one's path or address; `name` itself where it is neither pattern nor directory, or a directory without
        such files: whoever opens it will say so.

    Raises:
        InputError: when nothing matches a pattern, or a directory is a run of this program.
        StorageError: when a bucket cannot be listed.
    """
    address = parse_address(name)
    if address is None:
        return [str(path) for path in _expand_path(Path(user_path(name)), suffix)]
    return [str(address.with_key(key)) for key in _expand_key(address, suffix)]


def _expand_path(path: Path, suffix: str) -> Iterator[Path]:
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        files = _data_files(path, suffix)
        yield from files or [path]
    elif is_pattern(str(path)) and not _exists(path):
        for match in _matches(path):
            yield from _expand_path(match, suffix)
    else:
        yield path


def _exists(path: Path) -> bool:
    return os.path.lexists(path)  # likewise


def _data_files(folder: Path, suffix: str) -> list[Path]:
    """Files below a directory that end so, without what is hidden and without runs."""
    if _is_run_folder(folder):
        raise _is_run(str(folder))
    files: list[Path] = []
    for inner, folders, names in os.walk(folder):
        here = Path(inner)
        open_folders = [one for one in folders if not one.startswith(_HIDDEN)]
        # pruned in place: os.walk does not enter what is taken out of its list
        folders[:] = [one for one in open_folders if not _is_run_folder(here / one)]
        for name in names:
            is_data = name.endswith(suffix) and not name.startswith(_HIDDEN)
            if is_data and (here / name).is_file():
                files.append(here / name)
    return sorted(files)


def _is_run_folder(folder: Path) -> bool:
    try:
        return _RUN_SIGN in (folder / _RUN_FILE).read_bytes()
    except OSError:  # as good as always: there is no such file
        return False


def _is_run(name: str) -> InputError:
    return InputError(
        f"{name}: holds a run of this program ({_RUN_FILE}), whose files are no input. Give the files that are meant."
    )


def _matches(pattern: Path) -> list[Path]:
    """What a pattern matches; its first parts that are there by these very names are no pattern."""
    parts = pattern.parts
    literal = 0
    while literal < len(parts) and _exists(Path(*parts[: literal + 1])):
        literal += 1
    root = Path(*parts[:literal])
    rest = PurePath(*parts[literal:])
    text = str(Path(glob.escape(str(root))) / rest)
    found = sorted(Path(match) for match in glob.glob(text, recursive=True))  # noqa: PTH207 - patterns may be absolute
    runs = _runs_around(found, root)
    is_hidden = _hider(rest)
    matches = []
    for match in found:
        is_of_run = not runs.isdisjoint((match, *match.parents))
        if not is_of_run and not is_hidden(match.relative_to(root)):
            matches.append(match)
    if not matches:
        raise _no_match(str(pattern), "file", len(found))
    return matches


def _runs_around(found: Sequence[Path], root: Path) -> set[Path]:
    """Of what was found and the folders around it, below the root, those that are runs."""
    folders = {folder for match in found for folder in (match, *match.parents)}
    # the root is named by the user, and is what it is
    folders.discard(root)
    below = [folder for folder in folders if folder.is_relative_to(root)]
    return set(filter(_is_run_folder, below))


def _no_match(name: str, what: str, left_out: int) -> InputError:
    if left_out:
        return InputError(
            f"{name}: matches hidden names (that begin with . or _) and runs of this program, and no other {what}. "
            "Give the files by name."
        )
    return InputError(f"{name}: no {what} matches this pattern")


def _hider(pattern: PurePath) -> Callable[[PurePath], bool]:
    """Whether a match is hidden, by signs that the pattern itself does not have at the beginning of a name."""
    signs = tuple(
        sign for sign in _HIDDEN if not any(part.startswith(sign) for part in pattern.parts)
    )

    def is_hidden(match: PurePath) -> bool:
        if any(part.startswith(signs) for part in match.parts[:-1]):
            return True
        # a file _my.vcf may well be meant, beside which markers never are
        is_marker = "_" in signs and match.name.startswith(_MARKERS)
        return is_marker or ("." in signs and match.name.startswith("."))

    return is_hidden


def _expand_key(address: Address, suffix: str) -> list[str]:
    bucket = RetryingStore(address.open_bucket(), SystemClock())
    # Asked before the listing: `a/x` is an object more often than a prefix, and one request tells.
    if address.key and _is_object(address):
        return [address.key]
    if is_pattern(address.key):
        return _matching_objects(bucket, address)
    prefix = f"{address.key}/" if address.key else ""
    listed = list(bucket.keys(prefix))
    runs = _runs_among(bucket, listed)
    if PurePosixPath(prefix) in runs:
        raise _is_run(str(address))
    keys = []
    for key in listed:
        if not key.endswith(suffix):
            continue
        is_of_run = not runs.isdisjoint(PurePosixPath(key).parents)
        below = PurePosixPath(key.removeprefix(prefix))
        is_hidden = any(part.startswith(_HIDDEN) for part in below.parts)
        if not is_of_run and not is_hidden:
            keys.append(key)
    return keys or [address.key]


def _matching_objects(bucket: Store, address: Address) -> list[str]:
    pattern = address.key
    folder = folder_before(pattern)
    listed = list(bucket.keys(folder))
    runs = _runs_among(bucket, listed) - {PurePosixPath(folder)}
    is_hidden = _hider(PurePosixPath(pattern.removeprefix(folder)))
    found = list(filter(matcher(pattern), listed))
    keys = []
    for key in found:
        is_of_run = not runs.isdisjoint(PurePosixPath(key).parents)
        below = PurePosixPath(key.removeprefix(folder))
        if not is_of_run and not is_hidden(below):
            keys.append(key)
    if not keys:
        raise _no_match(str(address), "object", len(found))
    return keys


def _runs_among(bucket: Store, keys: Sequence[str]) -> set[PurePosixPath]:
    """Prefixes below which a run lies."""
    names = [PurePosixPath(key) for key in keys if key.endswith(_RUN_FILE)]
    return {
        name.parent
        for name in names
        if name.name == _RUN_FILE and _RUN_SIGN in (bucket.get(str(name)) or b"")
    }


def _is_object(address: Address) -> bool:
    bucket = address.open_bucket()
    stat = Retries(SystemClock()).call(lambda: bucket.stat(address.key))
    return stat is not None
