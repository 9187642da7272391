"""What is said beside the answer of a query: that the run is not complete, and that its largest effect is no effect."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import duckdb

from enformer_core.dataset.largest_values import NO_EFFECT
from enformer_core.dataset.ledger import Ledger
from enformer_core.scoring.rounding import RATIO_ROUNDING
from enformer_core.sql.views import largest_of_scores, least_ratio, statistics_of
from enformer_core.words import agreeing, counted

_AT_MOST = f"""
SELECT count(*) FILTER (abs(value) <= $most), count(*) FROM effects
WHERE statistic = $statistic AND abs(value) > {NO_EFFECT} * $largest
"""  # noqa: S608 - of no text from outside
"""Of the rows that `top` has of a statistic, how many are no larger."""

_OF_GENES = f"""
SELECT largest.size, {least_ratio("largest.size")}, count(*) FILTER (max_abs_log2_ratio = 0),
       count(*) FILTER (max_abs_log2_ratio > 0 AND max_abs_log2_ratio <= {least_ratio("largest.size")}),
       count(max_abs_log2_ratio)
FROM gene_effects, (SELECT max(max_abs_log2_ratio::DOUBLE) AS size FROM gene_effects) largest GROUP BY ALL
"""  # noqa: S608 - of no text from outside

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
    yield from notes_of_values(ledger, connection, sql)


def notes_of_values(
    ledger: Ledger, connection: duckdb.DuckDBPyConnection, sql: str
) -> Iterator[str]:
    """The same of the values alone, for those who say elsewhere how far the run is."""
    if _asks(connection, sql, "top"):
        for statistic, largest in _largest(ledger, connection):
            yield from _no_effect(ledger, connection, statistic, largest)
    if _asks(connection, sql, "top_genes"):
        for found in connection.sql(_OF_GENES).fetchall():
            yield from _no_gene_effect(*found)


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


def _largest(ledger: Ledger, connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, float]]:
    """The largest effect of each statistic in size, none where no effects are kept."""
    if not connection.sql("SELECT 1 FROM effects LIMIT 1").fetchall():
        return
    statistics = statistics_of(ledger)
    (sizes,) = connection.sql(largest_of_scores(statistics)).fetchall()
    yield from sorted(zip(statistics, sizes, strict=True))


def _no_effect(
    ledger: Ledger,
    connection: duckdb.DuckDBPyConnection,
    statistic: str,
    largest: float,
) -> Iterator[str]:
    """Where nothing has an effect: that it is so. Where rounding explains the largest, or others: how many."""
    if largest == 0:
        yield f"no allele of this run has an effect: every {statistic} is 0, in every track"
        return
    audited = _rounding(ledger, statistic)
    if audited.rounding is None:
        return
    # not what the audit measured, which `status` tells and which may be 0
    can_do = (
        f"rounding alone may do {audited.rounding:.2g} beside predictions of this size: so much the audit "
        "allows, whatever it measured"
    )
    # beside an allele that does act another's rounding is no bound for all
    if largest <= audited.rounding and not audited.acts:
        yield (
            f"the largest {statistic} of this run is {largest:.2g}, and {can_do}: none of these is an effect"
        )
        return
    asked = {"most": audited.rounding, "statistic": statistic, "largest": largest}
    ((below, rows),) = connection.execute(_AT_MOST, asked).fetchall()
    if below:
        yield (
            f"{below:,} of {rows:,} rows of top {agreeing(below, 'has', 'have')} a {statistic} of at most "
            f"{audited.rounding:.2g} in size, and {can_do}: take none of these for an effect"
        )


def _no_gene_effect(
    largest: float | None,
    least: float,
    silent: int,
    below: int,
    rows: int,
) -> Iterator[str]:
    """The same of genes, of whose ratios rounding is a millionth.

    Args:
        largest: ratio in size; None where no row has one.
        least: what a row of `top_genes` is above.
        silent: rows whose ratio is 0.
        below: rows whose ratio is not 0, and no larger than `least`.
        rows: that have a ratio.
    """
    if largest == 0:
        yield "no allele of this run has an effect on a gene: every log2_ratio is 0, in every track"
    elif largest is not None and largest <= RATIO_ROUNDING:
        yield (
            f"no allele of this run has an effect on a gene: the largest log2_ratio is {largest:.2g}, and two passes "
            f"in float32 cannot tell {RATIO_ROUNDING:.2g} from 0"
        )
    elif below:
        left_out = silent + below
        of_silent = (
            f"{silent:,} {agreeing(silent, 'is', 'are')} 0 in every track, and " if silent else ""
        )
        yield (
            f"{left_out:,} of {rows:,} rows of gene_effects {agreeing(left_out, 'is', 'are')} not in top_genes: "
            f"{of_silent}the largest log2_ratio of {below:,} is {least:.2g} or less, which {_why(least)}"
        )


def _why(least: float) -> str:
    if least <= RATIO_ROUNDING:
        return "two passes in float32 cannot tell from 0"
    return "is a millionth of the run's largest, and what rounding leaves of nothing"


@dataclass(frozen=True)
class _Audited:
    """What the audit found of a statistic.

    Attributes:
        rounding: the most that rounding did to an allele without an effect; None where no such allele was audited.
        acts: whether an audited allele has more of an effect.
    """

    rounding: float | None
    acts: bool


def _rounding(ledger: Ledger, statistic: str) -> _Audited:
    """What rounding can do to a statistic, as the audited alleles without an effect say.

    An audit's bound is a part of the allele's own effect, and what rounding can do on top. Of an allele whose effect is
    within its bound, as 2e-5 within 3e-4, the bound is nothing but rounding.
    """
    largest = None
    acts = False
    for receipt in islice(ledger.receipts(), _RECEIPTS_ASKED):
        for audit in receipt.audits:
            found = audit.statistics.get(statistic)
            if found is None:
                continue
            if found.norm > found.bound:
                acts = True
            else:
                largest = max(found.bound, largest or 0.0)
    return _Audited(largest, acts)
