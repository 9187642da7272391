"""A picture: a chart, what it is called, what it shows in words, and the table that it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
import polars as pl

MOST_LABELLED_MARKS = 200
"""Of more marks a screen reader would read one by one: they are told by the picture's description and table alone."""

Chart = alt.Chart | alt.LayerChart | alt.VConcatChart | alt.HConcatChart | alt.FacetChart


@dataclass(frozen=True)
class Picture:
    """What is drawn, and what stands beside it.

    Attributes:
        chart: without a title of its own; it takes the theme's fonts and colours when it is written.
        title: a line above it.
        description: for those who do not see it: what is drawn against what, and what stands out.
        table: the rows behind it, as people read them.
        notes: what is left out, sampled or joined; lines below the title.
        hints: what is said to whoever asks for the picture, and no matter to those who read it: which option chooses
            something else.
    """

    chart: Chart
    title: str
    description: str
    table: pl.DataFrame
    notes: Sequence[str] = field(default=())
    hints: Sequence[str] = field(default=())


def values_of(table: pl.DataFrame) -> alt.InlineData:
    """The rows of a table as a chart's data; numbers that are none or infinite are null.

    Altair would refuse tables of more than 5,000 rows, and call equal ones by other names each time.
    """
    floats = [name for name, kind in table.schema.items() if kind.is_float()]
    sound = table.with_columns(
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in floats
    )
    return alt.InlineData(values=sound.to_dicts())


def tips(table: pl.DataFrame, columns: Sequence[str]) -> list[alt.Tooltip]:
    """What a pointer upon a mark shows: these columns, numbers to four digits."""
    return [
        alt.Tooltip(name, type="quantitative", format=",d" if kind.is_integer() else ".4~g")
        if kind.is_numeric()
        else alt.Tooltip(name, type="nominal")
        for name, kind in ((name, table.schema[name]) for name in columns)
    ]


def labelled(marks: int) -> dict[str, Any]:
    """The property of a mark that says whether screen readers are told of each of its marks."""
    return {} if marks <= MOST_LABELLED_MARKS else {"aria": False}


def padded(
    low: float,
    high: float,
    share: float = 0.03,
) -> list[float]:
    """The domain of an axis around numbers from `low` to `high`, of which none lies on its border.

    Axes begin at 0 if they are not told. Of one number alone it is half a unit on each side.
    """
    width = high - low
    margin = width * share if width > 0 else 0.5
    return [float(np.float64(low) - margin), float(np.float64(high) + margin)]
