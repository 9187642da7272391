"""`enformer-ray export`: a finished run in other formats, an option for each that is known."""

from collections.abc import Mapping, Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

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
from jobs.finished_run import check_beside, open_ledger
from jobs.log import note, tell
from jobs.option_types import (
    Directory,
    OptionalDirectory,
    OptionalFile,
    OptionalStream,
    Selection,
)

_TABLE_HELP = """with --tsv: which table of the run, such as gene_effects; its first by default, such as scores"""

_INPUT_HELP = """with --vcf: the file that was scored, where it is no longer at its place, or is one of several"""

_GENOME_HELP = "the run's genome, if it is no longer at its place: --vcf, --vep and --bigwig tell its contigs' lengths"

_TRACKS_HELP = (
    "which of the run's tracks, written as for `score`; all by default. With --vcf: among which the strongest are "
    "looked for; with --vep, --hdf5 and, of tiles, --bigwig: which are written"
)

_TOP_TRACKS_HELP = (
    """with --vcf: strongest tracks that are named for each ALT and statistic (default 3)"""
)

_INCOMPLETE = ".incomplete"

_PACKED = (".gz", ".bgz")

_Table = Annotated[str | None, Parameter(help=_TABLE_HELP, metavar="NAME")]
_Input = Annotated[OptionalFile, Parameter(help=_INPUT_HELP)]
_Genome = Annotated[OptionalFile, Parameter(help=_GENOME_HELP)]
_Tracks = Annotated[Selection, Parameter(help=_TRACKS_HELP)]
_TopTracks = Annotated[int | None, Parameter(help=_TOP_TRACKS_HELP, metavar="N")]

_OPTIONS = {
    "table": _Table,
    "input": _Input,
    "genome": _Genome,
    "tracks": _Tracks,
    "top_tracks": _TopTracks,
}
"""What some exports can be told, whichever formats are asked for."""

_Run = Annotated[Directory, Parameter(help="directory or s3://bucket/prefix of the run")]


def _option(name: str) -> tuple[str, Any, Any]:
    """The option of a format: `--tsv FILE`, or `--npz DIR`."""
    if writes_directory(name):
        directory = Annotated[OptionalDirectory, Parameter(help=export_summary(name))]
        return name, directory, field(default=None, kw_only=True)
    if not writes_stream(name):
        named = Annotated[OptionalFile, Parameter(help=export_summary(name))]
        return name, named, field(default=None, kw_only=True)
    file = Annotated[
        OptionalStream,
        Parameter(help=f"{export_summary(name)}; - for standard output", allow_leading_hyphen=True),
    ]
    return name, file, field(default=None, kw_only=True)


# made from the list of formats, so that a new one needs no line here
ExportSettings = make_dataclass(
    "ExportSettings",
    [
        ("out", _Run),
        *map(_option, export_names()),
        *((name, hint, field(default=None, kw_only=True)) for name, hint in _OPTIONS.items()),
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
    told = _told(settings, list(wanted))
    ledger = open_ledger(settings.out)
    for file in wanted.values():
        check_beside(file, ledger.store.location)
    missing = ledger.run.plan.shards - len(ledger.committed())
    if missing:
        wanted = {name: _marked_incomplete(file) for name, file in wanted.items()}
    for name, file in wanted.items():
        if writes_directory(name) and _holds_files(file):
            note(
                f"{file}: is there already; files of the same names are written anew, all others stay as they were"
            )
        # asked before it is there
        instead = " (replaced the file that was there)" if replaces(file) else ""
        write = find_export(name, **_of_format(name, told))
        # not on standard output, which may be what was written to
        place = "standard output" if file == STDOUT else str(file)
        try:
            number = write(ledger, file)
        except ReaderLeftError:
            # how many rows it has read nobody knows: a pipe holds some
            tell("export", "its reader left before all rows were written", prefix=place)
            continue
        tell("export", f"{export_written(name, number, ledger)}{instead}", prefix=place)
        caution = export_caution(name, ledger)
        if caution is not None:
            note(caution)
    if missing:
        tell(
            "incomplete",
            f"{counted(missing, 'shards')} not committed, and not in it: files are called so",
            prefix="incomplete",
        )
        return exit_codes.INCOMPLETE
    return exit_codes.DONE


def _as_given(name: str) -> str:
    return f"--{name} {'DIR' if writes_directory(name) else 'FILE'}"


def _told(settings: Any, wanted: Sequence[str]) -> dict[str, Any]:
    """What the user says beside the formats, which one of these must have a use for.

    Raises:
        InputError: naming the formats that have.
    """
    given = {name: getattr(settings, name) for name in _OPTIONS}
    told = {name: value for name, value in given.items() if value is not None}
    for name, value in told.items():
        if not any(name in export_options(each) for each in wanted):
            option = name.replace("_", "-")
            users = [each for each in export_names() if name in export_options(each)]
            those = " and ".join(f"--{each}" for each in users)
            one = " or ".join(map(_as_given, users))
            raise InputError(f"--{option} {value}: is for {those} alone; give {one} with it")
    return told


def _of_format(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    known = {**told, "warn": note}
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
