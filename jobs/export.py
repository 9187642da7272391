"""`enformer-ray export`: a finished run in other formats, an option for each that is known."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export import (
    export_caution,
    export_names,
    export_options,
    export_summary,
    export_written,
    find_export,
    writes_directory,
    writes_stream,
)
from enformer_core.export.whole_file import STDOUT, ReaderLeftError, is_stream, replaces
from enformer_core.user_path import user_path
from enformer_core.words import counted
from jobs import exit_codes
from jobs.export_options import EXPORT_OPTIONS, JSON_HELP
from jobs.finished_run import open_ledger
from jobs.log import note, tell
from jobs.option_types import (
    Directory,
    OptionalWrittenDirectory,
    OptionalWrittenFile,
    OptionalWrittenStream,
)
from jobs.output_ending import note_ending, refuse_workbook
from jobs.output_guard import check_output

_INCOMPLETE = ".incomplete"

_PACKED = (".gz", ".bgz")

_Json = Annotated[bool, Parameter(help=JSON_HELP)]
_Run = Annotated[Directory, Parameter(help="directory or s3://bucket/prefix of the run")]


def _option(name: str) -> tuple[str, Any, Any]:
    """The option of a format: `--tsv FILE`, or `--npz DIR`."""
    if writes_directory(name):
        directory = Annotated[OptionalWrittenDirectory, Parameter(help=export_summary(name))]
        return name, directory, field(default=None, kw_only=True)
    if not writes_stream(name):
        named = Annotated[OptionalWrittenFile, Parameter(help=export_summary(name))]
        return name, named, field(default=None, kw_only=True)
    file = Annotated[
        OptionalWrittenStream,
        Parameter(help=f"{export_summary(name)}; - for standard output", allow_leading_hyphen=True),
    ]
    return name, file, field(default=None, kw_only=True)


def _unset(name: str) -> Any:
    """The field of an option that nobody gave."""
    return field(default=() if name == "group" else None, kw_only=True)


# made from the list of formats, so that a new one needs no line here
ExportSettings = make_dataclass(
    "ExportSettings",
    [
        ("out", _Run),
        *map(_option, export_names()),
        *((name, hint, _unset(name)) for name, hint in EXPORT_OPTIONS.items()),
        ("json", _Json, field(default=False, kw_only=True)),
    ],
    frozen=True,
    namespace={"__module__": __name__},
)


def export(settings: Any) -> int:
    """Write the files that are asked for, and say what each holds.

    Args:
        settings: an `ExportSettings`.

    Returns:
        The exit code: done, or incomplete where shards of the run are missing.

    Raises:
        InputError: where no file is asked for, or one cannot be written, or the run has no such table.
    """
    files = {name: getattr(settings, name) for name in export_names()}
    wanted = {name: _path(file) for name, file in files.items() if file is not None}
    if not wanted:
        options = ", ".join(map(_as_given, files))
        raise InputError(f"nothing to write: give {options}")
    _check_one_each(wanted)
    if "tsv" in wanted:
        refuse_workbook("--tsv", wanted["tsv"])
    told = _told(settings, list(wanted))
    ledger = open_ledger(settings.out)
    read = (settings.input, settings.genome, settings.sumstats, settings.sites)
    given = [Path(file) for file in read if file is not None]
    missing = ledger.run.plan.shards - len(ledger.committed())
    if missing:
        wanted = {name: _marked_incomplete(file) for name, file in wanted.items()}
    for file in wanted.values():
        check_output(file, ledger, given)
    if "tsv" in wanted:
        note_ending("--tsv", wanted["tsv"], "tab-separated text", (".tsv", ".tab", ".txt"))
    if settings.json and STDOUT in wanted.values():
        raise InputError("--json: standard output is one of the files. Give that a name")
    # several formats read the same sumstats, and one of them says so
    said = _Said()
    done = [
        _written(
            name,
            file,
            told,
            ledger,
            said,
        )
        for name, file in wanted.items()
    ]
    if settings.json:
        print(json.dumps({"run": ledger.store.location, "missing_shards": missing, "files": done}))
    if missing:
        tell(
            "incomplete",
            f"{counted(missing, 'shards')} not committed, and not in it: files are called so",
            prefix="incomplete",
        )
        return exit_codes.INCOMPLETE
    return exit_codes.DONE


class _Said:
    """What one command has said already."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def is_new(self, text: str) -> bool:
        """Whether this is said for the first time; from then on it is not."""
        is_new = text not in self._texts
        self._texts.add(text)
        return is_new


def _written(
    name: str,
    file: Path,
    told: Mapping[str, Any],
    ledger: Ledger,
    said: _Said,
) -> dict[str, Any]:
    """Write a format's file, say so, and give what came of it by name."""
    if writes_directory(name) and _holds_files(file):
        note(
            f"{file}: is there already; files of the same names are written anew, all others stay as they were"
        )
    figures: dict[str, Any] = {"format": name, "file": str(file), "rows": None}

    def warn(text: str) -> None:
        figures.setdefault("notes", []).append(text)
        if said.is_new(text):
            note(text)

    def report(
        words: str,
        counts: Mapping[str, Any],
    ) -> None:
        figures["matched"] = dict(counts)
        if said.is_new(words):
            tell(
                "matched",
                words,
                prefix="matched",
                **counts,
            )

    # asked before it is there
    instead = " (replaced the file that was there)" if replaces(file) else ""
    write = find_export(name, **_of_format(name, {**told, "warn": warn, "report": report}))
    # not on standard output, which may be what was written to
    place = "standard output" if file == STDOUT else str(file)
    try:
        number = write(ledger, file)
    except ReaderLeftError:
        # how many rows it has read nobody knows: a pipe holds some
        tell("export", "its reader left before all rows were written", prefix=place)
        return figures
    # the name with @ is no file's: each chromosome has one
    is_split = "@" in file.name and not file.exists()
    of_each = ", a file for each chromosome (@)" if is_split else ""
    tell("export", f"{export_written(name, number, ledger)}{of_each}{instead}", prefix=place)
    caution = export_caution(name, ledger)
    if caution is not None:
        warn(caution)
    return {**figures, "rows": number}


def _check_one_each(wanted: Mapping[str, Path]) -> None:
    """Refuse two formats in one file: in a stream one would stand behind the other.

    Raises:
        InputError: naming both.
    """
    taken: dict[Path, str] = {}
    # several formats may share a directory
    files = {name: file for name, file in wanted.items() if not writes_directory(name)}
    for name, file in files.items():
        if file in taken:
            place = "standard output" if file == STDOUT else file
            raise InputError(f"--{taken[file]} and --{name}: both to {place}. Give each its own.")
        taken[file] = name


def _as_given(name: str) -> str:
    return f"--{_dashed(name)} {'DIR' if writes_directory(name) else 'FILE'}"


def _dashed(name: str) -> str:
    """The name of a field as an option has it."""
    return name.replace("_", "-")


def _told(
    settings: Any,
    wanted: Sequence[str],
) -> dict[str, Any]:
    """What the user says beside the formats, which one of these must have a use for.

    Raises:
        InputError: naming the formats that have.
    """
    given = {name: getattr(settings, name) for name in EXPORT_OPTIONS}
    told = {name: value for name, value in given.items() if value not in (None, ())}
    for name, value in told.items():
        if not any(name in export_options(each) for each in wanted):
            option = name.replace("_", "-")
            shown = " ".join(value) if isinstance(value, tuple) else value
            users = [each for each in export_names() if name in export_options(each)]
            those = " and ".join(f"--{_dashed(each)}" for each in users)
            one = " or ".join(map(_as_given, users))
            raise InputError(f"--{option} {shown}: is for {those} alone; give {one} with it")
    return told


def _of_format(
    name: str,
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """What this format can be told of all that is known."""
    return {option: known[option] for option in export_options(name) if option in known}


def _marked_incomplete(file: Path) -> Path:
    """The name of what lacks some shards, `scores.incomplete.tsv`: under its own name it would look whole."""
    try:
        if is_stream(file) and not file.is_dir():
            return file
    except OSError:  # whoever writes it says what is wrong
        return file
    # of two endings, x.vcf.gz, both stay behind
    endings = "".join(file.suffixes[-2:]) if file.suffix in _PACKED else file.suffix
    stem = file.name.removesuffix(endings)
    return file.with_name(f"{stem}{_INCOMPLETE}{endings}")


def _path(file: str) -> Path:
    return STDOUT if file == str(STDOUT) else Path(user_path(file))


def _holds_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:  # not there yet; of anything else whoever writes will speak
        return False
