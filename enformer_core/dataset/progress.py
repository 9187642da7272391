"""How far a run is, from its receipts alone; works when nothing is running any more."""

from collections.abc import Mapping
from dataclasses import dataclass

from enformer_core.dataset.codec import JsonObject
from enformer_core.dataset.computed_on import ComputedOn
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.receipts import AuditSummary
from enformer_core.dataset.summary import Totals
from enformer_core.dataset.summary_tables import summary_names

_HOUR_S = 3600


@dataclass(frozen=True)
class Rate:
    """How fast rows are answered: what is shown while a run lasts, and what `status` says of its receipts.

    Attributes:
        rows: answered in that time.
        seconds: in which shards were at work, from when the first was begun. The time before it, in which Ray
            starts and the model is loaded, is no part of it, and neither are pauses between two commands.
    """

    rows: int
    seconds: float

    @property
    def per_second(self) -> float | None:
        """Rows a second; None until some are answered."""
        if self.rows <= 0 or self.seconds <= 0:
            return None
        return self.rows / self.seconds

    def seconds_left(self, rows_left: int) -> float | None:
        """How long as many rows more will take at this rate; None until some are answered."""
        return None if self.per_second is None else rows_left / self.per_second


@dataclass(frozen=True)
class RunProgress:
    """Counts of a run.

    Attributes:
        shards: planned.
        shards_done: with a receipt.
        model: its name.
        replicates: of how many models its values are the mean.
        unit: what a planned row is: alleles or tiles.
        rows: planned rows.
        rows_done: those of done shards.
        by_status: those of done shards by status.
        rows_reused: those whose values were copied from other runs.
        table_rows: rows of each table of done shards.
        rows_per_s: as `Rate` says; None before the first commit.
        seconds_left: at that rate; None where unknown.
        gpu_hours: that GPUs have computed for the shards that are done.
        cpu_hours: that CPU threads have, where no GPU did.
        last_commit: when the latest shard was committed, as ISO 8601 has it; None where none was.
        hours_left: of both kinds together, for what is left at the same cost a row; None where unknown.
        finished: whether the manifest stands.
        lost: objects of a finished run that are gone, or have another length, in words.
        audit: what was observed by scoring some alleles twice, by statistic.
        audit_seconds: that this took, of all workers together.
        seconds: that all computing took, of all workers together.
        computed_on: what computed the rows of done shards, most rows first.
        notice: what a demonstration says.
        beside: tables beside the run that were begun, and whether each is there.
        engine: that scores; None of runs that score no alleles.
        precision: its arithmetic, where it has several.
        conventions: strands, shifts and windows of a run that scores alleles.
    """

    shards: int
    shards_done: int
    model: str
    replicates: int
    unit: str
    rows: int
    rows_done: int
    by_status: Mapping[str, int]
    rows_reused: int
    table_rows: Mapping[str, int]
    rows_per_s: float | None
    seconds_left: float | None
    gpu_hours: float
    cpu_hours: float
    last_commit: str | None
    hours_left: float | None
    finished: bool
    lost: tuple[str, ...]
    audit: Mapping[str, AuditSummary]
    audit_seconds: float
    seconds: float
    computed_on: tuple[ComputedOn, ...]
    notice: str | None
    beside: Mapping[str, bool]
    engine: str | None
    precision: str | None
    conventions: JsonObject | None


def run_progress(ledger: Ledger) -> RunProgress:
    """Count what is done by a run's receipts."""
    run = ledger.run
    totals = Totals()
    for receipt in ledger.receipts():
        totals.add(receipt)
    rows_left = run.plan.rows - totals.rows
    rate = Rate(totals.rows, totals.work_s)
    gpu_hours = totals.gpu_s / _HOUR_S
    cpu_hours = totals.cpu_s / _HOUR_S
    hours = gpu_hours + cpu_hours
    finished = ledger.manifest() is not None
    # while a run lasts, what is not there yet is not lost
    lost = tuple(problem.text for problem in ledger.lost()) if finished else ()
    return RunProgress(
        shards=run.plan.shards,
        shards_done=totals.shards,
        model=run.typed_identity.model.name,
        replicates=run.typed_identity.model.models,
        unit=ledger.run_type.unit,
        rows=run.plan.rows,
        rows_done=totals.rows,
        by_status=dict(sorted(totals.by_status.items())),
        rows_reused=totals.reused,
        table_rows=dict(totals.table_rows),
        rows_per_s=rate.per_second,
        seconds_left=rate.seconds_left(rows_left),
        gpu_hours=gpu_hours,
        cpu_hours=cpu_hours,
        last_commit=None if totals.last_commit is None else totals.last_commit.isoformat(),
        hours_left=hours * rows_left / totals.rows if totals.rows else None,
        finished=finished,
        lost=lost,
        audit=totals.audit,
        audit_seconds=round(totals.audit_s, 3),
        seconds=round(totals.computed_s, 3),
        computed_on=totals.computed_on.listed(),
        notice=run.notice,
        beside=summary_names(ledger),
        engine=run.identity.get("engine"),
        precision=run.identity.get("precision"),
        conventions=run.identity.get("conventions"),
    )
