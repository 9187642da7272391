"""What the receipts of a run come to together, taken one after another without keeping them."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from enformer_core.dataset.computed_on import ComputedOnTotals
from enformer_core.dataset.receipts import AuditedAllele, AuditSummary, Receipt, StatisticError
from enformer_core.dataset.run_type import RunType
from enformer_core.words import agreeing, counted

_AUDITS_KEPT = 100_000
_NAMED = 5
_ADVICE = {
    "alleles": "Do not use these scores; score again with --precision exact or --engine direct."
}
_PAUSE_S = 60.0
"""For so long nothing is at work between two commands at least; less is waiting within one."""


@dataclass
class WorkTime:
    """The time in which shards were at work, from their spans in any order; of each moment only once.

    Spans of 0-10 s, 5-20 s and 500-510 s come to 30 s: what lies before the last of them is a pause.
    """

    _spans: list[tuple[float, float]] = field(default_factory=list)

    def add(self, start_s: float, end_s: float) -> None:
        """A shard was at work so long."""
        # All that touch the new span lie side by side, for spans are kept in order and apart.
        first = bisect_left(self._spans, start_s - _PAUSE_S, key=_end)
        end = bisect_right(self._spans, end_s + _PAUSE_S, key=_start)
        touched = self._spans[first:end]
        starts = [start_s, *map(_start, touched)]
        ends = [end_s, *map(_end, touched)]
        joined = min(starts), max(ends)
        self._spans[first:end] = [joined]

    @property
    def seconds(self) -> float:
        """Of all spans together, at least one second."""
        # others divide by it
        lengths_s = [end_s - start_s for start_s, end_s in self._spans]
        return max(sum(lengths_s), 1.0)


def _start(span: tuple[float, float]) -> float:
    return span[0]


def _end(span: tuple[float, float]) -> float:
    return span[1]


@dataclass
class Totals:
    """Sums over receipts.

    Attributes:
        shards: how many.
        rows: of the plan that they answer.
        by_status: those by status.
        table_rows: rows of each table.
        arithmetic: number formats in use.
        gpu_s: seconds of GPUs.
        cpu_s: seconds of CPU threads, where no GPU computed.
        work: when shards were at work.
        last_commit: when the latest of the receipts was put.
        reused: rows whose values were copied from other runs.
        computed_s: seconds that shards took, of all workers together.
        audit_s: those of them in which some alleles were scored twice.
        computed_on: what computed the rows.
    """

    shards: int = 0
    rows: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    table_rows: Counter[str] = field(default_factory=Counter)
    arithmetic: set[str] = field(default_factory=set)
    gpu_s: float = 0.0
    cpu_s: float = 0.0
    work: WorkTime = field(default_factory=WorkTime)
    last_commit: datetime | None = None
    reused: int = 0
    computed_s: float = 0.0
    audit_s: float = 0.0
    computed_on: ComputedOnTotals = field(default_factory=ComputedOnTotals)
    _audits: list[AuditedAllele] = field(default_factory=list)

    def add(self, receipt: Receipt) -> None:
        """Add the figures of one more receipt."""
        self.shards += 1
        self.rows += receipt.rows
        self.reused += sum(each.count for each in receipt.copied)
        self.by_status.update(receipt.by_status)
        self.table_rows.update({name: table.rows for name, table in receipt.tables.items()})
        # of a run of millions, the first audits tell what all would, in memory that does not grow
        if len(self._audits) < _AUDITS_KEPT:
            self._audits.extend(receipt.audits)
        self.audit_s += sum(audit.seconds for audit in receipt.audits)
        self.computed_on.add(receipt)
        provenance = receipt.provenance
        self.computed_s += provenance.seconds
        if provenance.arithmetic is not None:
            self.arithmetic.add(provenance.arithmetic)
        if provenance.device_type == "cuda":
            self.gpu_s += provenance.seconds
        else:
            self.cpu_s += provenance.seconds * provenance.threads
        committed_at = receipt.committed_at
        self.last_commit = max(committed_at, self.last_commit or committed_at)
        end_s = committed_at.timestamp()
        began = provenance.started_at
        # an older receipt has no start; between computing and commit hardly any time passes
        start_s = end_s - provenance.seconds if began is None else began.timestamp()
        self.work.add(start_s, end_s)

    @property
    def audit(self) -> dict[str, AuditSummary]:
        """What scoring some alleles twice has shown, by statistic."""
        return summarise_audits(self._audits)

    @property
    def work_s(self) -> float:
        """Seconds in which shards were at work, at least one; pauses between commands do not count."""
        return self.work.seconds


def rows_beside(run_type: RunType, table_rows: Mapping[str, int]) -> list[str]:
    """What a run's value tables hold beside the first, whose rows are told by status: `6 rows of gene_effects`.

    Args:
        run_type: which tables there are.
        table_rows: rows of each; a table of which nothing is committed has none.
    """
    beside = [table.name for table in run_type.value_tables[1:]]
    return [f"{counted(table_rows.get(name, 0), 'rows')} of {name}" for name in beside]


def summarise_audits(audits: Iterable[AuditedAllele]) -> dict[str, AuditSummary]:
    """Summaries by statistic, from the entries of receipts."""
    by_statistic: dict[str, list[_Audited]] = {}
    for audit in audits:
        for name, error in audit.statistics.items():
            by_statistic.setdefault(name, []).append((audit, error))
    return {name: _summary(errors) for name, errors in by_statistic.items()}


_Audited = tuple[AuditedAllele, StatisticError]


def _summary(errors: Sequence[_Audited]) -> AuditSummary:
    entries = [entry for _, entry in errors]
    exceeded = [audit.variant for audit, entry in errors if entry.exceeded]
    without_effect = [entry for entry in entries if not entry.has_effect]
    # of an allele without effect there is nothing that an error could be a part of
    absolute = [entry.error for entry in without_effect if entry.error is not None]
    relative = [
        entry.error / entry.norm
        for entry in entries
        if entry.has_effect and entry.error is not None
    ]
    of_tracks = [
        entry.median_track_error for entry in entries if entry.median_track_error is not None
    ]
    wrong_signs = [entry.wrong_signs / entry.tracks for entry in entries if entry.tracks]
    return AuditSummary(
        audited=len(errors),
        median_error=median(relative) if relative else None,
        worst_error=max(relative, default=None),
        exceeded=tuple(exceeded),
        without_effect=len(without_effect),
        worst_absolute_error=max(absolute, default=None),
        median_track_error=median(of_tracks) if of_tracks else None,
        worst_wrong_signs=max(wrong_signs, default=None),
        in_float64=sum(audit.yardstick == "float64" for audit, _ in errors),
        tolerance=max((each.tolerance for each in entries if each.tolerance), default=None),
        beyond=dict(Counter(measure for each in entries for measure in each.beyond)),
    )


def audit_lines(
    summaries: Mapping[str, AuditSummary], *, strict: bool = False, unit: str = "alleles"
) -> list[str]:
    """A line for each statistic, and a warning that cannot be missed where a bound was exceeded.

    Args:
        summaries: by statistic.
        strict: whether an exceeded bound fails the run, rather than being a warning.
        unit: what was scored a second time, in the plural.
    """
    lines = [_audit_line(name, summary, unit) for name, summary in summaries.items()]
    exceeded = {name: summary for name, summary in summaries.items() if summary.exceeded}
    lines += [_warning(name, summary, unit, strict=strict) for name, summary in exceeded.items()]
    return lines


def _audit_line(name: str, summary: AuditSummary, unit: str) -> str:
    audited = summary.audited
    alleles = f"{counted(audited, unit)} {agreeing(audited, 'was', 'were')}"
    heading = f"audit    {name}: {alleles} scored a second time, the slow and plain way"
    if audited and summary.without_effect == audited:
        return f"{heading}; {_without_effect(summary)}"
    said = []
    if summary.worst_error is not None:
        middle = _percent(summary.median_error)
        worst = _percent(summary.worst_error)
        said.append(f"{middle} in the median, {worst} at most")
    if summary.without_effect:
        heading += (
            f"; {audited - summary.without_effect:,} of {audited:,} audited {unit} had an effect"
        )
    if summary.tolerance is not None:
        heading += f"; tolerance {_percent(summary.tolerance)}"
    # An error is no part of nothing, so it is told as it is.
    if summary.worst_absolute_error is not None:
        worst = f"{summary.worst_absolute_error:.2g} at most"
        said.append(f"{worst} for the {summary.without_effect:,} without an effect")
    if not said:
        return heading
    return (
        f"{heading}; measured, the scores differ by {', and by '.join(said)}{_of_tracks(summary)}"
    )


def _of_tracks(summary: AuditSummary) -> str:
    """What the norm over tracks does not tell: it hardly sees the weak ones."""
    if summary.median_track_error is None:
        return ""
    text = f"; single tracks by {_percent(summary.median_track_error)} in the median"
    wrong = summary.worst_wrong_signs
    return f"{text}, {_percent(wrong)} of them at most with another sign" if wrong else text


def _without_effect(summary: AuditSummary) -> str:
    """Of alleles without an effect there is nothing that an error could be a part of."""
    one = summary.audited == 1
    none = "the one has no effect" if one else f"none of the {summary.audited:,} has an effect"
    text = f"the error could not be judged: {none}"
    worst = summary.worst_absolute_error
    return text if not worst else f"{text} (the scores differ by {worst:.2g} at most)"


def _warning(name: str, summary: AuditSummary, unit: str, *, strict: bool) -> str:
    shown = ", ".join(summary.exceeded[:_NAMED])
    if len(summary.exceeded) > _NAMED:
        shown += ", …"
    heading = "AUDIT FAILED" if strict else "AUDIT WARNING"
    hint = "" if strict else " (with --strict, this is exit code 4)"
    return (
        f"*** {heading} *** {name}: {len(summary.exceeded)} of {summary.audited} audited "
        f"{unit} differ from plain scoring by more than {_allowed(summary)}{_by_measure(summary)}{hint}: {shown}. "
        f"{_ADVICE.get(unit, 'Do not use these values.')}"
    )


def _allowed(summary: AuditSummary) -> str:
    if summary.tolerance is None:
        return "the tolerance"
    return f"the tolerance of {_percent(summary.tolerance)}"


_MEASURES = {
    "norm": "by the norm over tracks",
    "tracks": "by more than half of the tracks",
    "signs": "by signs of tracks",
}


def _by_measure(summary: AuditSummary) -> str:
    """Which bounds they are beyond; nothing of runs that did not write it down."""
    said = [f"{number:,} {_MEASURES[name]}" for name, number in summary.beyond.items()]
    return f" ({', '.join(said)})" if said else ""


def audit_cost_lines(
    summaries: Mapping[str, AuditSummary], audit_s: float, computed_s: float
) -> list[str]:
    """What the audit took, and how much of it was in float64; nothing where that was not written down.

    Args:
        summaries: by statistic.
        audit_s: seconds of workers in which alleles were scored a second time.
        computed_s: seconds in which they computed at all, those among them.
    """
    if not audit_s or not summaries:
        return []
    in_float64 = max(summary.in_float64 for summary in summaries.values())
    part = (
        f", {100 * audit_s / computed_s:.0f} % of the time that workers computed"
        if computed_s
        else ""
    )
    held = f"; {in_float64:,} held against float64, the others against float32"
    return [f"audit    took {audit_s:,.1f} s{part}{held}"]


def audit_failed(summaries: Mapping[str, AuditSummary]) -> bool:
    """Whether any audited allele exceeds its bound."""
    return any(summary.exceeded for summary in summaries.values())


def _percent(error: float | None) -> str:
    return "unknown" if error is None else f"{100 * error:.2g} %"
