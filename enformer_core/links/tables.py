"""Tables of elements, genes and pairs as people keep them: BED, text with a header, Parquet; packed by gzip or not.

Knows cells, names of columns, and the line of each row, for messages. Does not know what the cells mean.
"""

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from enformer_core.errors import InputError, first_few
from enformer_core.links.refusals import empty_file, several_columns
from enformer_core.storage.open import local_path

CHROM = ("chr", "chrom", "chromosome")
START = ("start", "chromStart")
END = ("end", "chromEnd")
"""What these columns are called, in any case of letters."""

_BED = ("chrom", "start", "end", "name", "score", "strand")
_NARROW_PEAK = (*_BED, "signalValue", "pValue", "qValue", "peak")

_GZIP_MAGIC = b"\x1f\x8b"
PARQUET_MAGIC = b"PAR1"
"""What such a file begins with."""

# of the UCSC browser: how a file is to be shown
_DISPLAY = re.compile(r"(track|browser)\s")

_WHOLE_NUMBER = re.compile(r"-?\d+")

# a whole cell, in which no other quote stands
_QUOTED = r'^\s*"([^"]*)"\s*$'

_BLANKS = " "

_MISSING = ("", ".", "na", "n/a", "nan", "null", "none")
"""How people write that there is no value, in any case of letters."""

MOST_EXACT = 2**53
"""Up to here each whole number is a float of its own."""

TRUE_WORDS = ("true", "t", "1", "yes")
FALSE_WORDS = ("false", "f", "0", "no")
"""How people write truths, in small letters."""

Numbers = Float64[np.ndarray, " rows"]
WholeNumbers = Int64[np.ndarray, " rows"]


@dataclass(frozen=True)
class Table:
    """The rows of a file, by the names of its columns.

    Attributes:
        name: of the file, as its user calls it.
        rows: the cells; those of text files are text.
        lines: which line of the file each row is, from 1; in Parquet, which row.
        has_header: whether the names are the file's own; those of BED are not.
        unit: what `lines` counts.
        repeated: names in small letters that several columns have.
        twice: names that several columns have letter by letter; all but the first are called otherwise here.
    """

    name: str
    rows: pl.DataFrame
    lines: WholeNumbers
    has_header: bool
    unit: str = "line"
    repeated: frozenset[str] = frozenset()
    twice: frozenset[str] = frozenset()

    def find(self, names: Iterable[str]) -> str | None:
        """The column that is called by one of these names, in any case of letters; the first name that is there.

        Raises:
            InputError: where several columns of the file have that name.
        """
        # backwards, so that of names alike in small letters the first column stands
        own_names = {column.lower(): column for column in reversed(self.rows.columns)}
        found = [own_names.get(name.lower()) for name in names]
        column = next(filter(None, found), None)
        # which of them is meant nobody can know
        if column is not None and column.lower() in self.repeated:
            raise InputError(several_columns(self.name, column))
        return column

    def column(self, names: Sequence[str]) -> str:
        """The column that is called by one of these names.

        Raises:
            InputError: where there is none, with those that there are.
        """
        found = self.find(names)
        if found is None:
            known = first_few(self.rows.columns, 12)
            raise InputError(
                f"{self.name}: has no column {' or '.join(names)}; it has {known}{self._how_to_have_more()}"
            )
        return found

    def _how_to_have_more(self) -> str:
        # a header in one piece: spreadsheets write `;` where the comma is the decimal sign
        has_semicolons = any(";" in column for column in self.rows.columns)
        if self.has_header and has_semicolons:
            return ". Columns are separated by tabs or commas, not by semicolons"
        return ""

    def where(self, row: int) -> str:
        """The place of a row, for messages: `candidates.bed, line 3`."""
        return f"{self.name}, {self.unit} {self.lines[row]}"

    def kept(self, is_kept: pl.Series) -> "Table":
        """The rows for which this is true, with their lines."""
        rows = self.rows.filter(is_kept)
        lines = self.lines[is_kept.to_numpy()]
        return replace(self, rows=rows, lines=lines)

    def texts(self, column: str) -> pl.Series:
        """A column as text, null where a cell says that there is nothing.

        Raises:
            InputError: for a column of lists or bytes, which are no cells of a table.
        """
        if not self.is_of_cells(column):
            kind = self.rows.schema[column]
            raise InputError(f"{self.name}: its column {column} is of {kind}, no text or numbers")
        return self.rows.select(known_cells(pl.col(column)).alias(column)).to_series()

    def is_of_cells(self, column: str) -> bool:
        """Whether a column is of text, numbers or truths: those of Parquet may be of lists or bytes."""
        kind = self.rows.schema[column]
        return not kind.is_nested() and kind != pl.Binary

    def numbers(self, column: str) -> Numbers:
        """A column as numbers, NaN where a cell says that there is none.

        Raises:
            InputError: naming a cell that is none.
        """
        cells = self.texts(column)
        values = cells.cast(pl.Float64, strict=False)
        is_strange = values.is_null() & cells.is_not_null()
        self._refuse(is_strange, column, "is not a number")
        return values.fill_null(np.nan).to_numpy()

    def whole_numbers(self, column: str) -> WholeNumbers:
        """A column as whole numbers, each cell of which must be one.

        Raises:
            InputError: naming a cell that is none.
        """
        # 15528158.0 is one too: programs write it so where a column has gaps
        values = self.texts(column).cast(pl.Float64, strict=False)
        # larger ones are not told apart, and those of 1e19 do not fit into 64 bits
        is_exact = values.abs() <= MOST_EXACT
        is_whole = values.is_finite() & (values == values.round()) & is_exact
        is_known_whole = is_whole.fill_null(False)
        self._refuse(~is_known_whole, column, "is not a whole number")
        return values.cast(pl.Int64).to_numpy()

    def truths(self, column: str) -> Bool[np.ndarray, " rows"]:
        """A column of TRUE and FALSE.

        Raises:
            InputError: naming a cell that is neither.
        """
        words = self.texts(column).str.to_lowercase().fill_null("")
        is_true = words.is_in(TRUE_WORDS)
        is_false = words.is_in(FALSE_WORDS)
        self._refuse(~is_true & ~is_false, column, "is neither TRUE nor FALSE")
        return is_true.to_numpy()

    def _refuse(self, is_bad: pl.Series, column: str, why: str) -> None:
        rows = is_bad.arg_true()
        if rows.len():
            row = int(rows[0])
            cell = self.rows[column][row]
            raise InputError(f"{self.where(row)}: {column} {cell!r} {why}")


def known_cells(column: pl.Expr) -> pl.Expr:
    """The cells of a column as text, null where they say that there is nothing."""
    # in Parquet a column may be of numbers or truths
    cells = column.cast(pl.String).str.strip_chars()
    is_missing = cells.str.to_lowercase().is_in(_MISSING)
    return pl.when(~is_missing).then(cells)


def read_table(name: str) -> Table:
    """Read a file whole.

    Args:
        name: a path or an object's address. What is in it shows its content: Parquet; text with a header, separated by
            tabs or commas; or BED, whose columns are called chrom, start, end, name, score, strand (and narrowPeak's).

    Raises:
        InputError: for a file that is not there, is empty, cannot be unpacked, or is no table.
    """
    content = _content(name)
    if content.startswith(PARQUET_MAGIC):
        return _parquet(name, content)
    try:
        # spreadsheets put a mark before the first letter, which is no part of its column's name
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is neither text nor Parquet ({error.reason})") from error
    return _text(name, text)


def _content(name: str) -> bytes:
    path = Path(local_path(name))
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{name}: cannot be unpacked: {error}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    if not content.strip():
        raise InputError(empty_file(name))
    return content


def _parquet(name: str, content: bytes) -> Table:
    try:
        rows = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{name}: cannot be read as Parquet: {error}") from error
    table = Table(
        name,
        rows,
        lines=np.arange(1, rows.height + 1),
        has_header=True,
        unit="row",
        repeated=_repeated(rows.columns),
    )
    return _checked(table)


def _text(name: str, text: str) -> Table:
    # not `splitlines`: it ends lines at signs that editors do not, and numbers would be others
    in_lines = text.replace("\r\n", "\n").split("\n")
    if "\r" in in_lines[0]:
        raise InputError(
            f"{name}: its lines end with CR alone, as those of old Macintosh programs. Write them anew: "
            "tr '\\r' '\\n'"
        )
    comment, numbered = _rows_and_header(in_lines)
    numbers = [number for number, _ in numbered]
    lines = np.array(numbers, dtype=np.int64)
    rows = [row for _, row in numbered]
    separator = _separator(rows[0] if rows else comment or "")
    if separator == _BLANKS:
        # blanks of any number, as BED may have them
        rows = ["\t".join(row.split()) for row in rows]
        separator = "\t"
    first = _split(rows[0], separator) if rows else []
    above = _split(comment or "", separator)
    # `#chrom start end`, as bedtools and MACS write it, names the columns of rows that look like BED
    is_named_above = above[0].lower() in CHROM
    has_header = is_named_above or not _is_bed(first)
    if is_named_above:
        names = above
    elif has_header:
        names = first
        rows = rows[1:]
        lines = lines[1:]
    else:
        names = _names_without_header(len(first))
    _check_widths(name, rows, lines, names, separator)
    cells = _cells(name, rows, _distinct(names), separator)
    table = Table(
        name,
        cells,
        lines,
        has_header,
        repeated=_repeated(names),
        twice=frozenset(name for name in names if names.count(name) > 1),
    )
    return _checked(table)


def _rows_and_header(lines: Sequence[str]) -> tuple[str | None, list[tuple[int, str]]]:
    """The last comment above the rows, which may be their header, and each row with the number of its line."""
    comment = None
    rows: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or _DISPLAY.match(line):
            continue
        if not line.startswith("#"):
            rows.append((number, line))
        elif not rows:
            comment = line[1:]
    return comment, rows


def _separator(line: str) -> str:
    """What stands between the cells of a line: a tab, else blanks where these make it BED, else a comma."""
    if "\t" in line:
        return "\t"
    # names in BED may hold commas
    if "," in line and not _is_bed(line.split()):
        return ","
    return _BLANKS


def _split(line: str, separator: str) -> list[str]:
    return [word.strip().strip('"') for word in line.split(separator)]


def _is_bed(cells: Sequence[str]) -> bool:
    """Whether a line is a row of BED, no header: its second and third cell are places."""
    if len(cells) < 3:
        return False
    return all(map(_WHOLE_NUMBER.fullmatch, cells[1:3]))


def _names_without_header(width: int) -> list[str]:
    if width == len(_NARROW_PEAK):
        return list(_NARROW_PEAK)
    others = [f"column_{place}" for place in range(len(_BED) + 1, width + 1)]
    return [*_BED, *others][:width]


def _distinct(names: Sequence[str]) -> list[str]:
    """Names that are all different: the second `a` is called `a_2`."""
    distinct = []
    for place, name in enumerate(names):
        before = names[:place].count(name)
        distinct.append(f"{name}_{before + 1}" if before else name)
    return distinct


def _repeated(names: Sequence[str]) -> frozenset[str]:
    times = Counter(name.lower() for name in names)
    return frozenset(name for name, count in times.items() if count > 1)


def _check_widths(
    name: str,
    rows: Sequence[str],
    lines: WholeNumbers,
    names: Sequence[str],
    separator: str,
) -> None:
    wanted = len(names)
    for row, line in zip(rows, lines, strict=True):
        found = row.count(separator) + 1
        if separator == "," and '"' in row:
            if row.count('"') % 2:
                raise InputError(f"{name}, line {line}: has a quote that does not end in its line")
            # a comma within quotes separates nothing
            found = len(next(csv.reader([row])))
        if found != wanted:
            raise InputError(
                f"{name}, line {line}: has {found} columns, the lines above it have {wanted}"
            )


def _cells(
    name: str,
    rows: Sequence[str],
    names: Sequence[str],
    separator: str,
) -> pl.DataFrame:
    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    try:
        cells = pl.read_csv(
            io.BytesIO("\n".join(rows).encode()),
            separator=separator,
            has_header=False,
            new_columns=list(names),
            # all text: what is no number is named with its line
            infer_schema=False,
            # between tabs a quote is a letter like another
            quote_char='"' if separator == "," else None,
        )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{name}: cannot be read as a table: {error}") from error
    # R and spreadsheets put quotes around words between tabs, too
    return cells.with_columns(pl.all().str.replace(_QUOTED, "$1")) if separator == "\t" else cells


def _checked(table: Table) -> Table:
    if not table.rows.height:
        raise InputError(
            f"{table.name}: has no rows, only a header. Was it written or copied to its end?"
        )
    return table
