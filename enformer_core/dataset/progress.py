"""How far a run is, from its receipts alone; works when nothing is running any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from enformer_core.dataset.audits import AuditSummary, summarise_audits
from enformer_core.dataset.ledger import Ledger, Receipt, total_by_status
from enformer_core.dataset.run import Run
from enformer_core.storage.store import Store


@dataclass(frozen=True)
class RunProgress:
    """Counts of a run.

    Attributes:
        shards: planned.
        shards_done: with a receipt.
        unit: what a planned row is: alleles or tiles.
        rows: planned rows.
        rows_done: those of done shards.
        by_status: those of done shards by status.
        rows_per_s: rows per second of wall-clock time, from the first start to the last commit; None before the
            first commit. A pause between two sessions of work counts.
        seconds_left: at that rate; None where unknown.
        finished: whether the manifest stands.
        audit: what was observed by scoring some alleles twice, by statistic.
        notice: what a demonstration says.
    """

    shards: int
    shards_done: int
    unit: str
    rows: int
    rows_done: int
    by_status: Mapping[str, int]
    rows_per_s: float | None
    seconds_left: float | None
    finished: bool
    audit: Mapping[str, AuditSummary]
    notice: str | None


def run_progress(store: Store, run: Run) -> RunProgress:
    """Count what is done."""
    ledger = Ledger.of(store, run)
    receipts = list(ledger.receipts())
    rows, done = run.plan[ledger.kind.unit], sum(receipt["rows"] for receipt in receipts)
    rate = _rows_per_s(receipts, done)
    return RunProgress(
        shards=run.plan["shards"],
        shards_done=len(receipts),
        unit=ledger.kind.unit,
        rows=rows,
        rows_done=done,
        by_status=total_by_status(receipts),
        rows_per_s=rate,
        seconds_left=(rows - done) / rate if rate else None,
        finished=ledger.manifest() is not None,
        audit=summarise_audits(audit for receipt in receipts for audit in receipt.get("audits", ())),
        notice=run.notice,
    )


def _rows_per_s(receipts: Sequence[Receipt], rows_done: int) -> float | None:
    if not receipts:
        return None
    first = min(datetime.fromisoformat(receipt["started_at"]) for receipt in receipts)
    last = max(datetime.fromisoformat(receipt["committed_at"]) for receipt in receipts)
    return rows_done / max((last - first).total_seconds(), 1.0)
