"""How far a run is, from its receipts alone; works when nothing is running any more."""

from collections.abc import Mapping
from dataclasses import dataclass

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run import Run
from enformer_core.dataset.summary import AuditSummary, Totals
from enformer_core.storage.store import Store

_HOUR_S = 3600


@dataclass(frozen=True)
class RunProgress:
    """Counts of a run.

    Attributes:
        shards: planned.
        shards_done: with a receipt.
        model: its name.
        unit: what a planned row is: alleles or tiles.
        rows: planned rows.
        rows_done: those of done shards.
        by_status: those of done shards by status.
        rows_per_s: rows per second of wall-clock time, from the first start to the last commit; None before the
            first commit. A pause between two sessions of work counts.
        seconds_left: at that rate; None where unknown.
        gpu_hours: that GPUs have computed for the shards that are done.
        cpu_hours: that CPU threads have, where no GPU did.
        hours_left: of both kinds together, for the rest at the same cost a row; None where unknown.
        finished: whether the manifest stands.
        audit: what was observed by scoring some alleles twice, by statistic.
        notice: what a demonstration says.
    """

    shards: int
    shards_done: int
    model: str
    unit: str
    rows: int
    rows_done: int
    by_status: Mapping[str, int]
    rows_per_s: float | None
    seconds_left: float | None
    gpu_hours: float
    cpu_hours: float
    hours_left: float | None
    finished: bool
    audit: Mapping[str, AuditSummary]
    notice: str | None


def run_progress(store: Store, run: Run) -> RunProgress:
    """Count what is done."""
    ledger, totals = Ledger.of(store, run), Totals()
    for receipt in ledger.receipts():
        totals.add(receipt)
    rows, done = run.plan[ledger.kind.unit], totals.rows
    rate = done / totals.elapsed_s if totals.shards else None
    gpu_hours, cpu_hours = totals.gpu_s / _HOUR_S, totals.cpu_s / _HOUR_S
    return RunProgress(
        shards=run.plan["shards"],
        shards_done=totals.shards,
        model=run.identity["model"]["name"],
        unit=ledger.kind.unit,
        rows=rows,
        rows_done=done,
        by_status=dict(sorted(totals.by_status.items())),
        rows_per_s=rate,
        seconds_left=(rows - done) / rate if rate else None,
        gpu_hours=gpu_hours,
        cpu_hours=cpu_hours,
        hours_left=(gpu_hours + cpu_hours) * (rows - done) / done if done else None,
        finished=ledger.manifest() is not None,
        audit=totals.audit,
        notice=run.notice,
    )
