"""What became of the rows of the plan: counts by status, contig and flag, and examples of those without values."""

from collections.abc import Iterator

from enformer_core.report.asked import Asked, quoted
from enformer_core.report.content import STATUS, Block, Figure, Figures, Prose, Section

_EXAMPLES = 4
"""Rows of each status that are shown."""

_MOST_CONTIGS = 100

_SHOWN = (
    *("id", "name", "place", "target", "group", "allele", "gene", "chrom", "start", "end"),
    *("input_file", "input_line", "alt_index", "input_ref", "input_alt"),
)
"""What names a row to people, as far as its table has it."""


def rows_section(asked: Asked) -> Section:
    """Counts by status, and examples with their reasons."""
    unit = asked.progress.unit
    return Section("rows", f"What became of the {unit}", list(_blocks(asked)))


def counted_rows(asked: Asked) -> list[Figure]:
    """Rows that are planned, done, and of each status: as `status` counts them."""
    progress = asked.progress
    figures = [
        Figure(f"{progress.unit} planned", progress.rows, STATUS, ("rows",)),
        Figure(f"{progress.unit} answered", progress.rows_done, STATUS, ("rows_done",)),
    ]
    figures += [
        Figure(status, rows, STATUS, ("by_status", status))
        for status, rows in progress.by_status.items()
    ]
    if progress.rows_reused:
        figures.append(
            Figure("copied from other runs", progress.rows_reused, STATUS, ("rows_reused",))
        )
    return figures


def _blocks(asked: Asked) -> Iterator[Block]:
    yield Figures(counted_rows(asked))
    if not asked.progress.rows_done:
        yield Prose(f"No {asked.progress.unit} are answered yet.", "note")
        return
    (values, *_) = asked.ledger.run_type.value_tables
    if values.name not in asked.tables:
        return
    columns = asked.columns_of(values.name)
    if "status" in columns and "reason" in columns:
        yield from _without_values(asked, values.name, values.key_columns, columns)
    if "flags" in columns:
        yield from _flags(asked, values.name)
    if "status" in columns:
        yield _by_contig(asked, values.name)


def _without_values(
    asked: Asked,
    table: str,
    keys: tuple[str, ...],
    columns: dict[str, str],
) -> Iterator[Block]:
    shown = [quoted(name) for name in _SHOWN if name in columns]
    order = ", ".join(quoted(name) for name in keys)
    found = asked.table(
        f"Examples of rows without values, at most {_EXAMPLES} of each status",
        f"""
        SELECT status, reason, {", ".join(shown)} FROM {table} WHERE status <> 'ok'
        QUALIFY row_number() OVER (PARTITION BY status ORDER BY {order}) <= {_EXAMPLES}
        ORDER BY status, {order}
        """,  # noqa: S608 - names of this program
    )
    if found.rows:
        yield found
        yield asked.table(
            "Rows by status",
            f"SELECT status, count(*) AS count FROM {table} GROUP BY status ORDER BY status",  # noqa: S608
        )


def _flags(asked: Asked, table: str) -> Iterator[Block]:
    found = asked.table(
        "Flags: what is worth knowing of rows, whatever their status",
        f"""
        SELECT flag, count(*) AS count FROM (SELECT unnest(flags) AS flag FROM {table})
        GROUP BY flag ORDER BY flag
        """,  # noqa: S608 - a name of this program
    )
    if found.rows:
        yield found


def _by_contig(asked: Asked, table: str) -> Block:
    return asked.table(
        "Rows by contig",
        f"""
        SELECT chrom, count(*) AS count, count(*) FILTER (status = 'ok') AS ok FROM {table}
        GROUP BY chrom ORDER BY count DESC, chrom LIMIT {_MOST_CONTIGS}
        """,  # noqa: S608 - a name of this program
    )
