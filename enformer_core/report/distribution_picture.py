"""The picture of how effects are distributed by assay. Knows the rows that it draws, and not where they come from."""

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Any

import altair as alt
import polars as pl

from enformer_core.pictures.picture import Picture, values_of
from enformer_core.report.cells import shown

MOST_LINES = 7
"""As many as colours that are told apart; the assays with most values."""

_WIDTH = 280  # with its axis as wide as a phone's screen, so that letters are not shrunk there
_HEIGHT = 230

_PLAIN = "~g"
_PART = ".3~p"

_FEWEST_MARKS = 3
"""Of an axis: fewer tell too little of a logarithmic one."""

_NEARLY_ALL = 0.999
"""Sizes that nearly all values reach tell nothing: of those the largest is where a line begins."""


def distribution_picture(
    statistic: str,
    rows: Sequence[Sequence[Any]],
    notes: Sequence[str],
) -> Picture | None:
    """Shares of values that are at least so large, a line for each assay.

    Args:
        statistic: which number.
        rows: assay, least size (0 of values that are 0), and how many values are from there to the next.
        notes: what was left out.

    Returns:
        The picture; None where every value is 0.
    """
    shares = shares_at_least(rows)
    if not shares.height:
        return None
    lines = shares["assay"].unique(maintain_order=True).to_list()
    drawn = lines[:MOST_LINES]
    left_out = len(lines) - len(drawn)
    more = (
        [f"Of {len(lines)} assays the {MOST_LINES} with most values are drawn."] if left_out else []
    )
    part = shares.filter(pl.col("assay").is_in(drawn))
    return Picture(
        chart=_chart(statistic, part, drawn),
        title=f"{statistic}: how large effects are, by assay",
        description=_words(statistic, part),
        table=part,
        notes=[*notes, *more],
    )


def shares_at_least(rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """Of each assay the share of values at least so large; those that are 0 are part of the whole.

    Of 6 values that are 0, 3 from 0.1 and 1 from 1 on: 0.4 are at least 0.1, and 0.1 at least 1.
    """
    table = pl.DataFrame(
        list(rows), schema={"assay": pl.String, "size": pl.Float64, "count": pl.Int64}, orient="row"
    )
    whole = pl.col("count").sum().over("assay")
    counted = (
        table.sort(["assay", "size"], descending=[False, True])
        .with_columns(whole.alias("whole"))
        .with_columns((pl.col("count").cum_sum().over("assay") / pl.col("whole")).alias("share"))
    )
    reached = pl.col("size").filter(pl.col("share") >= _NEARLY_ALL).max().over("assay")
    kept = counted.filter(pl.col("size") > 0, pl.col("size") >= reached.fill_null(0.0))
    in_order = kept.sort(["whole", "assay", "size"], descending=[True, False, False])
    return in_order.select("assay", "size", "share")


def _chart(
    statistic: str,
    shares: pl.DataFrame,
    lines: Sequence[str],
) -> alt.Chart:
    colour = alt.Color(
        "assay:N",
        title=None,
        scale=alt.Scale(domain=list(lines)),
        legend=alt.Legend(orient="bottom", columns=2),
    )
    size = shares["size"]
    share = shares["share"]
    return (
        alt.Chart(values_of(shares))
        .mark_line(point=True, aria=False)
        .encode(
            x=alt.X(
                "size:Q", title=f"|{statistic}| at least", scale=_SCALE, axis=_axis(size, _PLAIN)
            ),
            y=alt.Y("share:Q", title="share of values", scale=_SCALE, axis=_axis(share, _PART)),
            color=colour,
            strokeDash=alt.StrokeDash("assay:N", legend=None),
            tooltip=["assay:N", _number("size"), _number("share")],
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )


_SCALE = alt.Scale(type="log", nice=False)


def marks_between(least: float, largest: float) -> list[float]:
    """Where an axis has its marks: at powers of ten; at 2 and 5 of each too, where there are few of these.

    From 0.02 to 30: 0.1, 1, 10. From 0.002 to 0.07: 0.002, 0.005, 0.01, 0.02, 0.05. Of two values without such a
    number between them: at both.
    """
    powers = range(floor(log10(least)), ceil(log10(largest)) + 1)
    found: list[float] = []
    for digits in ((1,), (1, 2, 5)):
        marks = [digit * 10.0**power for power in powers for digit in digits]
        found = [mark for mark in marks if least <= mark <= largest]
        if len(found) >= _FEWEST_MARKS:
            return found
    return found if len(found) > 1 else [least, largest]


def _axis(values: pl.Series, form: str) -> alt.Axis:
    least, largest = float(values.to_numpy().min()), float(values.to_numpy().max())
    # 0.00001 beside 1e-7 is hard to compare
    label = f"datum.value < 0.001 ? format(datum.value, '~e') : format(datum.value, '{form}')"
    return alt.Axis(
        labelExpr=label if form == _PLAIN else alt.Undefined,
        format=form,
        values=marks_between(least, largest),
        labelOverlap=True,
    )


def _number(name: str) -> alt.Tooltip:
    return alt.Tooltip(f"{name}:Q", format=".3g")


def _words(statistic: str, shares: pl.DataFrame) -> str:
    """For those who do not see it: the size that one value in a hundred reaches, of each assay."""
    said = []
    for (assay,), part in shares.group_by("assay", maintain_order=True):
        largest = shown(part["size"].max(), "number")
        reached = part.filter(pl.col("share") >= 0.01)["size"].max()
        rare = "" if reached is None else f", one in a hundred {shown(reached, 'number')} or more"
        said.append(f"{assay}: the largest from {largest} on{rare}")
    return f"Share of values whose |{statistic}| is at least so large, by assay. {'; '.join(said)}."
