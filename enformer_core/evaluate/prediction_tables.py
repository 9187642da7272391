"""Tables of predicted links, Parquet or text, with the types that their columns must have.

Knows which columns are places and which are scores, and what cells may be. Does not know how scores are put beside
pairs.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from enformer_core.errors import InputError, first_few
from enformer_core.links.refusals import empty_file, several_columns
from enformer_core.links.regular_file import regular_file
from enformer_core.links.tables import MOST_EXACT, PARQUET_MAGIC, known_cells
from enformer_core.links.written import is_tsv, is_written
from enformer_core.words import agreeing

PLACES = ("gene", "chrom", "start", "end")
"""Columns that name a gene and an element."""

_NAMES = ("gene", "chrom")
_POSITIONS = ("start", "end")

_NO_SCORES = (*PLACES, "tss", "distance", "powerlaw_contact", "activity", "abc_numerator")
"""Columns of numbers of a table of links that are no scores."""

_WORDS = ("gene_id", "is_expressed", "name", "class", "is_self_promoter")
"""Other columns of a table of links, of which nobody expects scores."""

_AGAIN = re.compile(r"(?P<name>.+)_duplicated_[0-9]+")
"""What polars calls a column of text whose name another has: `abc_duplicated_0`."""

_TEXTS = (pl.String, pl.Categorical, pl.Enum)


@dataclass(frozen=True)
class PredictionTable:
    """A table of links that is not read yet.

    Attributes:
        rows: `PLACES`, of which `gene` and `chrom` are text and the others whole numbers, and the scores.
        scores: names of columns, each of numbers; null or NaN where an element has none.
        notes: what is left out, for people.
    """

    rows: pl.LazyFrame
    scores: tuple[str, ...]
    notes: tuple[str, ...]


def scan_predictions(name: str) -> PredictionTable:
    """Find the columns of a table of links.

    Args:
        name: the file, Parquet or text separated by tabs (.gz), a path or an object's address; which it is, its content
            shows. Every column of numbers that is no place is a score, and so is one in which some cells say that there
            is no value.

    Raises:
        InputError: for a file that is no such table, or has no scores.
    """
    path = regular_file(name)
    is_parquet = _is_parquet(name, path)
    try:
        rows = pl.scan_parquet(path) if is_parquet else _scan_tsv(path)
        return _typed(name, rows, is_parquet=is_parquet)
    except pl.exceptions.NoDataError as error:
        raise InputError(empty_file(name)) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        kind = "Parquet" if is_parquet else "tab-separated text"
        raise InputError(f"{name}: cannot be read as {kind}: {error}") from error


def _is_parquet(name: str, path: Path) -> bool:
    """By content; what is called Parquet and is something else is damaged, and no text."""
    try:
        with path.open("rb") as file:
            begins_so = file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror or error}") from error
    if not path.stat().st_size:
        raise InputError(empty_file(name))
    return begins_so or (is_written(name) and not is_tsv(name))


def _scan_tsv(path: Path) -> pl.LazyFrame:
    # all text: one cell that says that there is no value must not make its column one of words
    return pl.scan_csv(path, separator="\t", infer_schema=False)


def _typed(name: str, rows: pl.LazyFrame, *, is_parquet: bool) -> PredictionTable:
    schema = rows.collect_schema()
    missing = [column for column in PLACES if column not in schema]
    if missing:
        is_uncut = not is_parquet and len(schema) == 1
        hint = ". Columns are separated by tabs" if is_uncut else ""
        raise InputError(f"{name}: has no column {missing[0]}, so it is no table of links{hint}")
    _refuse_repeated(name, schema)
    texts = [column for column, kind in schema.items() if kind in _TEXTS]
    for column in PLACES:
        if not (column in texts or schema[column].is_numeric()):
            kind = schema[column]
            raise InputError(f"{name}: its column {column} is of {kind}, no text or numbers")
    others = [column for column in schema if column not in (*_NO_SCORES, *_WORDS)]
    of_text = [column for column in others if column in texts]
    strange = _first_strange_cells(name, rows, of_text)
    scores = [
        column for column in others if schema[column].is_numeric() or strange.get(column) == ""
    ]
    if not scores:
        raise InputError(
            f"{name}: has no column of scores, as `enformer-ray links --scores abc` writes"
        )
    typed = rows.select(
        *(pl.col(column).cast(pl.String) for column in _NAMES),
        *(_number(column).cast(pl.Int64) for column in _POSITIONS),
        *(_number(column) if column in of_text else pl.col(column) for column in scores),
    )
    left_out = [column for column in others if column not in scores]
    return PredictionTable(typed, tuple(scores), _notes(name, left_out, strange))


def _refuse_repeated(name: str, columns: Collection[str]) -> None:
    """Refuse several columns of one name, as polars calls them, where it matters which is meant."""
    for column in columns:
        again = _AGAIN.fullmatch(column)
        unused = {*_NO_SCORES, *_WORDS} - {*PLACES}
        if again is not None and again["name"] in columns and again["name"] not in unused:
            raise InputError(several_columns(name, again["name"]))


def _number(column: str) -> pl.Expr:
    """A column of text or numbers as numbers, null where a cell is none."""
    return known_cells(pl.col(column)).cast(pl.Float64, strict=False)


def _first_strange_cells(
    name: str, rows: pl.LazyFrame, of_text: Sequence[str]
) -> dict[str, str | None]:
    """Of each column of text the first cell that is no number; "" where all are, None where no cell has a value.

    Raises:
        InputError: for a place that is no whole number, with its row.
    """
    asked: list[pl.Expr] = []
    for column in of_text:
        cells = known_cells(pl.col(column))
        is_strange = _number(column).is_null() & cells.is_not_null()
        asked.append(cells.filter(is_strange).first().alias(f"strange {column}"))
        asked.append(cells.is_not_null().any().alias(f"known {column}"))
    for column in _POSITIONS:
        number = _number(column)
        is_whole = number.is_finite() & (number == number.round()) & (number.abs() <= MOST_EXACT)
        is_bad = ~is_whole.fill_null(False)
        asked.append(is_bad.arg_true().first().alias(f"bad {column}"))
    # one pass over the file
    answers = rows.select(asked).collect().row(0, named=True)
    for column in _POSITIONS:
        row = answers[f"bad {column}"]
        if row is not None:
            raise InputError(f"{name}, row {row + 1}: {column} is not a whole number")
    return {
        column: (answers[f"strange {column}"] or "") if answers[f"known {column}"] else None
        for column in of_text
    }


def _notes(name: str, left_out: Sequence[str], strange: dict[str, str | None]) -> tuple[str, ...]:
    if not left_out:
        return ()
    shown = [
        f"{column} ({strange[column]!r})" if strange.get(column) else column for column in left_out
    ]
    are = agreeing(len(left_out), "is no column", "are no columns")
    return (f"{name}: {first_few(shown)} {are} of numbers, and not judged",)
