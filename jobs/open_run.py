"""Find the run that a directory holds."""

from pathlib import Path

from enformer_core.dataset.run import Run, read_run
from enformer_core.errors import InputError
from enformer_core.storage.local import LocalStore


def open_run(out: str) -> tuple[LocalStore, Run]:
    """The store and description of a run.

    Raises:
        InputError: when there is none.
    """
    store = LocalStore(Path(out))
    run = read_run(store)
    if run is None:
        raise InputError(
            f"{out}: no run here (no run.json). Give the --out directory of `enformer-ray score` or `tiles`."
        )
    return store, run
