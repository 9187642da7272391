"""A run that was begun before, as `status`, `verify` and `query` find it."""

from pathlib import Path

from enformer_core.analyses import run_type_of
from enformer_core.dataset.find_run import find_run
from enformer_core.dataset.ledger import Ledger
from jobs.output_guard import check_output


def open_ledger(out: str) -> Ledger:
    """The ledger of the run that a directory holds.

    Raises:
        InputError: when it holds none.
        DatasetError: when its kind is not known to this release.
    """
    store, run = find_run(out)
    return Ledger(store, run, run_type_of(run.typed_identity.kind))


def check_beside(file: Path, run: str) -> None:
    """Refuse to write over what the run is or was made of; see `output_guard.check_output`.

    Args:
        file: to be written; `-` is standard output.
        run: where the run lies.

    Raises:
        InputError: for such a file.
    """
    check_output(file, open_ledger(run))
