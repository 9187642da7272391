"""Rows of points along the genome, one for each variant: association, probabilities, scores.

    columns of the tables: name, pos, and what each row says

Does not know where numbers come from.
"""

from collections.abc import Sequence

import altair as alt
import numpy as np
import polars as pl

from enformer_core.errors import first_few
from enformer_core.pictures.marks import (
    largest,
    marked_rows,
    name_beside,
    outstanding,
    points,
    thinned,
    upright,
)
from enformer_core.pictures.picture import labelled, padded, tips, values_of
from enformer_core.pictures.set_colours import SetColours, numbered, set_colours
from enformer_core.pictures.stack import Axis, Layer, Row, titled, values_axis
from enformer_core.words import counted

GENOME_WIDE = 5e-8
"""The p below which an association is believed, among as many variants as a genome has."""

LD_CLASSES = ("0–0.2", "0.2–0.4", "0.4–0.6", "0.6–0.8", "0.8–1")
_LD_BOUNDS = (0.2, 0.4, 0.6, 0.8)

_OF_ASSOCIATION = ("name", "pos", "minus_log10_p")
_OF_PIPS = ("name", "pos", "pip", "credible_set")
_OF_SCORES = ("name", "pos", "score", "track")

_HEIGHT = 170
_SCORE_HEIGHT = 110
_MEMBER_SIZE = 60
_LEAD_SIZE = 130
_RING_SIZE = 120
_NO_LD_SIZE = 30
_MOST_STEMS = 400

_HEADROOM = 0.14
"""Above the largest value, for the label of what has it."""

_FOOTROOM = 0.03

_UP = pl.col("score") >= 0
_SOMETHING = 0.1
"""Of the strongest score: what is smaller in the other direction has no name."""

_PIPS = (0, 0.2, 0.4, 0.6, 0.8, 1)


def association_row(
    table: pl.DataFrame,
    *,
    source: str,
    lead: str | None,
    sets: tuple[str, pl.DataFrame] | None = None,
    marked: int | None = None,
) -> Row:
    """Association of each variant, coloured by its correlation with the lead variant where that is known.

    Members of credible sets have a ring in the colour of their set; a legend says what ring and diamond are.

    Args:
        table: `name`, `pos`, `minus_log10_p` and, where LD is known, `r2` with the lead.
        source: the file that it comes from.
        lead: name of the variant that LD is with; None for the one of the smallest p, without LD.
        sets: the row whose credible sets have rings, as it is called, and its table: `name`, `pos` and `credible_set`,
            as `probability_row` takes them; its legend tells the colours.
        marked: position of a variant that is named, whatever its strength.
    """
    has_ld = "r2" in table.columns
    named = outstanding(table, "minus_log10_p")
    if lead is not None and named.height:
        named = table.filter(pl.col("name") == lead).head(1)
    shown, notes = thinned(table, "minus_log10_p", "association")
    strongest = largest(table, "minus_log10_p")
    threshold = -np.log10(GENOME_WIDE)
    highest = max(strongest["minus_log10_p"][0], threshold)
    domain = (-_FOOTROOM * highest, (1 + _HEADROOM) * highest)
    labelled_rows = marked_rows(table, "minus_log10_p", marked, named)
    lead_sign = "lead variant" if has_ld else "strongest"
    rings: list[alt.Chart] = []
    if sets is not None:
        in_a_set = f"in a credible set ({sets[0]})"
        rings = _rings(table, sets[1].with_columns(pl.lit(in_a_set).alias("sign")))

    def draw(along: Axis) -> Layer:
        y = upright("minus_log10_p", domain, values_axis("−log10 p"))
        dots = _by_ld(shown) if has_ld else [points(shown, _OF_ASSOCIATION, style="accent")]
        led = named.with_columns(pl.lit(lead_sign).alias("sign"))
        diamond = alt.Chart(values_of(led)).mark_point(
            filled=True,
            size=_LEAD_SIZE,
            opacity=1,
            style="second",
        )
        rounds = [ring.encode(shape=_sign("circle")) for ring in rings]
        signed = (*rounds, diamond.encode(shape=_sign("diamond")))
        return alt.layer(
            *_threshold(threshold, y),
            *(each.encode(x=along("pos"), y=y) for each in (*dots, *signed)),
            name_beside(labelled_rows, along, y),
        ).resolve_scale(shape="independent")

    best = strongest.row(0, named=True)
    coloured = f", coloured by r² with {lead}" if has_ld else ""
    said = (
        f"Association in {source}{coloured}: {counted(table.height, 'variants')}, the strongest {best['name']} at "
        f"{best['pos']:,} with −log10 p {best['minus_log10_p']:.2f}."
    )
    return Row("association", draw, _HEIGHT, said, table, notes)


def probability_row(
    table: pl.DataFrame,
    *,
    name: str,
    source: str,
    marked: int | None = None,
) -> Row:
    """The posterior probability of each variant to be causal, coloured by its credible set.

    Args:
        table: `name`, `pos`, `pip`, and `credible_set`, null where a variant is in none.
        name: what the row is called, as `PIP with prior`.
        source: the file that it comes from.
        marked: position of a variant that is named, whatever its probability.
    """
    shown, thin = thinned(table, "pip", name)
    is_member = pl.col("credible_set").is_not_null()
    sets = _sets(table)
    colours = set_colours(table, "pip")
    notes = (*thin, *([f"{name}: {colours.note}"] if colours.note else []))
    members = colours.of(shown.filter(is_member))
    named = outstanding(table, "pip")
    labelled_rows = marked_rows(table, "pip", marked, named)

    def draw(along: Axis) -> Layer:
        # of more values than ticks Vega leaves out every second
        axis = values_axis(name, values=list(_PIPS), tickCount=len(_PIPS))
        y = upright("pip", (-_FOOTROOM, 1 + _HEADROOM), axis)
        others = shown.filter(~is_member)
        dots = [points(others, _OF_PIPS, style="faint")] if others.height else []
        if sets:
            in_sets = points(members, _OF_PIPS, size=_MEMBER_SIZE)
            dots.append(in_sets.encode(color=_set_colour(colours)))
        return alt.layer(
            *(each.encode(x=along("pos"), y=y) for each in dots),
            name_beside(labelled_rows, along, y),
        )

    best = largest(table, "pip").row(0, named=True)
    sizes = [f"{each} of {counted(size, 'variants')}" for each, size in sets.items()]
    of_sets = f"credible sets: {first_few(sizes)}" if sets else "no credible set here"
    said = (
        f"{name} in {source}: the largest {best['pip']:.3f} of {best['name']} at {best['pos']:,}; "
        f"{of_sets}."
    )
    return Row(name, draw, _HEIGHT, said, table, notes)


def score_row(
    table: pl.DataFrame,
    *,
    name: str,
    statistic: str,
    axis: str,
    marked: int | None = None,
) -> Row:
    """A score of each variant: the one of the largest size among some tracks, with its sign.

    The strongest has its name, and so has the strongest in the other direction.

    Args:
        table: `name`, `pos`, `score`, `track`.
        name: of the tracks, as people call them.
        statistic: whose values they are.
        axis: the same with its unit.
        marked: position of a variant that is named, whatever its score.
    """
    sized = table.with_columns(pl.col("score").abs().alias("size"))
    shown, notes = thinned(sized, "size", name)
    best = largest(sized, "size").row(0, named=True)
    values = table["score"].to_numpy()
    strongest = _either_way(sized)
    labelled_rows = marked_rows(sized, "score", marked, strongest)
    # 0 is in sight, whatever the sign of all
    domain = padded(min(values.min(), 0.0), max(values.max(), 0.0), 0.24)

    def draw(along: Axis) -> Layer:
        y = upright("score", domain, values_axis(axis))
        dots = points(shown, _OF_SCORES, style="accent")
        is_below = pl.col("score") < 0
        names = [
            name_beside(labelled_rows.filter(is_below == below), along, y, is_below=below)
            for below in (False, True)
            if labelled_rows.filter(is_below == below).height
        ]
        chart = alt.layer(*_stems(shown, along, y), dots.encode(x=along("pos"), y=y), *names)
        return chart.properties(title=titled(name))

    said = (
        f"{statistic} of {name}: {counted(table.height, 'variants')}, the largest {best['score']:+.4g} of "
        f"{best['name']} at {best['pos']:,}."
    )
    return Row(name, draw, _SCORE_HEIGHT, said, table, notes)


def _either_way(sized: pl.DataFrame) -> pl.DataFrame:
    """The strongest score above 0 and the strongest below, where both are something beside each other."""
    ends = [outstanding(sized.filter(side), "size") for side in (_UP, ~_UP)]
    found = pl.concat(ends)
    return found.filter(pl.col("size") >= _SOMETHING * pl.col("size").max())


def _stems(
    shown: pl.DataFrame,
    along: Axis,
    y: alt.Y,
) -> list[alt.Chart]:
    """The line of 0, and one from there to each point where these are few."""
    ground = alt.Chart(values_of(pl.DataFrame({"score": [0.0]})))
    lines = [ground.mark_rule(style="muted", aria=False).encode(y=y)]
    if shown.height <= _MOST_STEMS:
        chart = alt.Chart(values_of(shown))
        stems = chart.mark_rule(style="accent", opacity=0.6, aria=False)
        lines.append(stems.encode(x=along("pos"), y=y, y2=alt.datum(0)))
    return lines


def _sign(shape: str) -> alt.Shape:
    """What a shape means, told below the row; marks have it in a column."""
    scale = alt.Scale(range=[shape])
    legend = alt.Legend(
        title=None,
        orient="bottom",
        direction="horizontal",
        offset=4,
        symbolFillColor="transparent",
        symbolSize=90,
    )
    return alt.Shape("sign:N", scale=scale, legend=legend)


def _rings(
    table: pl.DataFrame,
    fine_mapped: pl.DataFrame,
) -> list[alt.Chart]:
    """A ring around each member of a credible set; a variant of another name at the same place is another one."""
    colours = set_colours(fine_mapped, "pip" if "pip" in fine_mapped.columns else None)
    wanted = fine_mapped.select("name", "pos", "credible_set", "sign").drop_nulls()
    members = table.join(wanted, on=["name", "pos"], how="inner", maintain_order="left")
    if not members.height:
        return []
    told = [*_OF_ASSOCIATION, "credible_set"]
    ring = alt.Chart(values_of(colours.of(members))).mark_point(
        size=_RING_SIZE,
        filled=False,
        strokeWidth=2,
        opacity=1,
        clip=True,
        aria=False,
    )
    scale = alt.Scale(domain=list(colours.names))
    colour = alt.Stroke("set_colour:N", scale=scale, legend=None)
    return [ring.encode(stroke=colour, tooltip=tips(members, told))]


def _by_ld(table: pl.DataFrame) -> list[alt.Chart]:
    """Points by class of r² with the lead; those of which it is not known are rings, below the others."""
    told = [*_OF_ASSOCIATION, "r2"]
    classed = table.with_columns(_ld_class(table["r2"]))
    is_known = pl.col("ld").is_not_null()
    unknown = classed.filter(~is_known)
    # the most alike last, so that none hides them
    known = classed.filter(is_known).sort("ld", maintain_order=True)
    colour = alt.Color(
        "ld:O",
        scale=alt.Scale(domain=list(LD_CLASSES)),
        # from above, as the points lie
        legend=alt.Legend(title="r² with the lead", values=list(reversed(LD_CLASSES))),
    )
    coloured = points(known, told).encode(color=colour)
    # a layer without a point would be announced to screen readers, without a name
    return [_without_ld(unknown, told), coloured] if unknown.height else [coloured]


def _without_ld(unknown: pl.DataFrame, told: Sequence[str]) -> alt.Chart:
    """Rings, which no class of r² has, with a legend of their own."""
    ring = alt.Chart(values_of(unknown.with_columns(pl.lit("no LD").alias("known")))).mark_point(
        style="muted",
        size=_NO_LD_SIZE,
        filled=False,
        strokeWidth=1.5,
        opacity=1,
        clip=True,
        **labelled(unknown.height),
    )
    legend = alt.Legend(title=None, symbolFillColor="transparent")
    shape = alt.Shape("known:N", scale=alt.Scale(range=["circle"]), legend=legend)
    return ring.encode(shape=shape, tooltip=tips(unknown, told))


def _ld_class(r2: pl.Series) -> pl.Series:
    """The name of the class of each r²; null where that is not known."""
    values = r2.fill_null(np.nan).to_numpy()
    names = np.array(LD_CLASSES, dtype=object)[np.digitize(values, _LD_BOUNDS)]
    names[np.isnan(values)] = None
    return pl.Series("ld", names.tolist(), pl.String)


def _threshold(
    height: float,
    y: alt.Y,
) -> tuple[alt.Chart, alt.Chart]:
    """The line, and at its left end what it is."""
    at = alt.Chart(values_of(pl.DataFrame({"minus_log10_p": [height]})))
    line = at.mark_rule(style="warning", strokeDash=[5, 4], aria=False)
    text = at.mark_text(
        style="warning",
        text=f"P = {GENOME_WIDE:.0e}".replace("e-0", "e-"),
        align="left",
        dx=4,
        dy=-6,
        fontSize=10,
        aria=False,
    )
    return line.encode(y=y), text.encode(x=alt.value(0), y=y)


def _sets(table: pl.DataFrame) -> dict[str, int]:
    """How many variants each credible set has, in the order of their numbers."""
    members = table["credible_set"].drop_nulls().to_list()
    return {each: members.count(each) for each in numbered(table)}


def _set_colour(colours: SetColours) -> alt.Color:
    return alt.Color(
        "set_colour:N",
        scale=alt.Scale(domain=list(colours.names)),
        legend=alt.Legend(title="credible set"),
    )
