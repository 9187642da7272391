"""A report, made of a run that is asked, section by section."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from enformer_core.dataset.damage import first_lines
from enformer_core.report.asked import Asked
from enformer_core.report.audit_section import audit_section
from enformer_core.report.beside_section import beside_section
from enformer_core.report.content import Figures, Report, Section
from enformer_core.report.distribution import distribution_section
from enformer_core.report.effects_section import effects_section, genes_section
from enformer_core.report.limits import limits_section
from enformer_core.report.rows_section import counted_rows, rows_section
from enformer_core.report.run_section import run_section
from enformer_core.report.tables_section import tables_section
from enformer_core.report.work_section import work_section
from enformer_core.version import __version__
from enformer_core.words import counted

Maker = Callable[[], Section | Sequence[Section] | None]


def _nothing(part: str) -> None:
    del part


def make_report(
    asked: Asked,
    now: datetime,
    begins: Callable[[str], None] = _nothing,
    loci: Callable[[], Sequence[Section]] = tuple,
) -> Report:
    """What a report of a run says; of one that is not finished, of what is committed.

    Args:
        asked: the run.
        now: when it is made, in UTC.
        begins: told of each part of the report before it is made.
        loci: makes sections on loci, which stand after the run's effects.
    """
    sections: list[Section] = []
    for name, make in _makers(asked, loci):
        begins(name)
        made = make()
        if isinstance(made, Section):
            sections.append(made)
        elif made is not None:
            sections += made
    return Report(
        location=asked.location,
        summary=Figures(counted_rows(asked)),
        warnings=list(_warnings(asked)),
        sections=sections,
        made=f"{now:%Y-%m-%d %H:%M} UTC by enformer-ray {__version__}",
    )


def _makers(
    asked: Asked,
    loci: Callable[[], Sequence[Section]],
) -> Iterator[tuple[str, Maker]]:
    """The parts that this run has, in order, with what makes each."""
    yield "what was run", lambda: run_section(asked)
    yield "rows by status", lambda: rows_section(asked)
    yield "speed", lambda: work_section(asked)
    yield "audit", lambda: audit_section(asked)
    if asked.tables & {"scores", "predictions", "contributions", "links", "insulation"}:
        of_scores = _statistics(asked) if "scores" in asked.tables else []
        yield "limits", lambda: limits_section(of_scores)
    if "top" in asked.tables:
        statistics = _statistics(asked)
        yield "strongest effects", lambda: effects_section(asked, statistics)
        yield "effects by assay", lambda: distribution_section(asked, statistics)
    if "top_genes" in asked.tables:
        yield "genes", lambda: genes_section(asked)
    yield "loci", loci
    yield "tables beside the run", lambda: beside_section(asked)
    yield "tables", lambda: tables_section(asked)


def _statistics(asked: Asked) -> list[str]:
    (scores, *_) = asked.ledger.run_type.value_tables
    return list(asked.ledger.run_type.value_columns(scores, asked.ledger.run))


def _warnings(asked: Asked) -> Iterator[str]:
    progress = asked.progress
    if progress.notice:
        yield progress.notice
    if not progress.finished:
        yield (
            f"This run is not complete: {progress.rows_done:,} of {counted(progress.rows, progress.unit)} are "
            "answered, and all figures here are of those alone. The same command goes on with the rest."
        )
    if progress.lost:
        lost = "; ".join(first_lines(progress.lost))
        yield f"Damaged since it was complete, and all figures here are of what is left: {lost}"
