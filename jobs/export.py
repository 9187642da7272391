"""`enformer-ray export`: a finished run in other formats, an option for each that is known."""

from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from enformer_core.errors import InputError
from enformer_core.export import (
    export_caution,
    export_names,
    export_of_table,
    export_summary,
    export_written,
    find_export,
    writes_directory,
)
from enformer_core.export.whole_file import STDOUT, ReaderLeftError, is_stream, replaces
from enformer_core.user_path import real_path, user_path
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note, tell
from jobs.option_types import Directory, OptionalDirectory, OptionalStream

_TABLE_HELP = """with --tsv: which table of the run, such as gene_effects; its first by default, such as scores"""

_INCOMPLETE = ".incomplete"

_Table = Annotated[str | None, Parameter(help=_TABLE_HELP, metavar="NAME")]

_Run = Annotated[Directory, Parameter(help="directory or s3://bucket/prefix of the run")]


def _option(name: str) -> tuple[str, Any, Any]:
    """The option of a format: `--tsv FILE`, or `--npz DIR`."""
    if writes_directory(name):
        directory = Annotated[OptionalDirectory, Parameter(help=export_summary(name))]
        return name, directory, field(default=None, kw_only=True)
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
        ("table", _Table, field(default=None, kw_only=True)),
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
        options = ", ".join(
            f"--{name} {'DIR' if writes_directory(name) else 'FILE'}" for name in files
        )
        raise InputError(f"nothing to write: give {options}")
    if settings.table is not None and "tsv" not in wanted:
        raise InputError(f"--table {settings.table}: is for text alone; give --tsv FILE with it")
    ledger = open_ledger(settings.out)
    for file in wanted.values():
        _check_beside(file, ledger.store.location)
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
        of_table = name == "tsv" and settings.table is not None
        write = export_of_table(settings.table) if of_table else find_export(name)
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


def _marked_incomplete(file: Path) -> Path:
    """The name of what lacks some shards, `scores.incomplete.tsv`: under its own name it would look whole."""
    try:
        if is_stream(file) and not file.is_dir():
            return file
    except OSError:  # whoever writes it says what is wrong
        return file
    return file.with_name(f"{file.stem}{_INCOMPLETE}{file.suffix}")


def _path(file: str) -> Path:
    return STDOUT if file == str(STDOUT) else Path(user_path(file))


def _holds_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:  # not there yet; of anything else whoever writes will speak
        return False


def _check_beside(file: Path, run: str) -> None:
    """Refuse a file inside the run: it could overwrite one of its objects."""
    if (
        file != STDOUT
        and Path(run).is_dir()
        and real_path(file).is_relative_to(real_path(Path(run)))
    ):
        raise InputError(f"{file}: lies in the run {run}. Give a place beside it.")
