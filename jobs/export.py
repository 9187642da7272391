"""`enformer-ray export`: a finished run in other formats, an option for each that is known."""

from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from enformer_core.errors import InputError
from enformer_core.export import export_names, export_summary, find_export, writes_directory
from enformer_core.export.whole_file import STDOUT
from enformer_core.user_path import real_path, user_path
from enformer_core.words import counted
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.log import note, tell
from jobs.option_types import Directory, OptionalDirectory, OptionalStream

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
    ],
    frozen=True,
    namespace={"__module__": __name__},
)


def export(settings: Any) -> int:
    """Write the files that are asked for, and say how many rows each has.

    Args:
        settings: an `ExportSettings`.

    Returns:
        The exit code: done, or incomplete where shards of the run are missing.

    Raises:
        InputError: where no file is asked for, or one cannot be written.
    """
    files = {name: getattr(settings, name) for name in export_names()}
    wanted = {name: _path(file) for name, file in files.items() if file is not None}
    if not wanted:
        options = ", ".join(
            f"--{name} {'DIR' if writes_directory(name) else 'FILE'}" for name in files
        )
        raise InputError(f"nothing to write: give {options}")
    ledger = open_ledger(settings.out)
    for file in wanted.values():
        _check_beside(file, ledger.store.location)
    missing = ledger.run.plan.shards - len(ledger.committed())
    for name, file in wanted.items():
        if writes_directory(name) and _holds_files(file):
            note(
                f"{file}: is there already; files of the same names are written anew, all others stay as they were"
            )
        rows = find_export(name)(ledger, file)
        # not on standard output, which may be what was written to
        place = "standard output" if file == STDOUT else str(file)
        tell("export", counted(rows, "rows"), prefix=place)
    if missing:
        tell(
            "incomplete",
            f"{counted(missing, 'shards')} not committed, and not in it",
            prefix="incomplete",
        )
        return exit_codes.INCOMPLETE
    return exit_codes.DONE


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
