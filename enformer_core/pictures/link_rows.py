"""Rows of links: arcs from elements to where transcription starts, as high as their scores, and the elements below.

    columns of links: name, first, last (of the element, from 1), middle, tss (from 1), score, class

Does not know what scores mean.
"""

from collections.abc import Iterator
from typing import Literal

import altair as alt
import numpy as np
import polars as pl

from enformer_core.pictures.marks import upright
from enformer_core.pictures.picture import tips, values_of
from enformer_core.pictures.stack import Axis, Layer, Row, values_axis
from enformer_core.words import counted

_HEIGHT = 230
_ELEMENT_HEIGHT = 34
_CORNERS = 41
"""Of an arc: an odd number, so that one of them is its top."""

_NAMED = 3
_NAME_LETTERS = 44
_NAME_DOTS = 360
_ROOM = 0.16
_FAINTEST = 0.25

Align = Literal["left", "right"]

_TOLD = ("name", "class", "first", "last", "distance", "score")


def arc_row(
    links: pl.DataFrame,
    *,
    score: str,
    gene: str,
) -> Row:
    """An arc for each link.

    Args:
        links: as the module says, the strongest first; at least one.
        score: what arcs are as high as; those of scores below 0 hang.
        gene: whose they are.
    """
    arcs = curves(links)
    largest = float(links["score"].abs().max() or 1.0)  # type: ignore[arg-type]
    low = min(float(links["score"].min()), 0.0)  # type: ignore[arg-type]
    high = max(float(links["score"].max()), 0.0)  # type: ignore[arg-type]
    room = _ROOM * ((high - low) or 1.0)
    domain = (low - room if low < 0 else 0.0, high + room if high > 0 or low == 0 else 0.0)
    tops = named_tops(links)
    starts = links.select("tss").unique().sort("tss").with_columns(pl.lit(gene).alias("gene"))

    def draw(along: Axis) -> Layer:
        y = upright("y", domain, values_axis(score))
        opacity = alt.Opacity(
            "strength:Q", scale=alt.Scale(domain=[0, largest], range=[_FAINTEST, 1]), legend=None
        )
        lines = alt.Chart(values_of(arcs)).mark_line(clip=True, aria=False, strokeWidth=2)
        sign = alt.Color(
            "sign:N",
            scale=alt.Scale(domain=["above 0", "below 0"]),
            legend=alt.Legend(title=score, orient="top-right") if low < 0 < high else None,
        )
        drawn = lines.encode(
            x=along("x"), y=y, detail="link:N", order="x:Q", opacity=opacity, color=sign
        )
        told = alt.Chart(values_of(links.with_columns(pl.col("score").alias("y"), _top_at())))
        points = told.mark_circle(size=28, style="ink", opacity=0.75, aria=False)
        names = [
            alt.Chart(values_of(some))
            .mark_text(style="ink", dx=dx, dy=dy, align=align, limit=_NAME_DOTS, aria=False)
            .encode(x=along("top"), y=y, text="label:N")
            for some, align, dx, dy in _beside(tops)
        ]
        place = alt.Chart(values_of(starts)).mark_rule(style="warning", strokeWidth=1.5, aria=False)
        # above the frame, where no arc is
        label = alt.Chart(values_of(starts)).mark_text(
            style="ink", fontWeight="bold", dy=-4, baseline="bottom", aria=False
        )
        return alt.layer(
            place.encode(x=along("tss")),
            drawn,
            points.encode(x=along("top"), y=y, tooltip=tips(links, _TOLD)),
            *names,
            label.encode(x=along("tss"), y=alt.value(0), text="gene:N"),
        )

    best = links.row(0, named=True)
    words = (
        f"{score} of {counted(links.height, 'elements')} of {gene}, the strongest {best['name']} at "
        f"{best['first']:,}-{best['last']:,} with {best['score']:.4g}."
    )
    return Row(f"links of {gene}", draw, _HEIGHT, words, links.drop("middle"))


def element_row(links: pl.DataFrame) -> Row:
    """The elements themselves, by class; those too short to be seen have a tick.

    Args:
        links: as the module says.
    """
    elements = links.with_columns(
        (pl.col("first") - 0.5).alias("from"),
        (pl.col("last") + 0.5).alias("to"),
        pl.col("class").fill_null("element"),
    )
    classes = elements["class"].unique().sort().to_list()

    def draw(along: Axis) -> Layer:
        colour = alt.Color(
            "class:N",
            scale=alt.Scale(domain=classes),
            legend=alt.Legend(title="class", orient="bottom") if len(classes) > 1 else None,
        )
        bars = alt.Chart(values_of(elements)).mark_bar(height=12, clip=True, aria=False)
        ticks = alt.Chart(values_of(elements)).mark_tick(
            thickness=1.5, height=12, clip=True, aria=False
        )
        middle = alt.value(_ELEMENT_HEIGHT / 2)
        told = tips(elements, _TOLD)
        return alt.layer(
            bars.encode(x=along("from"), x2="to", y=middle, color=colour, tooltip=told),
            ticks.encode(x=along("middle"), y=middle, color=colour, tooltip=told),
        )

    words = f"Below them the elements: {', '.join(classes)}."
    return Row("elements", draw, _ELEMENT_HEIGHT, words, links.clear())


def curves(links: pl.DataFrame) -> pl.DataFrame:
    """Corners of parabolas from each element's middle to its TSS, whose tops are the scores.

    Returns:
        `link`, its number; `x`, `y`; `strength`, the score's size, and `sign`.
    """
    along = np.linspace(0, 1, _CORNERS)
    middle = links["middle"].to_numpy()[:, np.newaxis]
    tss = links["tss"].to_numpy()[:, np.newaxis]
    score = links["score"].to_numpy().astype(np.float64)
    x = middle + (tss - middle) * along
    y = score[:, np.newaxis] * 4 * along * (1 - along)
    return pl.DataFrame(
        {
            "link": np.repeat(np.arange(links.height), _CORNERS),
            "x": x.ravel(),
            "y": y.ravel(),
            "strength": np.repeat(np.abs(score), _CORNERS),
            "sign": np.repeat(np.where(score < 0, "below 0", "above 0"), _CORNERS),
        }
    )


def named_tops(links: pl.DataFrame) -> pl.DataFrame:
    """The names of the strongest links, where their arcs are highest."""
    label = pl.when(pl.col("name").str.len_chars() > _NAME_LETTERS).then(
        pl.col("name").str.slice(0, _NAME_LETTERS - 1) + "…"
    )
    return links.head(_NAMED).select(
        label.otherwise("name").alias("label"), "tss", _top_at(), pl.col("score").alias("y")
    )


def _beside(tops: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, Align, int, int]]:
    """Names by where they stand: away from the TSS, whose line would cross them, and outside of the arc."""
    is_right = pl.col("top") >= pl.col("tss")
    is_up = pl.col("y") >= 0
    for up, dy in ((is_up, -10), (~is_up, 12)):
        yield tops.filter(up & is_right), "left", 2, dy
        yield tops.filter(up & ~is_right), "right", -2, dy


def _top_at() -> pl.Expr:
    return ((pl.col("middle") + pl.col("tss")) / 2).alias("top")
