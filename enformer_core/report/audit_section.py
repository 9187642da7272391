"""What scoring some alleles twice has shown: errors by statistic and by kind of allele."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from enformer_core.dataset.receipts import AuditSummary, Receipt, StatisticError
from enformer_core.dataset.summary import audit_lines
from enformer_core.report.asked import Asked, in_one_line
from enformer_core.report.content import (
    STATUS,
    Block,
    Column,
    Figure,
    Figures,
    Form,
    Prose,
    Section,
    Table,
)
from enformer_core.report.labels import label_of
from enformer_core.report.receipt_source import receipts_source
from enformer_core.words import counted

_WARNING = "*** AUDIT"

_PROSE = (
    "Some alleles were scored a second time, by two plain passes in float32, one of three in float64: an error is "
    "the difference of both, as a part of the allele's effect, over all tracks. Of single tracks only those count "
    "whose effect is above what rounding can do."
)

_PROSE_OF_TILES = (
    "Some tiles were predicted a second time, by plain passes in float32, one of three in float64: an error is the "
    "difference of both, as a part of the predictions."
)

_PARTS = 4  # of an allele's name

# an allele's name ends with REF and ALT, whatever colons its contig has
_SQL = """
WITH audited AS (
    SELECT string_split(audit.variant, ':') AS parts, entry.key AS statistic, entry.value AS found
    FROM (SELECT unnest(audits) AS audit FROM RECEIPTS), unnest(map_entries(audit.statistics)) AS each(entry)
), told AS (
    SELECT statistic, found, length(parts) AS of_name,
           length(parts[-2]) AS ref_bp, length(parts[-1]) AS alt_bp FROM audited
)
SELECT statistic,
       CASE WHEN of_name < 4 THEN 'tile' WHEN ref_bp < alt_bp THEN 'insertion' WHEN ref_bp > alt_bp THEN 'deletion'
            WHEN ref_bp = 1 THEN 'SNV' ELSE 'MNV' END AS kind,
       count(*) AS audited,
       median(found.error / found.norm) FILTER (found.norm > found.bound) AS median_error,
       max(found.error / found.norm) FILTER (found.norm > found.bound) AS worst_error,
       max(found.error) FILTER (found.norm <= found.bound) AS error_without_effect,
       median(found.median_track_error) AS median_track_error,
       max(found.wrong_signs / found.tracks) FILTER (found.tracks > 0) AS wrong_signs,
       count(*) FILTER (found.exceeded) AS beyond_bound
FROM told GROUP BY ALL ORDER BY statistic, kind
"""

_FORMS: dict[str, Form] = {
    "statistic": "text",
    "kind": "text",
    "audited": "count",
    "median_error": "percent",
    "worst_error": "percent",
    "error_without_effect": "number",
    "median_track_error": "percent",
    "wrong_signs": "percent",
    "beyond_bound": "count",
}


def audit_section(asked: Asked) -> Section | None:
    """Errors of the engine, as far as they were looked at; None of a kind of run that looks at none."""
    if not asked.progress.audit and "audit_fraction" not in asked.ledger.run.identity:
        return None
    return Section("audit", "Audit", list(_blocks(asked)))


def _blocks(asked: Asked) -> Iterator[Block]:
    summaries = asked.progress.audit
    if not summaries:
        yield Prose(
            f"None of the {asked.progress.unit} was computed a second time, so that nothing is known here of the "
            f"engine's errors{_option(asked)}.",
            "note",
        )
        return
    yield Prose(_PROSE if asked.progress.unit == "alleles" else _PROSE_OF_TILES)
    for name, summary in summaries.items():
        at = ("audit", name)
        yield Figures(
            [
                Figure(
                    f"{name}: {asked.progress.unit} audited",
                    summary.audited,
                    STATUS,
                    (*at, "audited"),
                ),
                Figure(
                    f"{name}: median error",
                    summary.median_error,
                    STATUS,
                    (*at, "median_error"),
                    "percent",
                ),
                Figure(
                    f"{name}: worst error",
                    summary.worst_error,
                    STATUS,
                    (*at, "worst_error"),
                    "percent",
                ),
            ]
        )
        yield from _tolerance(name, summary)
        if summary.without_effect:
            yield Prose(_rests_on(name, summary, asked.progress.unit), "note")
    for line in audit_lines(summaries, unit=asked.progress.unit):
        if line.startswith(_WARNING):
            yield Prose(line, "warning")
    yield _by_kind(asked)


def _option(asked: Asked) -> str:
    """What would have audited more; tiles have no such option."""
    return " (--audit-fraction)" if asked.progress.unit == "alleles" else ""


def _tolerance(name: str, summary: AuditSummary) -> Iterator[Block]:
    if summary.tolerance is None:
        return
    yield Prose(
        f"{name}: the tolerance is {summary.tolerance:.3g} of the value: for the norm over tracks, for half of the "
        "tracks, and for the part of them that may have another sign."
        if name != "predictions"
        else f"{name}: the tolerance is {summary.tolerance:.3g} of the norm.",
    )


def _rests_on(
    name: str,
    summary: AuditSummary,
    unit: str,
) -> str:
    """Of how many rows the errors are: of those without an effect an error is no part of it."""
    acting = summary.audited - summary.without_effect
    if not acting:
        return (
            f"{name}: none of the {counted(summary.audited, unit)} has an effect beyond rounding, of which an error "
            "would be a part."
        )
    return (
        f"{name}: median and worst error rest on {counted(acting, unit)} with an effect; of {summary.without_effect:,} "
        "without one an error is no part."
    )


def _by_kind(asked: Asked) -> Table:
    found: dict[tuple[str, str], list[StatisticError]] = defaultdict(list)
    for name, kind, error in _errors(asked.receipts):
        found[name, kind].append(error)
    rows = [(*of, *_row(errors)) for of, errors in sorted(found.items())]
    columns = [Column(name, label_of(name), form) for name, form in _FORMS.items()]
    source = receipts_source(asked.location, in_one_line(_SQL))
    return Table("Errors by statistic and kind of allele", columns, rows, source)


def _errors(receipts: Sequence[Receipt]) -> Iterator[tuple[str, str, StatisticError]]:
    for receipt in receipts:
        for audit in receipt.audits:
            kind = kind_of(audit.variant)
            for name, error in audit.statistics.items():
                yield name, kind, error


def kind_of(variant: str) -> str:
    """What an allele is, by its name `chrom:pos:ref:alt`: SNV, MNV, insertion or deletion; or a tile."""
    parts = variant.split(":")
    # a tile is called by its contig and bases
    if len(parts) < _PARTS:
        return "tile"
    *_, ref, alt = parts
    if len(ref) != len(alt):
        return "insertion" if len(ref) < len(alt) else "deletion"
    return "SNV" if len(ref) == 1 else "MNV"


def _row(errors: Sequence[StatisticError]) -> tuple[Any, ...]:
    known = [(each.error, each) for each in errors if each.error is not None]
    parts = [error / each.norm for error, each in known if each.has_effect]
    of_none = [error for error, each in known if not each.has_effect]
    of_tracks = [each.median_track_error for each in errors if each.median_track_error is not None]
    wrong_signs = [each.wrong_signs / each.tracks for each in errors if each.tracks]
    return (
        len(errors),
        median(parts) if parts else None,
        max(parts, default=None),
        max(of_none, default=None),
        median(of_tracks) if of_tracks else None,
        max(wrong_signs, default=None),
        sum(each.exceeded for each in errors),
    )
