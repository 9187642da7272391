"""What the receipts of a run come to together, taken one after another without keeping them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from enformer_core.dataset.receipts import AuditedAllele, AuditSummary, Receipt, StatisticError

_AUDITS_KEPT = 100_000
_NAMED = 5


@dataclass
class Totals:
    """Sums over receipts.

    Attributes:
        shards: how many.
        rows: of the plan that they answer.
        by_status: those by status.
        arithmetic: number formats in use.
        gpu_s: seconds of GPUs.
        cpu_s: seconds of CPU threads, where no GPU computed.
        first_start: when the first computation began.
        last_commit: when the last receipt was written.
    """

    shards: int = 0
    rows: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    arithmetic: set[str] = field(default_factory=set)
    gpu_s: float = 0.0
    cpu_s: float = 0.0
    first_start: datetime | None = None
    last_commit: datetime | None = None
    _audits: list[AuditedAllele] = field(default_factory=list)

    def add(self, receipt: Receipt) -> None:
        """Add the figures of one more receipt."""
        self.shards += 1
        self.rows += receipt.rows
        self.by_status.update(receipt.by_status)
        if len(self._audits) < _AUDITS_KEPT:
            self._audits.extend(receipt.audits)
        provenance = receipt.provenance
        if provenance.arithmetic is not None:
            self.arithmetic.add(provenance.arithmetic)
        if provenance.device_type == "cuda":
            self.gpu_s += provenance.seconds
        else:
            self.cpu_s += provenance.seconds * provenance.threads
        if provenance.started_at is not None:
            self.first_start = min(self.first_start or provenance.started_at, provenance.started_at)
        self.last_commit = max(self.last_commit or receipt.committed_at, receipt.committed_at)

    @property
    def audit(self) -> dict[str, AuditSummary]:
        """What scoring some alleles twice has shown, by statistic."""
        return summarise_audits(self._audits)

    @property
    def elapsed_s(self) -> float:
        """Seconds from the first start to the last commit, at least one; pauses between commands count."""
        if self.first_start is None or self.last_commit is None:
            return 1.0
        return max((self.last_commit - self.first_start).total_seconds(), 1.0)


def summarise_audits(audits: Iterable[AuditedAllele]) -> dict[str, AuditSummary]:
    """Summaries by statistic, from the entries of receipts."""
    by_statistic: dict[str, list[tuple[str, StatisticError]]] = {}
    for audit in audits:
        for name, error in audit.statistics.items():
            by_statistic.setdefault(name, []).append((audit.variant, error))
    return {name: _summary(errors) for name, errors in by_statistic.items()}


def _summary(errors: Sequence[tuple[str, StatisticError]]) -> AuditSummary:
    relative = [
        entry.error / entry.norm
        for _, entry in errors
        if entry.norm > 0 and entry.error is not None
    ]
    return AuditSummary(
        audited=len(errors),
        median_error=median(relative) if relative else None,
        worst_error=max(relative) if relative else None,
        exceeded=tuple(variant for variant, entry in errors if entry.exceeded),
    )


def audit_lines(summaries: Mapping[str, AuditSummary]) -> list[str]:
    """A line for each statistic, and a warning that cannot be missed where a bound was exceeded."""
    lines = [_audit_line(name, summary) for name, summary in summaries.items()]
    lines += [_warning(name, summary) for name, summary in summaries.items() if summary.exceeded]
    return lines


def _audit_line(name: str, summary: AuditSummary) -> str:
    middle = _percent(summary.median_error)
    worst = _percent(summary.worst_error)
    return (
        f"audit    {name}: {summary.audited:,} alleles scored again plainly, relative error "
        f"{middle} (median), {worst} (worst)"
    )


def _warning(name: str, summary: AuditSummary) -> str:
    shown = ", ".join(summary.exceeded[:_NAMED])
    if len(summary.exceeded) > _NAMED:
        shown += ", …"
    return (
        f"*** AUDIT FAILED *** {name}: {len(summary.exceeded)} of {summary.audited} audited "
        f"alleles differ from plain scoring by more than the tolerance: {shown}. "
        "Do not use these scores; score again with --precision exact or --engine direct."
    )


def audit_failed(summaries: Mapping[str, AuditSummary]) -> bool:
    """Whether any audited allele exceeds its bound."""
    return any(summary.exceeded for summary in summaries.values())


def _percent(error: float | None) -> str:
    return "unknown, all scores are 0" if error is None else f"{100 * error:.2g} %"
