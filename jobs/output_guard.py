"""What no output may take the place of: objects of runs, what a run was made of, tables that a query reads.

Knows names and what `run.json` says. Does not know what is written.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from enformer_core.dataset.codec import JsonObject
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.whole_file import STDOUT, is_stream
from enformer_core.storage.open import parse_address
from enformer_core.user_path import real_path, user_path

_REMEDY = "Give another name."
_OWN = "out"
"""The setting that names the run itself."""

_RUNS_MARK = b'"identity_sha256"'
"""In each `run.json` of this program: other programs have files of that name."""


def check_output(
    file: Path,
    ledger: Ledger,
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
    try:
        if file == STDOUT or (is_stream(file) and not file.is_dir()):
            return
    except OSError:  # whoever writes it says what is wrong
        return
    _refuse_inside_runs(file, ledger.store.location)
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


def _refuse_inside_runs(file: Path, own: str) -> None:
    place = real_path(file)
    own_place = None if parse_address(own) else real_path(Path(own))
    for folder in (place, *place.parents):
        if folder == own_place or _is_run(folder):
            raise InputError(
                f"{file}: lies in the run {own if folder == own_place else folder}. Give a place beside it."
            )


def _is_run(folder: Path) -> bool:
    try:
        return _RUNS_MARK in (folder / RUN_KEY).read_bytes()
    except OSError:
        return False


def _scored(file: Path, identity: JsonObject) -> str | None:
    """What a run's identity calls a file of these bytes, wherever it was then; None where it has none."""
    size = file.stat().st_size
    of_size = [each for each in _digests(identity) if each["bytes"] == size]
    if not of_size:
        return None
    # read through only where a length is the same, which hardly ever is by chance
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return next((str(each["name"]) for each in of_size if each["sha256"] == digest), None)


def _digests(value: object) -> Iterator[JsonObject]:
    """Each name, length and digest of a file that an identity holds, however deep."""
    if isinstance(value, dict):
        if {"name", "bytes", "sha256"} <= value.keys():
            yield value
        yield from _digests([*value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _digests(item)


def _names(settings: JsonObject) -> Iterator[tuple[str, str]]:
    """Every text of a run's settings, be it a file's name or not, with the setting that it is of."""
    for setting, value in settings.items():
        if setting != _OWN:
            yield from ((setting, text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value.values()])
    elif isinstance(value, list):
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
