"""The row of every change of some bases: a column for each base, a line for each letter that it becomes.

Does not know what values are or where they come from.
"""

import altair as alt
import polars as pl

from enformer_core.pictures.picture import tips, values_of
from enformer_core.pictures.stack import WIDTH, Axis, Layer, Row
from enformer_core.words import counted

_HEIGHT = 120
_LINE = _HEIGHT / 4
_LETTER_DOTS = 7.0
"""A base must be so wide for its letter to be written."""

_TOLD = ("pos", "ref", "alt", "value")


def change_row(
    table: pl.DataFrame,
    *,
    name: str,
    title: str,
) -> Row:
    """Changes as a map of colours, with the genome's letters in their own places.

    Args:
        table: `pos` (from 1), `ref`, `alt`, `value`; null for the genome's own letter.
        name: what the values are.
        title: of the legend.
    """
    edges = table.with_columns(
        (pl.col("pos") - 0.5).alias("from"), (pl.col("pos") + 0.5).alias("to")
    )
    changes = edges.filter(pl.col("value").is_not_null())
    own = edges.filter(pl.col("ref") == pl.col("alt"))
    found = changes["value"].fill_nan(None).abs().max()
    largest = float(found or 1.0)  # type: ignore[arg-type]
    is_wide = WIDTH / max(table["pos"].n_unique(), 1) >= _LETTER_DOTS

    def draw(along: Axis) -> Layer:
        axis = alt.Axis(title="becomes", minExtent=52, grid=False)
        y = alt.Y("alt:N", scale=alt.Scale(domain=list("ACGT")), axis=axis)
        colour = alt.Color(
            "value:Q",
            scale=alt.Scale(domain=[-largest, largest], range="diverging", interpolate="rgb"),
            legend=alt.Legend(title=title, orient="right", gradientLength=_HEIGHT, tickCount=5),
        )
        cells = alt.Chart(values_of(changes)).mark_rect(height=_LINE, clip=True, aria=False)
        drawn = cells.encode(
            x=along("from"), x2="to", y=y, color=colour, tooltip=tips(changes, _TOLD)
        )
        letters = alt.Chart(values_of(own)).mark_text(style="muted", fontSize=9, aria=False)
        layers = [drawn, letters.encode(x=along("pos"), y=y, text="ref:N")] if is_wide else [drawn]
        heading = alt.Title(name, anchor="start", fontSize=12, offset=4, limit=WIDTH - 40)
        return alt.layer(*layers).properties(title=heading)

    return Row(name, draw, _HEIGHT, _words(changes, name), table)


def _words(changes: pl.DataFrame, name: str) -> str:
    known = changes.filter(pl.col("value").is_finite())
    if not known.height:
        return f"{name}: no change has a value."
    row = known.sort(pl.col("value").abs(), maintain_order=True).row(-1, named=True)
    return (
        f"{name}: {counted(known.height, 'changes')}, the largest {row['value']:+.4g}, "
        f"{row['ref']} to {row['alt']} at {row['pos']:,}."
    )
