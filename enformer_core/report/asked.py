"""A run that a report asks: its ledger, and a connection on which its tables and views lie.

The connection is the one that `enformer-ray query` has, so that a report's SQL, copied, gives the report's numbers.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import duckdb

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.progress import RunProgress, run_progress
from enformer_core.dataset.receipts import Receipt
from enformer_core.report.content import Column, Form, Source, Table
from enformer_core.report.labels import form_of, label_of

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


def no_notes(sql: str) -> Iterable[str]:
    """Nothing is known of an answer beside its rows."""
    del sql
    return ()


@dataclass(frozen=True)
class Asked:
    """A run that is asked.

    Attributes:
        ledger: of the run.
        connection: with a view for each table of the run, and those that are made of them.
        location: of the run, as its user gave it.
        notes: what a reader of an answer should know, by its SQL.
        defaults: of the settings that the run's command takes, by name; None where they are not known.
        attached: names of the user's own tables on the connection, with the files.
    """

    ledger: Ledger
    connection: duckdb.DuckDBPyConnection
    location: str
    notes: Callable[[str], Iterable[str]] = no_notes
    defaults: Mapping[str, Any] | None = None
    attached: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def progress(self) -> RunProgress:
        """What `enformer-ray status` says of the run."""
        return run_progress(self.ledger)

    @cached_property
    def receipts(self) -> Sequence[Receipt]:
        """What is committed, in the order of shards."""
        return tuple(self.ledger.receipts())

    @cached_property
    def tables(self) -> frozenset[str]:
        """Names of the tables and views that are there: of a run of which nothing is committed hardly any."""
        return frozenset(name for (name,) in self.connection.sql("SHOW TABLES").fetchall())

    def columns_of(self, table: str) -> dict[str, str]:
        """The columns of a table that is there, and their types."""
        described = self.connection.sql(f"DESCRIBE {quoted(table)}").fetchall()
        return {name: kind for name, kind, *_ in described}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The answer of a question."""
        return self.connection.sql(sql).fetchall()

    def table(
        self,
        title: str,
        sql: str,
        *,
        notes: Sequence[str] = (),
        forms: Mapping[str, Form] | None = None,
    ) -> Table:
        """The answer of a question as a table of the report, column for column.

        Args:
            title: above it.
            sql: in any number of lines.
            notes: what a reader should know of it.
            forms: of columns whose names do not tell how they are shown.
        """
        text = in_one_line(sql)
        relation = self.connection.sql(text)
        known = forms or {}
        columns = [
            Column(name, label_of(name), known.get(name) or form_of(name, str(kind)))
            for name, kind in zip(relation.columns, relation.types, strict=True)
        ]
        return Table(title, columns, relation.fetchall(), Source("query", text), notes)


def in_one_line(sql: str) -> str:
    """SQL as a shell takes it in one line; it must hold no text with blanks that count."""
    return " ".join(sql.split())


def quoted(name: str) -> str:
    """A name as SQL has it, whatever it holds; as it is where nothing else can be meant."""
    if _PLAIN.fullmatch(name) and name not in _words_of_sql():
        return name
    return '"' + name.replace('"', '""') + '"'


@cache
def _words_of_sql() -> frozenset[str]:
    """Words that mean something else in some place, as `position` and `at`: those that this DuckDB keeps for itself."""
    with duckdb.connect() as connection:
        asked = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
        found = connection.sql(asked).fetchall()
    return frozenset(word for (word,) in found)
