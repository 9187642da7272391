"""The picture of how effects are distributed by assay. Knows the rows that it draws, and not where they come from."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from enformer_core.dataset.largest_values import NO_EFFECT
from enformer_core.pictures.picture import Picture, values_of
from enformer_core.pictures.power_axis import power_axis
from enformer_core.report.cells import shown

MOST_LINES = 7
"""As many as colours that are told apart; the assays with most values."""

_WIDTH = 280  # with its axis as wide as a phone's screen, so that letters are not shrunk there
_HEIGHT = 230

_STEP = 10**0.25
"""From one size to the next: values lie between both."""

_ROUNDING = (
    "Sizes of a millionth of the largest or less, which rounding leaves of nothing, are not drawn."
)

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
    if is_cut(rows):
        more.append(_ROUNDING)
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
    # its values may be as large as the next size
    is_something = pl.col("size") * _STEP > NO_EFFECT * pl.col("size").max()
    kept = counted.filter(is_something, pl.col("size") >= reached.fill_null(0.0))
    in_order = kept.sort(["whole", "assay", "size"], descending=[True, False, False])
    return in_order.select("assay", "size", "share")


def is_cut(rows: Sequence[Sequence[Any]]) -> bool:
    """Whether some values are not 0, and so small beside the largest that they are not drawn."""
    sizes = [size for _, size, _ in rows]
    return any(0 < size * _STEP <= NO_EFFECT * max(sizes) for size in sizes)


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
            x=alt.X("size:Q", scale=_SCALE, axis=_axis(f"|{statistic}| at least", size)),
            y=alt.Y("share:Q", scale=_SCALE, axis=_axis("share of values", share, ".3~p")),
            color=colour,
            strokeDash=alt.StrokeDash("assay:N", legend=None),
            tooltip=["assay:N", _number("size"), _number("share")],
        )
        .properties(width=_WIDTH, height=_HEIGHT)
    )


_SCALE = alt.Scale(type="log", nice=False)


def _axis(
    title: str,
    values: pl.Series,
    form: str | None = None,
) -> alt.Axis:
    sizes = values.to_numpy()
    return power_axis(title, float(sizes.min()), float(sizes.max()), form)


def _number(name: str) -> alt.Tooltip:
    return alt.Tooltip(f"{name}:Q", format=".3g")


def _words(statistic: str, shares: pl.DataFrame) -> str:
    """For those who do not see it: the size that one value in a hundred reaches, of each assay."""
    said = []
    for (assay,), part in shares.group_by("assay", maintain_order=True):
        begins = float(part["size"].max())  # type: ignore[arg-type]
        largest = f"{shown(begins, 'number')} to {shown(begins * _STEP, 'number')}"
        reached = part.filter(pl.col("share") >= 0.01)["size"].max()
        rare = "" if reached is None else f", one in a hundred {shown(reached, 'number')} or more"
        said.append(f"{assay}: the largest {largest}{rare}")
    return f"Share of values whose |{statistic}| is at least so large, by assay. {'; '.join(said)}."
