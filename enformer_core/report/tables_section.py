"""Which tables the run has, and what any kind of run can show of them."""

from collections.abc import Iterator

from enformer_core.report.asked import Asked, quoted
from enformer_core.report.content import Block, Prose, Section, Table

_FIRST = 20
_MOST_COLUMNS = 14

_HAS_PAGES_OF_ITS_OWN = frozenset({"scores", "effects", "gene_effects", "tracks"})
"""Tables that other sections show."""


def tables_section(asked: Asked) -> Section:
    """Rows of each table, and the first of those that no other section shows."""
    return Section("tables", "Tables of the run", list(_blocks(asked)))


def _blocks(asked: Asked) -> Iterator[Block]:
    names = [*asked.ledger.run_type.tables, "tracks"]
    there = [name for name in names if name in asked.tables]
    if not there:
        yield Prose("There is no table yet.", "note")
        return
    counts = " UNION ALL ".join(
        f"SELECT {place} AS place, '{name}' AS name, count(*) AS count FROM {quoted(name)}"  # noqa: S608
        for place, name in enumerate(there)
    )
    yield asked.table(
        "Rows of each table",
        f"SELECT name, count FROM ({counts}) ORDER BY place",  # noqa: S608 - names of this program
        notes=["What their columns hold: enformer-ray docs tables"],
    )
    for name in there:
        if name not in _HAS_PAGES_OF_ITS_OWN:
            yield _first(asked, name)


def _first(asked: Asked, name: str) -> Table:
    """The first rows, without lists over tracks or bases."""
    columns = asked.columns_of(name)
    plain = [each for each, kind in columns.items() if not kind.endswith("[]")]
    # the contig comes last in a table, and first to a reader
    plain.sort(key=lambda each: each != "chrom")
    shown = ", ".join(map(quoted, plain[:_MOST_COLUMNS]))
    return asked.table(
        f"{name}: its first rows",
        f"SELECT {shown} FROM {quoted(name)} LIMIT {_FIRST}",  # noqa: S608
    )
