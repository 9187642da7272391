"""Rows of letters, as high as their values: upwards above 0, downwards and upside down below.

Does not know what the values are or where they come from.
"""

import altair as alt
import numpy as np
import polars as pl

from enformer_core.pictures.letters import LETTERS, outlines
from enformer_core.pictures.marks import upright
from enformer_core.pictures.picture import padded, tips, values_of
from enformer_core.pictures.stack import WIDTH, Axis, Layer, Row, titled, values_axis
from enformer_core.words import counted

_HEIGHT = 130
_ROOM = 0.06
_TEXT_ROOM = 0.1
"""Below the lowest letter, for the sequence."""

_SEEN = 0.003
"""Letters that are lower, as a share of the axis, are less than half a dot."""

_TEXT_DOTS = 7.5
"""A base must be so wide for its letter to be written below."""

_TOLD = ("pos", "letter", "value")


def logo_row(
    table: pl.DataFrame,
    *,
    name: str,
    heading: str,
    title: str,
    domain: tuple[float, float],
) -> Row:
    """Letters along a stretch.

    Args:
        table: `pos` (from 1), `letter`, `value`; of one base several letters are piled, those above 0 and those below
            apart, the largest outermost. A letter that is none of A, C, G, T is not drawn.
        name: what the values are.
        heading: above the row.
        title: of the axis.
        domain: from the least to the largest end of a pile, of all rows that are compared.
    """
    piled_letters = piled(table)
    low, high = padded(min(domain[0], 0.0), max(domain[1], 0.0), _ROOM)
    has_text = WIDTH / max(_bases(table), 1) >= _TEXT_DOTS and not _is_piled(table)
    low -= _TEXT_ROOM * (high - low) if has_text else 0.0
    is_seen = (pl.col("to") - pl.col("from")).abs() >= _SEEN * (high - low)
    said = heading if piled_letters["value"].abs().max() else f"{heading}: all are 0 here"
    corners = outlines(piled_letters.filter(is_seen))

    def draw(along: Axis) -> Layer:
        axis = values_axis([title, "(counts per bin)"])
        y = upright("y", (low, high), axis)
        drawn = [
            _of_letter(corners, letter).encode(
                x=along("x"), y=y, detail="piece:N", order="corner:Q"
            )
            for letter in LETTERS
        ]
        zero = alt.Chart(values_of(pl.DataFrame({"y": [0.0]})))
        line = zero.mark_rule(style="muted", strokeWidth=0.7, aria=False).encode(y=y)
        layers = [*drawn, line, _told(piled_letters, along, (low, high))]
        if has_text:
            layers.append(_text(table, along))
        return alt.layer(*layers).properties(title=titled(said))

    return Row(name, draw, _HEIGHT, _words(table, name), table)


def piled(table: pl.DataFrame) -> pl.DataFrame:
    """Where each letter begins and ends: `from` nearer to 0, `to` farther.

    Of one base 3, 1 and -2: 1 from 0 to 1, 3 from 1 to 4, and -2 from 0 to -2.

    Args:
        table: `pos`, `letter`, `value`.
    """
    is_known = pl.col("letter").is_in(list(LETTERS)) & pl.col("value").is_finite()
    ordered = (
        table.filter(is_known)
        .with_columns(pl.col("value").cast(pl.Float64))
        .sort("pos", pl.col("value").abs(), maintain_order=True)
    )
    is_above = pl.col("value") >= 0
    end = pl.col("value").cum_sum().over("pos", is_above)
    return ordered.with_columns(end.alias("to"), (end - pl.col("value")).alias("from"))


def extent(table: pl.DataFrame) -> tuple[float, float]:
    """The least and the largest end of a pile; 0 and 0 where there is none."""
    ends = piled(table)["to"]
    if ends.is_empty():
        return 0.0, 0.0
    return float(np.min(ends.to_numpy())), float(np.max(ends.to_numpy()))


def _of_letter(corners: pl.DataFrame, letter: str) -> alt.Chart:
    of_letter = corners.filter(pl.col("letter") == letter)
    chart = alt.Chart(values_of(of_letter))
    return chart.mark_line(
        filled=True, style=f"base_{letter.lower()}", strokeWidth=0, clip=True, aria=False
    )


def _told(
    letters: pl.DataFrame,
    along: Axis,
    domain: tuple[float, float],
) -> alt.Chart:
    """What a pointer upon a letter shows; the marks themselves are not seen."""
    edges = letters.with_columns(
        (pl.col("pos") - 0.5).alias("left"),
        (pl.col("pos") + 0.5).alias("right"),
    )
    chart = alt.Chart(values_of(edges)).mark_rect(opacity=0, clip=True, aria=False)
    return chart.encode(
        x=along("left"),
        x2="right",
        y=upright("from", domain, values_axis("")),
        y2="to",
        tooltip=tips(edges, _TOLD),
    )


def _text(table: pl.DataFrame, along: Axis) -> alt.Chart:
    """The sequence below: a letter without a value is not seen in a logo."""
    chart = alt.Chart(values_of(table.select("pos", "letter")))
    text = chart.mark_text(style="muted", fontSize=8, dy=-6, aria=False)
    return text.encode(x=along("pos"), y=alt.value(_HEIGHT), text="letter:N")


def _bases(table: pl.DataFrame) -> int:
    return table["pos"].n_unique()


def _is_piled(table: pl.DataFrame) -> bool:
    return _bases(table) < table.height


def _words(table: pl.DataFrame, name: str) -> str:
    known = table.filter(pl.col("value").is_finite() & (pl.col("value") != 0))
    bases = counted(_bases(table), "bases")
    if not known.height:
        return f"{name}: {bases}, all 0."
    strongest = known.sort(pl.col("value").abs(), descending=True, maintain_order=True).head(3)
    named = ", ".join(
        f"{row['letter']} at {row['pos']:,} with {row['value']:+.3g}"
        for row in strongest.iter_rows(named=True)
    )
    return f"{name}: {bases}, the largest {named}."
