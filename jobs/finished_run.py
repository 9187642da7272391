"""A run that was begun before, as `status`, `verify` and `query` find it."""

from pathlib import Path

from enformer_core.analyses import run_type_of
from enformer_core.dataset.find_run import find_run
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import InputError
from enformer_core.export.whole_file import STDOUT
from enformer_core.user_path import real_path


def open_ledger(out: str) -> Ledger:
    """The ledger of the run that a directory holds.

    Raises:
        InputError: when it holds none.
        DatasetError: when its kind is not known to this release.
    """
    store, run = find_run(out)
    return Ledger(store, run, run_type_of(run.typed_identity.kind))


def check_beside(file: Path, run: str) -> None:
    """Refuse a file inside the run: it could overwrite one of its objects.

    Args:
        file: to be written; `-` is standard output.
        run: where the run lies.

    Raises:
        InputError: for such a file.
    """
    if (
        file != STDOUT
        and Path(run).is_dir()
        and real_path(file).is_relative_to(real_path(Path(run)))
    ):
        raise InputError(f"{file}: lies in the run {run}. Give a place beside it.")
