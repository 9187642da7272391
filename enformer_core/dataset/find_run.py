"""Find the run that a directory holds."""

from enformer_core.dataset.run import Run, read_run
from enformer_core.errors import InputError
from enformer_core.storage.open import open_store
from enformer_core.storage.store import Store


def find_run(out: str) -> tuple[Store, Run]:
    """The store and description of a run.

    Raises:
        InputError: when the directory holds none.
    """
    store = open_store(out)
    run = read_run(store)
    if run is None:
        raise InputError(
            f"{out}: no run here (no run.json). "
            "Give the --out directory of `enformer-ray score` or `tiles`."
        )
    return store, run
