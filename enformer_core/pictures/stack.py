"""Rows one above the other on one stretch of a contig: whatever can be drawn along the genome is a row.

    stacked(stretch, [association_row(...), gene_row(...)], title="…")

A row draws itself along an axis that it is given, so that further kinds of rows need no change here. Knows positions
that count from 1, as people write them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import polars as pl

from enformer_core.pictures.picture import Picture, values_of

WIDTH = 860
"""Of every row, in dots of the chart."""

_TICKS = 7
_SHADE = 0.35
_LABEL_ROOM = 52
"""Left of every row for the labels of its axis, so that all rows begin at one place."""

Layer = alt.Chart | alt.LayerChart | alt.FacetChart
Axis = Callable[[str], alt.X]
"""The x encoding of a column that holds positions from 1."""


@dataclass(frozen=True)
class Stretch:
    """A stretch of a contig.

    Attributes:
        chrom: the contig.
        first: its first base, counted from 1.
        last: its last.
        marked: the place in it that the picture is about, if there is one.
    """

    chrom: str
    first: int
    last: int
    marked: int | None = None

    @property
    def length_bp(self) -> int:
        """How many bases it is."""
        return self.last - self.first + 1

    @property
    def text(self) -> str:
        """For people: `chr20:4,600,000-4,800,000`."""
        return f"{self.chrom}:{self.first:,}-{self.last:,}"


@dataclass(frozen=True)
class Row:
    """One of the rows.

    Attributes:
        name: what it shows, for the table and the description.
        draw: makes its chart, without width, along the axis that it is given.
        height: in dots of the chart.
        description: a sentence for those who do not see it.
        table: the rows behind it.
        notes: what is left out of it.
    """

    name: str
    draw: Callable[[Axis], Layer]
    height: int
    description: str
    table: pl.DataFrame
    notes: Sequence[str] = field(default=())


def stacked(
    stretch: Stretch,
    rows: Sequence[Row],
    *,
    title: str,
    notes: Sequence[str] = (),
    hints: Sequence[str] = (),
    blank: Sequence[tuple[int, int]] = (),
) -> Picture:
    """The rows as one picture; the last one alone has labels below it.

    Args:
        stretch: what is drawn from end to end; a dashed line goes through its marked place in every row.
        rows: from above; at least one.
        title: of the picture.
        notes: before those of the rows.
        hints: as pictures have them.
        blank: stretches of which nothing is known, first and last base each: shaded in all rows.
    """
    charts = [
        _drawn(row, _axis(stretch, is_last=row is rows[-1]), stretch.marked, blank) for row in rows
    ]
    chart = alt.vconcat(*charts).resolve_scale(
        color="independent", shape="independent", stroke="independent"
    )
    names = ", ".join(row.name for row in rows)
    told = [row.description for row in rows]
    named = [
        row.table.select(pl.lit(row.name).alias("row"), pl.all())
        for row in rows
        if row.table.height
    ]
    return Picture(
        chart,
        title,
        f"{stretch.text}, in rows from above: {names}. {' '.join(told)}",
        pl.concat(named, how="diagonal_relaxed") if named else pl.DataFrame({"row": []}),
        (*notes, *(note for row in rows for note in row.notes)),
        tuple(hints),
    )


def below(
    picture: Picture,
    others: Sequence[Picture],
) -> Picture:
    """One picture of several, each of which keeps its own axis of positions; those below have their titles above them.

    Args:
        picture: the first, whose title is that of all.
        others: from above.
    """
    if not others:
        return picture
    parts = [
        each.chart.properties(title=alt.Title(each.title, fontSize=13, offset=8)) for each in others
    ]
    chart = alt.vconcat(picture.chart, *parts, spacing=26).resolve_scale(
        color="independent", shape="independent", stroke="independent"
    )
    every = (picture, *others)
    return Picture(
        chart,
        picture.title,
        " ".join(each.description for each in every),
        pl.concat([each.table for each in every], how="diagonal_relaxed"),
        tuple(dict.fromkeys(note for each in every for note in each.notes)),
        tuple(dict.fromkeys(hint for each in every for hint in each.hints)),
    )


def titled(name: str) -> alt.Title:
    """A title above a row."""
    return alt.Title(name, anchor="start", fontSize=12, offset=4, limit=WIDTH - 40)


def values_axis(title: str | list[str], **options: Any) -> alt.Axis:
    """The axis at the left of a row."""
    return alt.Axis(title=title, minExtent=_LABEL_ROOM, **{"tickCount": 5} | options)


def dashed_line(at: int, along: Axis) -> alt.Chart:
    """Where a variant lies."""
    chart = alt.Chart(values_of(pl.DataFrame({"variant": [at]})))
    line = chart.mark_rule(style="warning", strokeDash=[4, 3], strokeWidth=1, clip=True, aria=False)
    return line.encode(x=along("variant"))


def _drawn(
    row: Row,
    along: Axis,
    marked: int | None,
    blank: Sequence[tuple[int, int]],
) -> Layer:
    chart = row.draw(along)
    if marked is not None and isinstance(chart, alt.LayerChart):
        chart += dashed_line(marked, along)
    if blank:
        chart = _shaded(chart, along, blank)
    sized: Layer = chart.properties(width=WIDTH, height=row.height)
    return sized


def _shaded(
    chart: Layer,
    along: Axis,
    blank: Sequence[tuple[int, int]],
) -> Layer:
    ends = pl.DataFrame(
        {"from": [first - 0.5 for first, _ in blank], "to": [last + 0.5 for _, last in blank]}
    )
    shade = alt.Chart(values_of(ends)).mark_rect(
        style="faint", opacity=_SHADE, clip=True, aria=False
    )
    title = chart.title
    # of a layer within another the title would not be shown
    chart.title = alt.Undefined
    layered: Layer = alt.layer(shade.encode(x=along("from"), x2="to"), chart)
    return layered if title is alt.Undefined else layered.properties(title=title)


def _axis(stretch: Stretch, *, is_last: bool) -> Axis:
    title = f"position on {stretch.chrom} (bp)"
    axis = alt.Axis(
        title=title if is_last else None,
        labels=is_last,
        ticks=is_last,
        format=",d",
        tickCount=_TICKS,
        labelFlush=False,
    )
    # a base is as wide as one is: the first is not cut in two
    scale = alt.Scale(domain=[stretch.first - 0.5, stretch.last + 0.5], nice=False, zero=False)

    def along(column: str) -> alt.X:
        return alt.X(column, type="quantitative", scale=scale, axis=axis)

    return along
