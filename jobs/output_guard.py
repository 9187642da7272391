"""What no output may take the place of: objects of runs, what a run was made of, whatever a command itself reads.

`check_written` is asked for every command before it begins, by what its options say that they write. `check_output`
is asked by those that open a run, whose record tells more. Knows names and what `run.json` says. Does not know what is
written.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from enformer_core.dataset.keys import RUN_KEY
from enformer_core.errors import InputError
from enformer_core.export.whole_file import STDOUT, is_stream
from enformer_core.storage.open import parse_address
from enformer_core.user_path import real_path, user_path
from jobs.option_types import written_options

if TYPE_CHECKING:
    from enformer_core.dataset.codec import JsonObject
    from enformer_core.dataset.ledger import Ledger

_REMEDY = "Give another name."
_OWN = "out"
"""The setting that names the run itself."""

_RUNS_MARK = b'"identity_sha256"'
"""In each `run.json` of this program: other programs have files of that name."""


def check_written(settings: Any) -> None:
    """Refuse an output that lies in a run, or is a file that any other option of the same command names.

    Args:
        settings: of a command; hints such as `WrittenFile` say what it writes, and all other texts may be files.

    Raises:
        InputError: naming the output, and what it would take the place of.
    """
    outputs = written_options(type(settings))
    # a run's own directory may be there: the same command continues it
    if not outputs or getattr(settings, "makes_run", False):
        return
    given = vars(settings)
    others = [text for name in given if name not in outputs for text in _texts(given[name])]
    for name in outputs:
        output = given[name]
        if output is not None and parse_address(output) is None:
            _check_written(Path(output), others)


def _check_written(file: Path, others: Iterable[str]) -> None:
    if _is_stream(file):
        return
    called = {real_path(Path(text)): text for text in others if _is_name(text)}
    _refuse_inside_runs(file, called)
    if not file.is_file():
        return
    for place, text in called.items():
        # `g=table.tsv` is a table under a name
        for named in (place, Path(text.partition("=")[2])):
            if _are_one(file, named):
                shown = text if named == place else named
                raise InputError(f"{file}: is {shown}, which is read for it. {_REMEDY}")


def _is_name(text: str) -> bool:
    """Whether a file of this machine may be called so."""
    try:
        return bool(text) and "\0" not in text and parse_address(text) is None
    except InputError:  # a slip in an address
        return False


def _is_stream(file: Path) -> bool:
    try:
        return file == STDOUT or (is_stream(file) and not file.is_dir())
    except OSError:  # whoever writes it says what is wrong
        return True


def check_output(
    file: Path,
    ledger: "Ledger",
    read: Iterable[Path] = (),
) -> None:
    """Refuse a file or directory that would lie in a run, or take the place of what somebody reads.

    Args:
        file: to be written; standard output, devices and pipes take nothing's place.
        ledger: of the run that is read.
        read: other files that are read for it.

    Raises:
        InputError: naming both.
    """
    if _is_stream(file):
        return
    own = ledger.store.location
    _refuse_inside_runs(file, {} if parse_address(own) else {real_path(Path(own)): own})
    if not file.is_file():
        return
    for other in read:
        if _are_one(file, other):
            raise InputError(f"{file}: is {other}, which is read for it. {_REMEDY}")
    location = ledger.store.location
    for setting, name in _names(ledger.run.configuration):
        if any(_are_one(file, place) for place in _places(name, location)):
            option = setting.replace("_", "-")
            raise InputError(
                f"{file}: is {name}, which the run {location} read ({option}). {_REMEDY}"
            )
    scored = _scored(file, ledger.run.identity)
    if scored is not None:
        raise InputError(
            f"{file}: is {scored}, byte for byte, which the run {location} read. {_REMEDY}"
        )


def _refuse_inside_runs(file: Path, called: Mapping[Path, str]) -> None:
    """Refuse a place in any run; `called` says how the user calls some."""
    place = real_path(file)
    for folder in (place, *place.parents):
        if _is_run(folder):
            raise InputError(
                f"{file}: lies in the run {called.get(folder, folder)}. Give a place beside it."
            )


def _is_run(folder: Path) -> bool:
    try:
        return _RUNS_MARK in (folder / RUN_KEY).read_bytes()
    except OSError:
        return False


def _scored(file: Path, identity: "JsonObject") -> str | None:
    """What a run's identity calls a file of these bytes, wherever it was then; None where it has none."""
    size = file.stat().st_size
    of_size = [each for each in _digests(identity) if each["bytes"] == size]
    if not of_size:
        return None
    # read through only where a length is the same, which hardly ever is by chance
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return next((str(each["name"]) for each in of_size if each["sha256"] == digest), None)


def _digests(value: object) -> "Iterator[JsonObject]":
    """Each name, length and digest of a file that an identity holds, however deep."""
    if isinstance(value, dict):
        if {"name", "bytes", "sha256"} <= value.keys():
            yield value
        yield from _digests([*value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _digests(item)


def _names(settings: "JsonObject") -> Iterator[tuple[str, str]]:
    """Every text of a run's settings, be it a file's name or not, with the setting that it is of."""
    for setting, value in settings.items():
        if setting != _OWN:
            yield from ((setting, text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _places(name: str, run: str) -> Iterator[Path]:
    """Where a relative name leads: from here, and from the folder of the run, where its command was often given."""
    try:
        path = Path(user_path(name))
    except InputError:
        return
    yield path
    yield Path(run).parent / path


def _are_one(file: Path, other: Path) -> bool:
    try:
        return file.samefile(other)
    except (OSError, ValueError):  # no file of this name, or no name of a file
        return False
