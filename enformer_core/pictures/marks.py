"""Marks that rows of points share: the points themselves, the name of one of them, and which are drawn of many.

Does not know what the numbers are.
"""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import polars as pl

from enformer_core.pictures.picture import labelled, tips, values_of
from enformer_core.pictures.stack import Axis, Layer

MOST_POINTS = 5_000
"""Of a row; more would be one dark band, and a page of megabytes."""

_SIZE = 34
_LABEL_DOTS = 220
_NAME_WIDTH = 0.14
_NAME_HEIGHT = 0.12
"""Of a row's width and height: names of points that are nearer would lie over one another."""

_ABOVE = -11
_BELOW = 13


def thinned(
    table: pl.DataFrame,
    by: str,
    name: str,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """At most `MOST_POINTS` rows: half of them the largest of a column, the others spread over the rest evenly.

    Returns:
        The rows in their order, and what is to be said of those that are left out.
    """
    if table.height <= MOST_POINTS:
        return table, ()
    strong = MOST_POINTS // 2
    order = table[by].arg_sort(descending=True, nulls_last=True).to_numpy()
    # in the order of the table, so that what is drawn of the rest lies all along it
    rest = np.sort(order[strong:])
    places = np.linspace(0, rest.size - 1, MOST_POINTS - strong).round().astype(np.int64)
    kept = np.sort(np.concatenate([order[:strong], rest[places]]))
    said = (
        f"{name}: of {table.height:,} points {MOST_POINTS:,} are drawn: all of the {strong:,} strongest, and of the "
        f"others {places.size:,} of {rest.size:,}"
    )
    return table[kept], (said,)


def largest(table: pl.DataFrame, by: str) -> pl.DataFrame:
    """The row of the largest value, the first of several."""
    ordered = table.sort(
        by,
        descending=True,
        nulls_last=True,
        maintain_order=True,
    )
    return ordered.head(1)


def outstanding(table: pl.DataFrame, by: str) -> pl.DataFrame:
    """The row of the largest value above 0; none where all are 0, for then none stands out."""
    return largest(table.filter(pl.col(by) > 0), by)


def points(
    table: pl.DataFrame,
    told: Sequence[str],
    *,
    style: str | None = None,
    size: int = _SIZE,
) -> alt.Chart:
    """A point for each row, in a colour of the theme, or in one that is yet to be encoded.

    Args:
        table: of the points.
        told: columns that a pointer upon one shows.
        style: of the theme.
        size: in square dots.
    """
    options: dict[str, Any] = labelled(table.height)
    if style is not None:
        options["style"] = style
    chart = alt.Chart(values_of(table))
    marks = chart.mark_circle(size=size, opacity=0.85, clip=True, **options)
    return marks.encode(tooltip=tips(table, told))


def marked_rows(
    table: pl.DataFrame,
    by: str,
    marked: int | None,
    strongest: pl.DataFrame,
) -> pl.DataFrame:
    """The rows that are named: the variant that the picture is about, and the strongest, where both have room.

    Args:
        table: of all points, with `pos`.
        by: column of what they are as high as.
        marked: the position of the variant that the picture is about; None of a picture of a stretch.
        strongest: rows of the table that are named anyhow.
    """
    if marked is None:
        return strongest
    own = largest(table.filter(pl.col("pos") == marked), by)
    if not own.height:
        return strongest
    width = _span(table["pos"]) * _NAME_WIDTH
    height = _span(table[by]) * _NAME_HEIGHT
    is_near = ((pl.col("pos") - marked).abs() <= width) & (
        (pl.col(by) - own[by][0]).abs() <= height
    )
    return pl.concat([own, strongest.filter(~is_near)])


def _span(values: pl.Series) -> float:
    return float(values.max() - values.min())  # type: ignore[operator, arg-type]


def name_beside(
    row: pl.DataFrame,
    along: Axis,
    y: alt.Y,
    *,
    is_below: bool = False,
) -> Layer:
    """The names of variants at their points; near an end of the axis to the inner side, off the numbers beside it."""
    chart = alt.Chart(values_of(row))
    x = along("pos")
    text = chart.mark_text(
        align=alt.expr(_inwards(x)),
        dy=_BELOW if is_below else _ABOVE,
        style="ink",
        limit=_LABEL_DOTS,
        fontWeight="bold",
    )
    return text.encode(x=x, y=y, text="name:N")


def _inwards(x: alt.X) -> str:
    """How a text at a position is aligned, as Vega's expression."""
    encoding: Any = x.to_dict()
    low, high = encoding["scale"]["domain"]
    room = round((high - low) * _NAME_WIDTH / 2, 1)
    return f"datum.pos < {low + room} ? 'left' : datum.pos > {high - room} ? 'right' : 'center'"


def upright(
    column: str,
    domain: Sequence[float],
    axis: alt.Axis | None,
) -> alt.Y:
    """The y encoding of a column of numbers: from the first number of a domain, at the bottom, to the second."""
    scale = alt.Scale(domain=list(domain), nice=False, zero=False)
    return alt.Y(column, type="quantitative", scale=scale, axis=axis)
