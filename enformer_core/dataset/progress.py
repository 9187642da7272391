"""How far a run is, from its receipts alone; works when nothing is running any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from enformer_core.dataset.ledger import Ledger, Receipt, total_by_status
from enformer_core.dataset.run import Run
from enformer_core.dataset.store import Store


@dataclass(frozen=True)
class RunProgress:
    """Counts of a run.

    Attributes:
        shards: planned.
        shards_done: with a receipt.
        alleles: planned rows.
        alleles_done: rows of done shards.
        by_status: rows of done shards by status.
        alleles_per_s: rows per second of wall-clock time, from the first start to the last commit; None before the
            first commit. A pause between two sessions of work counts.
        seconds_left: at that rate; None where unknown.
        finished: whether the manifest stands.
        notice: what a demonstration says.
    """

    shards: int
    shards_done: int
    alleles: int
    alleles_done: int
    by_status: Mapping[str, int]
    alleles_per_s: float | None
    seconds_left: float | None
    finished: bool
    notice: str | None


def run_progress(store: Store, run: Run) -> RunProgress:
    """Count what is done."""
    ledger = Ledger(store, run.digest, run.notice)
    receipts = list(ledger.receipts())
    alleles_done = sum(receipt["rows"] for receipt in receipts)
    rate = _alleles_per_s(receipts, alleles_done)
    left = run.plan["alleles"] - alleles_done
    return RunProgress(
        shards=run.plan["shards"],
        shards_done=len(receipts),
        alleles=run.plan["alleles"],
        alleles_done=alleles_done,
        by_status=total_by_status(receipts),
        alleles_per_s=rate,
        seconds_left=left / rate if rate else None,
        finished=ledger.manifest() is not None,
        notice=run.notice,
    )


def _alleles_per_s(receipts: Sequence[Receipt], alleles_done: int) -> float | None:
    if not receipts:
        return None
    first = min(datetime.fromisoformat(receipt["started_at"]) for receipt in receipts)
    last = max(datetime.fromisoformat(receipt["committed_at"]) for receipt in receipts)
    return alleles_done / max((last - first).total_seconds(), 1.0)
