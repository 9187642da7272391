"""Rows of a query as text in columns or as JSON, one after another, in numbers that read back as they are stored.

Files and pipes are given every column in full, but for long lists and texts; a terminal is given what fits in its
lines.
Knows types and letters. Does not know what was asked.
"""

import json
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from functools import singledispatch
from itertools import chain, count, islice

import duckdb
import pyarrow as pa

from enformer_core.user_path import for_json, one_line
from jobs.terminal import print_prose, terminal_columns
from jobs.text_columns import TextColumns

_MEASURED_ROWS = 1_000  # the first ones decide how wide the columns of text are
_BATCH_ROWS = 1_000
_LONGEST_LIST = 200  # letters of a list over tracks that text shows
_LONGEST_TEXT = 1_000  # letters of any other cell: no name is longer, and a window's sequence is
_SHOWN_LETTERS = 200
_MOST_64_BITS = 2**63

# DuckDB's types of which neither Python nor JSON has one: they are written as DuckDB writes them.
_WITHOUT_EQUAL = re.compile(r"TIME ZONE|_NS|\bBIT\b|HUGEINT|INTERVAL|UNION|VARIANT|GEOMETRY")

# As sum() gives them; Arrow's have fewer digits.
_LONG_INTEGER = re.compile(r"U?HUGEINT")

# A name or a text within a type, as in STRUCT("FLOAT" DOUBLE), is none; the digits of 32 bits are others in 64.
_FLOAT = re.compile(r"""("(?:[^"]|"")*"|'(?:[^']|'')*')|\bFLOAT\b""")

_NUMBER = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*)")

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_WORDS_OF_SQL = frozenset({"at", "end", "group", "table", "order", "all", "column"})

Row = tuple[object, ...]


def print_text(relation: duckdb.DuckDBPyRelation, kept: Sequence[str] = ()) -> None:
    """Print the rows in columns below their names, then how many they are, and what a terminal had no room for.

    Args:
        relation: the rows.
        kept: columns that a narrow terminal is given before all others, what matters most first; of them lists last.
    """
    types = [str(kind) for kind in relation.types]
    names = [one_line(name) for name in relation.columns]
    rows = rows_of(as_text(relation))
    texts = (tuple(map(_cell, row)) for row in rows)
    first = list(islice(texts, _MEASURED_ROWS))
    widths = [max(map(len, column)) for column in zip(names, *first, strict=True)]
    is_number = [bool(_NUMBER.fullmatch(kind)) for kind in types]
    same = _same_in_all(first)
    room = terminal_columns()
    # a list takes the room of several columns, and tells the least of a row
    lists = {name for name, kind in zip(names, types, strict=True) if kind.endswith("[]")}
    kept = sorted(kept, key=lists.__contains__)
    columns = TextColumns.fitted(names, widths, is_number, room, kept=kept, same=same)
    printed = 0
    print(columns.line(names))
    print(columns.rule())
    for row in chain(first, texts):
        print(columns.line(row))
        printed += 1
        if _reader_left():
            return
    unit = "row" if printed == 1 else "rows"
    print(f"({printed:,} {unit})")
    if columns.left_out:
        print_prose([_not_shown(columns)])


def _same_in_all(rows: Sequence[Sequence[str]]) -> frozenset[int]:
    """Places of columns that say one thing in every row; of one row nothing can be said."""
    if len(rows) < 2:
        return frozenset()
    return frozenset(
        place for place, cells in enumerate(zip(*rows, strict=True)) if len(set(cells)) == 1
    )


def _not_shown(columns: TextColumns) -> str:
    """Which columns a terminal has no room for, and how to see them."""
    names = ", ".join(columns.left_out)
    wanted = [columns.names[columns.shown[0]], columns.left_out[0]]
    listed = ", ".join(map(_as_sql, wanted))
    left_out = f"not shown, as the terminal is too narrow: {names}"
    by_name = f"or name the columns that you want: SELECT {listed}, …"
    return f"{left_out} (a file, `> FILE`, or --json has them; {by_name})"


def _as_sql(name: str) -> str:
    """The name of a column as SQL takes it: in quotes, unless it is a plain word that means nothing else."""
    quoted = name.replace('"', '""')
    is_plain = _PLAIN_NAME.fullmatch(name) and name not in _WORDS_OF_SQL
    return name if is_plain else f'"{quoted}"'


def print_json(relation: duckdb.DuckDBPyRelation) -> None:
    """Print the rows as one JSON list of objects, a row a line.

    A FLOAT has the digits that read back to it: 0.3, and not 0.30000001192092896.
    What JSON cannot say: NaN and infinities are null; dates, times, blobs (as hexadecimal) and intervals are text.
    A name that several columns have is numbered from the second on: `a`, `a_2`.
    """
    names = unique_names(relation.columns)
    types = list(map(str, relation.types))
    plain = ["VARCHAR" if _WITHOUT_EQUAL.search(kind) else "" for kind in types]
    # the database knows the shortest digits of a FLOAT, and a double has no others for them
    digits = [
        text or _with_floats_as("VARCHAR", kind) for text, kind in zip(plain, types, strict=True)
    ]
    doubles = [
        "" if text else _with_floats_as("DOUBLE", kind)
        for text, kind in zip(plain, types, strict=True)
    ]
    is_whole = [bool(_LONG_INTEGER.fullmatch(kind)) for kind in types]
    before = "["
    for row in rows_of(_projected(relation, [digits, doubles])):
        values = [
            json_value(_whole(value) if whole else value)
            for value, whole in zip(row, is_whole, strict=True)
        ]
        named = dict(zip(names, values, strict=True))
        line = for_json(json.dumps(named, ensure_ascii=False))
        print(before, end="\n")
        print(line, end="")
        before = ","
        if _reader_left():
            return
    print("[]" if before == "[" else "\n]")


def print_drawing(relation: duckdb.DuckDBPyRelation) -> None:
    """Print the last column as it is, lines and all."""
    for row in rows_of(relation):
        print(row[-1])


def unique_names(names: Sequence[str]) -> list[str]:
    """Names that are all different: `a, a, a_2` as `a, a_3, a_2`."""
    taken = set(names)
    unique: list[str] = []
    for place, name in enumerate(names):
        numbered = (f"{name}_{number}" for number in count(2))
        is_repeat = name in names[:place]
        unique.append(next(each for each in numbered if each not in taken) if is_repeat else name)
        taken.add(unique[-1])
    return unique


@singledispatch
def json_value(value: object) -> object:
    """A value as JSON has it; see `print_json`."""
    return value if isinstance(value, int | str | None) else str(value)


@json_value.register
def _float(value: float) -> object:
    return value if math.isfinite(value) else None


@json_value.register
def _decimal(value: Decimal) -> object:
    """A number where a reader of JSON, who has doubles, gets the same; else text."""
    if not value.is_finite():
        return None
    as_double = float(value)
    # of the double's own decimals: 0.1 as a double is a little more than 0.1, but is read and written as 0.1
    is_same = Decimal(repr(as_double)) == value
    return as_double if is_same else str(value)


@json_value.register
def _blob(value: bytes) -> object:
    return value.hex()


@json_value.register(date)
@json_value.register(time)
def _moment(value: date | time) -> object:
    return value.isoformat()


@json_value.register(Mapping)
def _mapping(value: Mapping[object, object]) -> object:
    return {str(key): json_value(inner) for key, inner in value.items()}


@json_value.register
def _list(value: list) -> object:  # type: ignore[type-arg]
    # Arrow gives maps as lists of pairs.
    is_map = bool(value) and all(isinstance(pair, tuple) for pair in value)
    return json_value(dict(value)) if is_map else [json_value(inner) for inner in value]


def _whole(value: object) -> object:
    """A long integer that came as text: a number where 64 bits hold it, as readers of JSON may have no more."""
    if not isinstance(value, str):
        return value
    number = int(value)
    return number if -_MOST_64_BITS <= number < _MOST_64_BITS else value


def _with_floats_as(kind: str, within: str) -> str:
    """The name of a type, with another in the place of FLOAT: `FLOAT[]` as `DOUBLE[]`; empty where there is none."""
    renamed = _FLOAT.sub(lambda found: found[1] or kind, within)
    return "" if renamed == within else renamed


def _projected(
    relation: duckdb.DuckDBPyRelation, casts: Sequence[Sequence[str]]
) -> duckdb.DuckDBPyRelation:
    """The columns by their places, each cast to a type after another where one is named; names may be equal or odd."""
    columns = []
    for place, kinds in enumerate(zip(*casts, strict=True), start=1):
        column = f"#{place}"
        for kind in filter(None, kinds):
            column = f"CAST({column} AS {kind})"
        columns.append(f"{column} AS c{place}")
    return relation.project(", ".join(columns))


def as_text(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The same rows, every value as DuckDB writes it: of a FLOAT the shortest digits that read back to it."""
    return _projected(relation, [["VARCHAR"] * len(relation.columns)])


def rows_of(relation: duckdb.DuckDBPyRelation) -> Iterator[Row]:
    """The rows one after another, read in batches."""
    reader = pa.RecordBatchReader.from_stream(relation)
    for batch in reader:
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            columns = [column.to_pylist() for column in batch.slice(start, _BATCH_ROWS).columns]
            yield from zip(*columns, strict=True)


def _cell(value: object) -> str:
    text = "NULL" if value is None else one_line(str(value))
    if text.startswith("[") and len(text) > _LONGEST_LIST:
        shown = text[:_LONGEST_LIST].rpartition(", ")[0]
        return f"{shown}, … {text.count(', ') + 1:,} values]"
    if len(text) > _LONGEST_TEXT:
        return f"{text[:_SHOWN_LETTERS]}… {len(text):,} letters"
    return text


def _reader_left() -> bool:
    """Whether nobody reads what is printed any more, as after `| head`."""
    return bool(getattr(sys.stdout, "lost", False))
