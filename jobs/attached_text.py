"""Delimited text as a table of which no row is lost: the header's columns in every line, a row for each line.

Readers that guess skip lines which do not look like the others, or fill them up. Here the first line names the columns,
its separator is that of all, and lines are counted beside the reader. Types are those that every value of a column has.
Knows bytes and columns. Does not know what they are called for.
"""

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from enformer_core.errors import InputError
from enformer_core.words import counted
from jobs.attached_types import (
    note_of_renamed,
    note_of_text,
    notes_of_doubles,
    quoted_name,
    shown_text,
    type_of_cells,
)

_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
_NULLS = ["", "NA", "."]
"""As files of the field write that there is no value."""

_BLOCK_BYTES = 1 << 24  # as much as the longest line may have
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BCF = b"BCF\x02"
_BOM = b"\xef\xbb\xbf"

# what names a row and no column: an rsID, a place, a number
_OF_ROWS = re.compile(
    r"rs[0-9]+|(chr)?[0-9XYM]{1,2}[:_-][0-9]+.*|[+-]?[0-9.]+([eE][+-]?[0-9]+)?", re.IGNORECASE
)


@dataclass(frozen=True)
class _Header:
    """The first line that names columns.

    Attributes:
        names: of the columns.
        separator: what stands between cells.
        lines: how many lines it is, with remarks before it.
        filled: how many of these are not empty.
        quotes: whether cells may stand in quotes, in which separators are letters.
        renamed: names that SQL could not tell from others, and by them what these columns are called.
    """

    names: Sequence[str]
    separator: str
    lines: int
    filled: int
    quotes: bool
    renamed: Mapping[str, str]


class _CountedLines(io.RawIOBase):
    """A stream of bytes, and how many of its lines are not empty."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._open = b""
        self.lines = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """The next bytes, counted."""
        content = bytes(self._stream.read(len(buffer)))
        buffer[: len(content)] = content
        self._count(content)
        return len(content)

    def _count(self, content: bytes) -> None:
        # at the end a last line may have none
        text = (self._open + (content or b"\n")).replace(b"\r\n", b"\n")
        last = text.rfind(b"\n") + 1
        letters = np.frombuffer(text[:last], np.uint8)
        ends = np.flatnonzero(letters == ord("\n"))
        # a, an empty line, b: ends at 1 2 4, and so lengths of 1 0 1
        lengths = np.diff(ends, prepend=-1) - 1
        self.lines += int(np.count_nonzero(lengths))
        rest = text[last:]
        # of an open line it matters that it has letters, and whether it ends in the half of an end
        self._open = rest[:1] + rest[1:][-1:]


def create_text_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    file: Path,
    compression: str | None,
    *,
    texts: Collection[str],
) -> list[str]:
    """Make a table of delimited text.

    Args:
        connection: on which.
        name: of the table; letters, digits and underscores.
        file: the text.
        compression: `gzip`, `zstd` or None.
        texts: names of columns, in small letters, whose values stay text whatever they look like.

    Returns:
        What its reader should know of columns, in words.

    Raises:
        InputError: for a line with more or fewer cells than the header, with the line; for what is no such text.
    """
    header = _header(file, compression)
    rows = _rows(file, compression, header)
    written = f"{name}_as_written"
    connection.register(written, rows)
    casts = []
    notes = [note_of_renamed(*each) for each in header.renamed.items()]
    for column in rows.column_names:
        quoted = quoted_name(column)
        kind = "VARCHAR"
        if column.lower().lstrip("#") not in texts:
            kind = type_of_cells(connection, written, column)
            if kind == "VARCHAR":
                notes += note_of_text(connection, written, column)
            elif kind == "DOUBLE":
                notes += notes_of_doubles(connection, written, {column: quoted})
        casts.append(f"CAST({quoted} AS {kind}) AS {quoted}")
    connection.execute(f'CREATE TABLE "{name}" AS SELECT {", ".join(casts)} FROM {written}')  # noqa: S608
    connection.unregister(written)
    return notes


def _opened(file: Path, compression: str | None) -> pa.NativeFile:
    return pa.input_stream(str(file), compression=compression)


def _header(file: Path, compression: str | None) -> _Header:
    with _opened(file, compression) as stream:
        lines = io.BytesIO(stream.read(_BLOCK_BYTES))
    if lines.getvalue().startswith(_BCF):
        raise InputError("is BCF, no text. Make it a VCF: bcftools view FILE > variants.vcf")
    filled = 0
    remarks = 0
    for number, line in enumerate(lines, start=1):
        filled += bool(line.rstrip(b"\r\n"))
        is_remark = line.startswith(b"##")
        remarks += is_remark
        if line.rstrip(b"\r\n") and not is_remark:
            # below remarks, as VCF has them, columns are parted by tabs, and a quote is a letter like any other
            return _read_header(file, line, number, filled=filled, quotes=not remarks)
    raise InputError("it has no line that names columns")


def _read_header(
    file: Path,
    line: bytes,
    number: int,
    *,
    filled: int,
    quotes: bool,
) -> _Header:
    if line.startswith(_UTF16):
        raise InputError(f"text in UTF-16. Write it as UTF-8: iconv -f UTF-16 -t UTF-8 {file.name}")
    try:
        text = line.removeprefix(_BOM).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _no_utf8(file, number) from error
    separators = _SEPARATORS if quotes else "\t"
    found = {each: cells for each in separators if (cells := _cells_by(text, each, quotes=quotes))}
    if not found:
        raise InputError(f"line {number} has a quote that is not closed: {shown_text(text)}")
    # a tab is part of no name; of equals, as where there is one column, it is commas
    has_tabs = len(found.get("\t", ())) > 1
    separator = "\t" if has_tabs else max(found, key=lambda each: len(found[each]))
    names = found[separator]
    if len(names) == 1 and len(text.split()) > 1:
        raise InputError(
            f"line {number} has no tabs, commas or semicolons: {shown_text(text)}. The first line names the columns: "
            "remove what stands before it; make spaces between columns tabs: tr -s ' ' '\\t' < FILE"
        )
    of_rows = [name for name in names if _OF_ROWS.fullmatch(name)]
    if of_rows:
        raise InputError(
            f"line {number} names no columns, but has a row's {shown_text(of_rows[0])}. Put a line with the "
            "columns' names before it."
        )
    unique = _unique(names)
    renamed = {
        name: free for name, free in zip(names, unique, strict=True) if name not in ("", free)
    }
    return _Header(unique, separator, number, filled, quotes, renamed)


def _cells_by(line: str, separator: str, *, quotes: bool) -> list[str]:
    """The cells by a separator; none where quotes say that it is not that."""
    try:
        return _cells(line, separator, quotes=quotes)
    except csv.Error:
        return []


def _cells(line: str, separator: str, *, quotes: bool) -> list[str]:
    if not quotes:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator, strict=True), [])


def _unique(names: Sequence[str]) -> list[str]:
    """Names that SQL tells apart: a second `P` beside `p` is `P_1`; one without a name is called by its number."""
    taken: set[str] = set()
    unique = []
    for at, name in enumerate(names):
        free = name or f"column{at}"
        repeats = 0
        while free.lower() in taken:
            repeats += 1
            free = f"{name}_{repeats}"
        taken.add(free.lower())
        unique.append(free)
    return unique


def _rows(file: Path, compression: str | None, header: _Header) -> pa.Table:
    """All rows, every cell as text."""
    with _opened(file, compression) as stream:
        lines = _CountedLines(stream)
        try:
            rows = arrow_csv.read_csv(
                pa.PythonFile(lines, mode="r"),
                read_options=arrow_csv.ReadOptions(
                    block_size=_BLOCK_BYTES,
                    skip_rows=header.lines,
                    column_names=list(header.names),
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=header.separator, quote_char='"' if header.quotes else False
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(header.names, pa.string()),
                    null_values=_NULLS,
                    strings_can_be_null=True,
                ),
            )
        except pa.ArrowInvalid as error:
            raise _fault(file, compression, header, f"{error}") from error
    expected = lines.lines - header.filled
    if rows.num_rows != expected:
        said = f"{rows.num_rows:,} rows in {expected:,} lines: each row must be a line"
        raise _fault(file, compression, header, said)
    if len(header.names) == 1:
        _check_one_column(rows)
    return rows


def _check_one_column(rows: pa.Table) -> None:
    """Refuse lines that have columns by another sign than the header, which has one column by any."""
    has_others = pc.match_substring_regex(rows[0], r"[\t;|]")
    first = pc.index(has_others, True).as_py()
    if first >= 0:
        raise InputError(
            f"row {first + 1} has more columns than the line that names them, which has one: "
            f"{shown_text(rows[0][first].as_py())}. Name each column in the first line"
        )


def _fault(file: Path, compression: str | None, header: _Header, said: str) -> InputError:
    """What is wrong with the first line that is no row; else what was said."""
    with _opened(file, compression) as stream:
        for number, line in enumerate(io.BufferedReader(_CountedLines(stream)), start=1):
            if number <= header.lines or not line.rstrip(b"\r\n"):
                continue
            try:
                text = line.decode().rstrip("\r\n")
                cells = _cells(text, header.separator, quotes=header.quotes)
            except UnicodeDecodeError:
                return _no_utf8(file, number)
            except csv.Error:
                return InputError(
                    f"line {number} has a quote that is not closed, or goes on behind it: {shown_text(text)}. Each row "
                    "must be one line; a quote within a cell is written twice"
                )
            if len(cells) != len(header.names):
                return _uneven(number, text, len(cells), header)
    return InputError(said)


def _uneven(number: int, line: str, cells: int, header: _Header) -> InputError:
    columns = len(header.names)
    by = _SEPARATORS[header.separator]
    # as R writes it with row.names and without a name for them
    is_of_r = number == header.lines + 1 and cells == columns + 1
    advice = "; of R: write.table(..., row.names = FALSE)" if is_of_r else ""
    return InputError(
        f"line {number} has {counted(cells, 'columns')} by {by}, and line {header.lines}, which names them, {columns}: "
        f"{shown_text(line)}. Give every line the same columns{advice}; no line is left out or filled up"
    )


def _no_utf8(file: Path, number: int) -> InputError:
    return InputError(
        f"line {number} is no UTF-8. Write it so, as by iconv -f latin1 -t utf-8 {file.name}"
    )
