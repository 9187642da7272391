"""What the receipts of a run come to together, one after another, without keeping them.

Does not know where receipts lie.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import median
from typing import Any


@dataclass(frozen=True)
class AuditSummary:
    """What the audits of a run, or a part of it, observed of one statistic.

    Attributes:
        audited: alleles scored twice.
        median_error: median over alleles of the error relative to the statistic's norm; None where all norms are 0.
        worst_error: the largest.
        exceeded: alleles whose error exceeds its bound.
    """

    audited: int
    median_error: float | None
    worst_error: float | None
    exceeded: tuple[str, ...]


def summarise_audits(audits: Iterable[Mapping[str, Any]]) -> dict[str, AuditSummary]:
    """Summaries by statistic, from the entries of receipts."""
    entries: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for audit in audits:
        for name, entry in audit["statistics"].items():
            entries.setdefault(name, []).append((audit["variant"], entry))
    return {name: _summary(of_statistic) for name, of_statistic in entries.items()}


def _summary(entries: Sequence[tuple[str, Mapping[str, Any]]]) -> AuditSummary:
    relative = [entry["error"] / entry["norm"] for _, entry in entries if entry["norm"] > 0]
    return AuditSummary(
        audited=len(entries),
        median_error=median(relative) if relative else None,
        worst_error=max(relative) if relative else None,
        exceeded=tuple(variant for variant, entry in entries if entry["exceeded"]),
    )


def audit_lines(summaries: Mapping[str, AuditSummary]) -> list[str]:
    """One line for each statistic, and a warning that cannot be missed where a bound was exceeded."""
    lines = [
        f"audit    {name}: {summary.audited:,} alleles scored again plainly, relative error "
        f"{_percent(summary.median_error)} (median), {_percent(summary.worst_error)} (worst)"
        for name, summary in summaries.items()
    ]
    for name, summary in summaries.items():
        if summary.exceeded:
            shown = ", ".join(summary.exceeded[:5]) + (", …" if len(summary.exceeded) > 5 else "")
            lines.append(
                f"*** AUDIT FAILED *** {name}: {len(summary.exceeded)} of {summary.audited} audited alleles differ "
                f"from plain scoring by more than the tolerance: {shown}. "
                "Do not use these scores; score again with --precision exact or --engine direct."
            )
    return lines


def audit_failed(summaries: Mapping[str, AuditSummary]) -> bool:
    """Whether any audited allele exceeds its bound."""
    return any(summary.exceeded for summary in summaries.values())


def _percent(error: float | None) -> str:
    return "unknown, all scores are 0" if error is None else f"{100 * error:.2g} %"


_AUDITS_KEPT = 100_000


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
    _audits: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, receipt: Mapping[str, Any]) -> None:
        """Add one."""
        self.shards += 1
        self.rows += receipt["rows"]
        self.by_status.update(receipt["by_status"])
        if "arithmetic" in receipt:
            self.arithmetic.add(receipt["arithmetic"])
        if len(self._audits) < _AUDITS_KEPT:
            self._audits.extend(receipt.get("audits", ()))
        seconds = float(receipt.get("seconds", 0))
        if receipt.get("device_type") == "cuda":
            self.gpu_s += seconds
        else:
            self.cpu_s += seconds * int(receipt.get("threads", 1))
        if "started_at" in receipt:
            started = datetime.fromisoformat(receipt["started_at"])
            self.first_start = min(self.first_start or started, started)
        committed = datetime.fromisoformat(receipt["committed_at"])
        self.last_commit = max(self.last_commit or committed, committed)

    @property
    def audit(self) -> dict[str, AuditSummary]:
        """What scoring some alleles twice has shown, by statistic."""
        return summarise_audits(self._audits)

    @property
    def elapsed_s(self) -> float:
        """From the first start to the last commit, at least a second; a pause between two sessions of work counts."""
        if self.first_start is None or self.last_commit is None:
            return 1.0
        return max((self.last_commit - self.first_start).total_seconds(), 1.0)

    def figures(self) -> dict[str, Any]:
        """As the manifest has them."""
        return {
            "rows": self.rows,
            "by_status": dict(sorted(self.by_status.items())),
            "arithmetic": sorted(self.arithmetic),
            "audit": {name: asdict(summary) for name, summary in self.audit.items()},
        }
