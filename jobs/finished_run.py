"""A run that was begun before, as `status`, `verify` and `query` find it."""

from enformer_core.analyses import run_type_of
from enformer_core.dataset.find_run import find_run
from enformer_core.dataset.ledger import Ledger


def open_ledger(out: str) -> Ledger:
    """The ledger of the run that a directory holds.

    Raises:
        InputError: when it holds none.
        DatasetError: when its kind is not known to this release.
    """
    store, run = find_run(out)
    return Ledger(store, run, run_type_of(run.typed_identity.kind))
