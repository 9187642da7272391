"""What the audits in a run's receipts say of its scores.

Does not know how an allele is audited.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
