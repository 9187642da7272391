"""Which type the cells of an attached column have, and what a type does not keep of them.

Knows columns of texts in a database. Does not know where they were read.
"""

from collections.abc import Iterator, Mapping

import duckdb

from enformer_core.user_path import one_line
from enformer_core.words import agreeing, counted

_SHOWN_LETTERS = 60

_WHOLE = r"^ *[+-]?(0|[1-9][0-9]{{0,37}}) *$"
_INTEGER = (
    f"regexp_matches({{column}}, '{_WHOLE}') AND TRY_CAST({{column}} AS {{kind}}) IS NOT NULL"
)
_DOUBLE = (
    r"^ *[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)? *$|^[+-]?(nan|inf|infinity)$"
)
_TYPES = {
    "BIGINT": _INTEGER,
    "HUGEINT": _INTEGER,
    "DOUBLE": f"regexp_matches({{column}}, '{_DOUBLE}', 'i')",
    "BOOLEAN": "lower({column}) IN ('true', 'false')",
    "DATE": "regexp_matches({column}, '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$') AND TRY_CAST({column} AS DATE) IS NOT NULL",
}
"""Of each type the question that every value of a column must answer with yes; else it is text, as 007 is."""

_LOST = """
SELECT
  count(*) FILTER (number = 0 AND regexp_matches(cell, '^[^eE]*[1-9]')),
  count(*) FILTER (isinf(number) AND regexp_matches(cell, '[0-9]')),
  count(*) FILTER (
    regexp_matches(cell, '^ *[+-]?[0-9]+ *$')
    AND (whole IS NULL OR whole IS DISTINCT FROM TRY_CAST(number AS HUGEINT))
  )
FROM (
  SELECT cell, TRY_CAST(cell AS DOUBLE) AS number, TRY_CAST(cell AS HUGEINT) AS whole
  FROM (SELECT {cell} AS cell FROM {table})
)
"""
"""Cells that a DOUBLE does not hold: too small, too large, and integers of more digits than it has."""


def type_of_cells(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> str:
    """The first type that every cell of a column of texts has, `VARCHAR` where none is."""
    for kind, question in _TYPES.items():
        asked = f"SELECT bool_and({_of(question, kind, column)}) FROM {table}"  # noqa: S608
        ((is_so,),) = connection.execute(asked).fetchall()
        # null of a column without a value, which may be text
        if is_so:
            return kind
    return "VARCHAR"


def note_of_text(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> Iterator[str]:
    """Of a column that became text though most of its cells are numbers: that it did, and by which cell."""
    is_number = _of(_TYPES["DOUBLE"], "DOUBLE", column)
    cells = f"FROM {table} WHERE {quoted_name(column)} IS NOT NULL"
    ((numbers, all_cells),) = connection.execute(
        f"SELECT count(*) FILTER ({is_number}), count(*) {cells}"
    ).fetchall()
    if 2 * numbers <= all_cells or numbers == all_cells:
        return
    asked = f"SELECT {quoted_name(column)} {cells} AND NOT ({is_number}) LIMIT 1"
    ((cell,),) = connection.execute(asked).fetchall()
    yield (
        f"{shown_text(column)} is text, in whose order 9 is above 10: {numbers:,} of its {counted(all_cells, 'cells')} "
        f"are numbers, and the first that is none is {shown_text(repr(cell))}"
    )


def notes_of_doubles(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str]
) -> Iterator[str]:
    """What columns of 64-bit floats do not hold of the cells that they are made of.

    Args:
        connection: with the table.
        table: of the cells as text.
        columns: by name, and in SQL the text of a cell.
    """
    for name, cell in columns.items():
        asked = _LOST.format(cell=cell, table=table)
        ((below, above, inexact),) = connection.execute(asked).fetchall()
        shown = shown_text(name)
        if below:
            yield f"{shown}: {counted(below, 'values')} nearer to 0 than a 64-bit float can be {_are(below)} 0 here"
        if above:
            yield f"{shown}: {counted(above, 'values')} beyond a 64-bit float {_are(above)} infinite here, null in JSON"
        if inexact:
            yield (
                f"{shown}: {counted(inexact, 'integers')} {agreeing(inexact, 'has', 'have')} more digits than a 64-bit "
                f"float, as which the column is read, and {_are(inexact)} rounded here"
            )


def note_of_renamed(name: str, renamed: str) -> str:
    """That a column has another name here than in its file, as SQL does not tell upper from lower case."""
    return (
        f"its column {shown_text(name)} is called {shown_text(renamed)} here: names that differ in case "
        "alone, or in nothing, are one to SQL"
    )


def quoted_name(name: str) -> str:
    """The name of a column as SQL has it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def shown_text(text: str) -> str:
    """The beginning of a text, as one line."""
    shown = one_line(text)
    return shown if len(shown) <= _SHOWN_LETTERS else f"{shown[:_SHOWN_LETTERS]}…"


def _of(question: str, kind: str, column: str) -> str:
    return question.format(column=quoted_name(column), kind=kind)


def _are(number: int) -> str:
    return agreeing(number, "is", "are")
