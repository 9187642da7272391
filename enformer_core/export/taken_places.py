"""Places that no output takes: objects of runs, what a run was made of, what else is read for it.

`check_output` is asked before anything is written of a run, by commands and from Python alike: the run's own record
says what it was made of. Knows names and what `run.json` says. Does not know what is written.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from enformer_core.dataset.codec import JsonObject
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.whole_file import STDOUT, is_stream
from enformer_core.storage.open import parse_address
from enformer_core.user_path import real_path, user_path

_PATTERN = re.compile(r"[*?\[]")

REMEDY = "Give another name."

_OWN = "out"
"""The setting that names the run itself."""

_INDEXES = (".fai", ".gzi", ".tbi", ".csi")
"""What stands behind the name of a file that has an index beside it."""

_PLINK = ((".bed", ".bim", ".fam"), (".pgen", ".pvar", ".psam"))
"""Files that are read together, whichever of them, or the name without its ending, is given."""

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
    if takes_no_place(file):
        return
    own = ledger.store.location
    refuse_inside_runs(file, {} if parse_address(own) else {real_path(Path(own)): own})
    for other in read:
        refuse_read(file, str(other))
    location = ledger.store.location
    for setting, name in _names(ledger.run.configuration):
        for place in _places(name, location):
            option = setting.replace("_", "-")
            is_one = file.is_file() and _are_one(file, place)
            beside = None if is_one else _beside(file, place)
            if beside is not None:
                raise InputError(
                    f"{file}: would be read as {beside}, which belongs to {name}, and that the run {location} read "
                    f"({option}). {REMEDY}"
                )
            if is_one:
                raise InputError(
                    f"{file}: is {name}, which the run {location} read ({option}). {REMEDY}"
                )
    if not file.is_file():
        return
    scored = _scored(file, ledger.run.identity)
    if scored is not None:
        raise InputError(
            f"{file}: is {scored}, byte for byte, which the run {location} read. {REMEDY}"
        )


def refuse_read(
    file: Path,
    read: str,
) -> None:
    """Refuse a file that is one that is read, one of those that a pattern stands for, or an index beside one.

    Args:
        file: to be written.
        read: a name, a pattern, or any other text.

    Raises:
        InputError: naming both.
    """
    if file.is_file() and (_are_one(file, Path(read)) or _is_among(file, read)):
        raise InputError(f"{file}: is {read}, which is read for it. {REMEDY}")
    beside = _beside(file, Path(read))
    if beside is not None:
        raise InputError(
            f"{file}: would be read as {beside}, which belongs to {read}, and that is read for it. {REMEDY}"
        )


def _is_among(
    file: Path,
    pattern: str,
) -> bool:
    """Whether a pattern, `studies/*.tsv`, stands for a file."""
    try:
        # a file that is there is no pattern, whatever its name
        is_pattern = _PATTERN.search(pattern) is not None and not Path(pattern).exists()
        return is_pattern and file.absolute().match(str(Path(pattern).absolute()))
    except (OSError, ValueError):  # no name of a file
        return False


def _beside(
    file: Path,
    read: Path,
) -> Path | None:
    """The index of a file that is read, or what PLINK has beside it, whose place a file would take; else None.

    Of what is not there yet too: whoever reads `g.fa` next would take `g.fa.fai` for its index.
    """
    try:
        names = [*_names_beside(read)]
    except (OSError, ValueError):  # no name of a file
        return None
    places = [read.with_name(name) for name in dict.fromkeys(names)]
    return next((each for each in places if _have_one_name(file, each)), None)


def _names_beside(read: Path) -> Iterator[str]:
    if read.is_file():
        yield from (f"{read.name}{ending}" for ending in _INDEXES)
    for together in _PLINK:
        if read.suffix in together and read.is_file():
            yield from (f"{read.stem}{ending}" for ending in together)
        elif read.with_name(f"{read.name}{together[0]}").is_file():
            yield from (f"{read.name}{ending}" for ending in together)


def _have_one_name(
    file: Path,
    other: Path,
) -> bool:
    return _are_one(file, other) or real_path(file) == real_path(other)


def takes_no_place(file: Path) -> bool:
    """Whether it is standard output, a device or a pipe, which is written to as it is."""
    try:
        return file == STDOUT or (is_stream(file) and not file.is_dir())
    except OSError:  # whoever writes it says what is wrong
        return True


def refuse_inside_runs(file: Path, called: Mapping[Path, str]) -> None:
    """Refuse a place in any run; `called` says how the user calls some.

    Raises:
        InputError: naming the file and the run.
    """
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
            yield from ((setting, text) for text in texts_in(value))


def texts_in(value: object) -> Iterator[str]:
    """Every text of a setting, be it a file's name or not."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_in([*value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_in(item)


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
