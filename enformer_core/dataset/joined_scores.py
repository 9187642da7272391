"""The table `scores` with the tables beside its run that an SQL expression names, row by row.

Knows names and keys of tables. Does not know what the expression is for, nor who asks it.
"""

import re

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.summary_tables import summary_receipts

_KEYS = "input_file, input_line, alt_index"
"""What names a row of `scores`, and of the tables beside a run that have its rows."""


def rows_of_scores(
    ledger: Ledger,
    expression: str,
) -> str:
    """What stands behind FROM for an expression over rows of `scores`: `scores LEFT JOIN pca USING (…)`.

    Args:
        ledger: of the run.
        expression: of SQL, in which `pca.pc1` names the table `pca`.

    Raises:
        DatasetError: for the receipt of a table beside the run that is damaged.
    """
    beside = [
        name
        for name, receipt in summary_receipts(ledger).items()
        # a table of other rows, as of groups, has several for an allele
        if receipt.source == "scores" and re.search(rf"\b{name}\.", expression)
    ]
    return " ".join(["scores", *(f"LEFT JOIN {name} USING ({_KEYS})" for name in beside)])
