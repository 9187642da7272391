"""Which column of a table of links is drawn, and whether its cells are such as it must have.

Knows names of columns. Does not know where the table comes from, nor how it is drawn.
"""

import numpy as np
import polars as pl

from enformer_core.errors import InputError, nearest
from enformer_core.finemapping.statistic_texts import are_missing, as_floats

_SCORES = ("gradient", "attention", "mutagenesis", "shuffles", "abc", "powerlaw_contact")
_SHARES = ("abc",)
"""Scores that are a part of a whole."""

_PLACES = ("tss", "start", "end")


def check_places(columns: pl.Schema, run: str) -> None:
    """Refuse a table whose places are no whole numbers.

    Raises:
        InputError: naming the column.
    """
    for name in _PLACES:
        if not columns[name].is_integer():
            raise InputError(
                f"{run}: its column {name} holds other things than whole numbers, so it is no table of links"
            )


def with_score(
    of_gene: pl.DataFrame,
    wanted: str | None,
    run: str,
) -> tuple[pl.DataFrame, str]:
    """The rows with their score as numbers, and what the column is called.

    Args:
        of_gene: the links of a gene.
        wanted: the column that was asked for; None for the first of those that `links` writes.
        run: where they are from, for messages.

    Raises:
        InputError: for a column that is not there, or holds what is no number or no share; where there is no score.
    """
    named = [name for name in of_gene.columns if name not in _PLACES]
    if wanted is not None:
        numbers = [name for name in named if of_gene[name].dtype.is_numeric()]
        if wanted not in numbers and not _has_numbers(of_gene, wanted):
            raise InputError(
                f"--score {wanted}: {run} has no such column of numbers{nearest(wanted, numbers)}"
            )
    for name in [wanted] if wanted is not None else [name for name in _SCORES if name in named]:
        values = _numbers(of_gene, name, run)
        if wanted is not None or np.isfinite(values).any():
            _check_shares(of_gene, name, values, run)
            return of_gene.with_columns(pl.Series(name, values)), name
    raise InputError(f"{run}: no element of this gene has a score")


def _has_numbers(of_gene: pl.DataFrame, name: str) -> bool:
    """Whether a column of text holds a number, as one does of which a single cell is none."""
    if name not in of_gene.columns or of_gene[name].dtype != pl.String:
        return False
    return bool(np.isfinite(as_floats(of_gene[name].to_arrow().cast("string"))).any())


def _numbers(of_gene: pl.DataFrame, name: str, run: str) -> np.ndarray:
    """Numbers of a column; NaN where nothing stands."""
    column = of_gene[name]
    if column.dtype != pl.String:
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    cells = column.to_arrow().cast("string")
    values = as_floats(cells)
    is_word = np.isnan(values) & ~are_missing(cells)
    for row in np.flatnonzero(is_word)[:1].tolist():
        raise InputError(
            f"{run}: {name} of {_element(of_gene, row)} is {column[row]!r}, and must be a number"
        )
    return values


def _check_shares(of_gene: pl.DataFrame, name: str, values: np.ndarray, run: str) -> None:
    if name not in _SHARES:
        return
    for row in np.flatnonzero((values < 0) | (values > 1))[:1].tolist():
        raise InputError(
            f"{run}: {name} of {_element(of_gene, row)} is {values[row]:g}, and is a share, from 0 to 1"
        )


def _element(of_gene: pl.DataFrame, row: int) -> str:
    place = of_gene.row(row, named=True)
    return f"the element {place['chrom']}:{place['start'] + 1}-{place['end']}"
