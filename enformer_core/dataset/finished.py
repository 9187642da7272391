"""What is made of a run once it is finished: whether it is, before anything is read."""

from enformer_core.dataset.damage import DamagedRunError
from enformer_core.dataset.ledger import Ledger
from enformer_core.errors import IncompleteRunError

__all__ = ["IncompleteRunError", "check_finished"]


def check_finished(ledger: Ledger, what_next: str) -> None:
    """Refuse a run that is under way, or has lost something; a listing shows it.

    Args:
        ledger: of the run.
        what_next: what its user wants to do, `compact it`.

    Raises:
        IncompleteRunError: for a run without its manifest.
        DamagedRunError: where an object is gone, or has another length.
    """
    location = ledger.store.location
    if ledger.manifest() is None:
        raise IncompleteRunError(
            f"{location}: is not complete. Run its own command again, then {what_next}."
        )
    if lost := ledger.lost():
        raise DamagedRunError(lost, location)
