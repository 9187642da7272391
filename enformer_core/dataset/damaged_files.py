"""Which of a run's files a library could not read: engines and data frames say what failed, and not of which object.

Reads files only after something failed. Does not know what they were read for.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.stored_tables import stored_objects
from enformer_core.errors import DatasetError


def first_damage(ledger: Ledger, keys: Iterable[str]) -> str | None:
    """What is wrong with the first of these objects that is no sound table; None where all are."""
    for key in keys:
        content = ledger.store.get(key)
        if content is None:
            return f"{key}: missing, though a receipt names it"
        try:
            from_parquet(content, key)
        except DatasetError as error:
            return str(error)
    return None


def damaged(what: str, location: str) -> DatasetError:
    """The error that names damage, and what finds the rest of it."""
    return DatasetError(f"{what}. `enformer-ray verify {location}` says what else is damaged.")


@contextmanager
def naming_damage(
    ledger: Ledger,
    tables: Iterable[str],
    failures: tuple[type[Exception], ...],
) -> Iterator[None]:
    """Say of an object of these tables, and `tracks`, that it is damaged, where a library fails within the block.

    Args:
        ledger: of the run.
        tables: that are read in it.
        failures: what the library raises.

    Raises:
        DatasetError: naming the object; where all can be read, with what the library said.
    """
    try:
        yield
    except failures as error:
        stored = stored_objects(ledger)
        keys = [key for name in tables for key in stored.get(name, ())]
        location = ledger.store.location
        said = str(error).partition("\n")[0]
        what = first_damage(ledger, [*keys, TRACKS_KEY]) or f"{location}: cannot be read: {said}"
        raise damaged(what, location) from error
