"""How many alleles of a run have scores that are nothing but rounding: said wherever these are ranked."""

from enformer_core.dataset.largest_values import silent_rows
from enformer_core.dataset.ledger import Ledger
from enformer_core.words import agreeing, counted


def silent_note(ledger: Ledger, statistic: str) -> str | None:
    """A sentence on them; None where there are none.

    Raises:
        DatasetError: for a file that is missing or damaged.
    """
    silent, rows = silent_rows(ledger, "scores", f"max_abs_{statistic}")
    if not silent:
        return None
    have, are = agreeing(silent, "has", "have"), agreeing(silent, "is", "are")
    return (
        f"{statistic}: {silent:,} of {counted(rows, 'rows')} {have} no value above a millionth of the run's "
        f"largest, and {are} ranked by what rounding leaves of nothing"
    )
