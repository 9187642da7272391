"""What is said beside the answer of a query: that the run is not complete, and that its largest effect is no effect."""

import re
from collections.abc import Iterator
from itertools import islice

import duckdb

from enformer_core.dataset.ledger import Ledger
from enformer_core.words import counted

_LARGEST = """
SELECT statistic, max(abs(value)) AS value FROM effects GROUP BY statistic ORDER BY statistic
"""

_LARGEST_OF_GENES = "SELECT max(max_abs_log2_ratio) FROM gene_effects"

_RECEIPTS_ASKED = 1_000
"""Of a run of millions, the audits of the first shards tell what rounding comes to."""


def notes_of_answer(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, sql: str, out: str
) -> Iterator[str]:
    """What a reader of the answer should know.

    Args:
        ledger: of the run.
        connection: with the run's views.
        sql: what was asked.
        out: the run, as its user gave it.
    """
    missing = _missing_shards(ledger)
    if missing:
        shards = counted(ledger.run.plan.shards, "shards")
        yield f"{out}: is not complete: {missing:,} of {shards} not committed, and not in this answer"
    if _asks(connection, sql, "top"):
        for statistic, largest in connection.sql(_LARGEST).fetchall():
            yield from _no_effect(ledger, statistic, largest)
    if _asks(connection, sql, "top_genes"):
        ((largest,),) = connection.sql(_LARGEST_OF_GENES).fetchall()
        if largest == 0:
            yield "no allele of this run has an effect on a gene: every log2_ratio is 0, in every track"


def _asks(connection: duckdb.DuckDBPyConnection, sql: str, view: str) -> bool:
    """Whether the SQL names this view, and the run has it: of other runs it may be the name of a column."""
    if not re.search(rf"\b{view}\b", sql, re.IGNORECASE):
        return False
    named = connection.execute("FROM duckdb_views() WHERE view_name = ?", [view])
    # to the end: a connection takes no other question before
    return bool(named.fetchall())


def _missing_shards(ledger: Ledger) -> int:
    if ledger.manifest() is not None:
        return 0
    return ledger.run.plan.shards - len(ledger.committed())


def _no_effect(ledger: Ledger, statistic: str, largest: float) -> Iterator[str]:
    """Where nothing has an effect: that it is so. Where rounding explains the largest: that, and how much it can do."""
    if largest == 0:
        yield f"no allele of this run has an effect: every {statistic} is 0, in every track"
        return
    rounding = _rounding(ledger, statistic)
    if rounding is not None and largest <= rounding:
        yield (
            f"the largest {statistic} of this run is {largest:.2g}, and rounding alone can do {rounding:.2g} beside "
            "predictions of this size: none of these is an effect"
        )


def _rounding(ledger: Ledger, statistic: str) -> float | None:
    """What rounding can do to a statistic, as the audit found; None where an audited allele has more of an effect.

    An audit's bound is a part of the allele's own effect, and what rounding can do on top. Of an allele whose effect is
    within its bound, as 2e-5 within 3e-4, the bound is nothing but rounding.
    """
    largest = None
    for receipt in islice(ledger.receipts(), _RECEIPTS_ASKED):
        for audit in receipt.audits:
            found = audit.statistics.get(statistic)
            if found is None:
                continue
            if found.norm > found.bound:
                return None
            largest = max(found.bound, largest or 0.0)
    return largest
