"""Rows of bins along the genome: one prediction, or the reference's and the alternate's with their difference.

    columns of the tables: start, end (0-based, half-open, as in BED), and values

Does not know models or runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from enformer_core.pictures.marks import upright
from enformer_core.pictures.picture import padded, tips, values_of
from enformer_core.pictures.stack import Axis, Layer, Row, dashed_line, titled, values_axis
from enformer_core.words import counted

_HEIGHT = 92
_DIFFERENCE_HEIGHT = 70
_TOP = 0.08
"""Free room above the largest value, as a share of the axis."""

_FLAT = 0.01
"""Of the tallest row: a row that is nowhere taller is drawn low, and not as tall as that one on an axis of its own."""

_NOTHING = 1e-4
"""The same of differences, of which small ones matter more; below it they are what rounding leaves of nothing."""

_ALLELES = ("reference", "alternate")


def prediction_row(
    table: pl.DataFrame,
    *,
    name: str,
    bin_bp: int,
    tallest: float = 0.0,
) -> Row:
    """What is predicted of one track, as steps.

    Args:
        table: `start`, `end`, `value`, in counts per bin; a bin without a value leaves a gap.
        name: of the track.
        bin_bp: of how many bases a value is the count.
        tallest: the largest value of all rows: a hundredth of it is what the axis reaches at least.
    """
    steps = stepped(table, ("value",))
    domain = _from_zero(table["value"], _FLAT * tallest)

    def draw(along: Axis) -> Layer:
        y = upright("value", domain, values_axis(_counts(bin_bp)))
        area = alt.Chart(values_of(steps)).mark_area(
            style="accent", interpolate="step-after", clip=True, aria=False
        )
        layers = [area.encode(x=along("at"), y=y), _told(table, along, ("start", "end", "value"))]
        return alt.layer(*layers).properties(title=titled(name))

    return Row(name, draw, _HEIGHT, _prediction_words(table, name), table)


def allele_rows(
    table: pl.DataFrame,
    *,
    name: str,
    heading: str,
    at: int,
    is_first: bool,
    tallest: tuple[float, float] = (0.0, 0.0),
) -> tuple[Row, Row]:
    """Both alleles' predictions of one track, and below them the difference.

    Args:
        table: `start`, `end`, `reference`, `alternate`, `difference`, in counts per bin.
        name: of the track.
        heading: above the row.
        at: where the variant lies, from 1; a dashed line.
        is_first: whether the legend stands here.
        tallest: the largest prediction and the largest difference in size of all rows; as `prediction_row` has it.
    """
    steps = stepped(table, (*_ALLELES, "difference"))
    bin_bp = int(table["end"][0] - table["start"][0])
    domain = _from_zero(pl.concat([table[allele] for allele in _ALLELES]), _FLAT * tallest[0])

    def draw(along: Axis) -> Layer:
        # where both are equal the line is the area's edge; a second line would hide it
        shapes = ({"type": "area", "opacity": 0.35}, {"type": "line", "strokeWidth": 1.4})
        layers = [
            _of_allele(steps, allele, shape).encode(
                x=along("at"),
                y=upright("value", domain, values_axis(_counts(bin_bp))),
                color=_colour(is_first=is_first),
            )
            for allele, shape in zip(_ALLELES, shapes, strict=True)
        ]
        told = _told(table, along, ("start", "end", *_ALLELES))
        return alt.layer(dashed_line(at, along), *layers, told).properties(title=titled(heading))

    words = _alleles_words(table, name)
    least = _NOTHING * tallest[1]
    difference = _difference_row(table, steps, f"difference of {name}", at, least)
    return Row(name, draw, _HEIGHT, words, table), difference


def stepped(
    table: pl.DataFrame,
    values: Sequence[str],
) -> pl.DataFrame:
    """Points of a line that goes in steps: each bin at its first base, its value again and a null before a gap.

    Bins [0, 128) and [128, 256) of 3 and 5, positions from 1: 3 at 0.5, 5 at 128.5, 5 and null at 256.5.

    Args:
        table: of bins, in order.
        values: columns that are drawn.
    """
    columns = [pl.col(name).cast(pl.Float64) for name in values]
    begins = table.select((pl.col("start") + 0.5).alias("at"), *columns)
    is_last = (table["end"] != table["start"].shift(-1)).fill_null(value=True)
    ends = table.filter(is_last).select((pl.col("end") + 0.5).alias("at"), *columns)
    # a line is broken where it meets a null
    breaks = ends.select("at", *(pl.lit(None, pl.Float64).alias(name) for name in values))
    # of one place the end comes before what begins there
    return pl.concat([ends, breaks, begins]).sort("at", maintain_order=True)


def _counts(bin_bp: int) -> list[str]:
    return ["counts", f"per {bin_bp} bp"]


def signed(value: float) -> str:
    """A number with its sign, as people write it: +3.2, −10."""
    return f"{value:+.4g}".replace("-", "\N{MINUS SIGN}")


def _difference_row(
    table: pl.DataFrame,
    steps: pl.DataFrame,
    name: str,
    at: int,
    least: float,
) -> Row:
    gained = pl.col("difference").clip(lower_bound=0).alias("gain")
    lost = pl.col("difference").clip(upper_bound=0).alias("loss")
    parted = steps.with_columns(gained, lost)

    def draw(along: Axis) -> Layer:
        low = min(_least(table["difference"]), -least)
        high = max(_most(table["difference"]), least)
        domain = padded(low, high, _TOP)
        axis = values_axis("difference", tickCount=3)
        chart = alt.Chart(values_of(parted))
        areas = [
            chart.mark_area(style=style, interpolate="step-after", clip=True, aria=False).encode(
                x=along("at"), y=upright(column, domain, axis)
            )
            for column, style in (("gain", "accent"), ("loss", "second"))
        ]
        zero = alt.Chart(values_of(pl.DataFrame({"zero": [0.0]})))
        line = zero.mark_rule(style="muted", strokeWidth=0.7, aria=False).encode(
            y=upright("zero", domain, axis)
        )
        told = _told(table, along, ("start", "end", "difference"))
        return alt.layer(dashed_line(at, along), *areas, line, told)

    strongest = table.select(pl.all().sort_by(pl.col("difference").abs()).last())
    row = strongest.row(0, named=True)
    words = (
        f"Below it alternate − reference, largest in the bin {row['start'] + 1:,}-{row['end']:,}: "
        f"{signed(row['difference'])}."
    )
    return Row(name, draw, _DIFFERENCE_HEIGHT, words, table.clear())


def _told(
    table: pl.DataFrame,
    along: Axis,
    columns: Sequence[str],
) -> alt.Chart:
    """What a pointer upon a bin shows; the marks themselves are not seen."""
    edges = table.with_columns(
        (pl.col("start") + 0.5).alias("from"),
        (pl.col("end") + 0.5).alias("to"),
    )
    bars = alt.Chart(values_of(edges)).mark_rect(opacity=0, clip=True, aria=False)
    return bars.encode(x=along("from"), x2="to", tooltip=tips(table, columns))


def _of_allele(
    steps: pl.DataFrame,
    allele: str,
    shape: Mapping[str, Any],
) -> alt.Chart:
    one = steps.select("at", pl.col(allele).alias("value"), pl.lit(allele).alias("allele"))
    mark = alt.MarkDef(**shape, interpolate="step-after", clip=True, aria=False)
    return alt.Chart(values_of(one), mark=mark)


def _colour(*, is_first: bool) -> alt.Color:
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="horizontal",
        offset=2,
        symbolType="square",
        symbolOpacity=0.9,
    )
    return alt.Color(
        "allele:N",
        scale=alt.Scale(domain=list(_ALLELES)),
        legend=legend if is_first else None,
    )


def _from_zero(values: pl.Series, reach: float) -> tuple[float, float]:
    high = max(_most(values), reach)
    low = min(_least(values), 0.0)
    room = _TOP * (high - low) or 1.0
    return low - (room if low < 0 else 0.0), high + room


def _most(values: pl.Series) -> float:
    largest = values.cast(pl.Float64).fill_nan(None).max()
    return 0.0 if largest is None else float(largest)  # type: ignore[arg-type]


def _least(values: pl.Series) -> float:
    return -_most(-values)


def _prediction_words(table: pl.DataFrame, name: str) -> str:
    known = table.filter(pl.col("value").is_not_null())
    if not known.height:
        return f"{name}: no bin has a value."
    row = known.sort("value", maintain_order=True).row(-1, named=True)
    return (
        f"{name}: {counted(known.height, 'bins')}, the largest {row['value']:.4g} in the bin "
        f"{row['start'] + 1:,}-{row['end']:,}."
    )


def _alleles_words(table: pl.DataFrame, name: str) -> str:
    sums = table.select(pl.col(_ALLELES).cast(pl.Float64).sum()).row(0)
    return (
        f"{name}: {counted(table.height, 'bins')}, in sum {sums[0]:.4g} with the reference allele and "
        f"{sums[1]:.4g} with the alternate."
    )
