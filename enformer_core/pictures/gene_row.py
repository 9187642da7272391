"""The row of genes: a line for each, its exons on it, its name and strand above it, none over another.

columns: name, strand, first, last (from 1, both included), exons: a list of pairs first, last
"""

from collections.abc import Sequence

import altair as alt
import numpy as np
import polars as pl

from enformer_core.pictures.picture import labelled, tips, values_of
from enformer_core.pictures.stack import WIDTH, Axis, Layer, Row, Stretch
from enformer_core.words import agreeing, counted

MOST_LANES = 10
_LANE = 30
_LETTER = 7.4
"""Width of a letter of a label, in dots: of capitals, which names of genes are."""

_GAP = 10
_ARROWS = {"+": "→", "-": "←"}


def gene_row(
    genes: pl.DataFrame,
    stretch: Stretch,
    *,
    source: str,
) -> Row:
    """Genes that reach into a stretch.

    Args:
        genes: as the module says; at least one.
        stretch: along which they are drawn.
        source: the file that they come from.
    """
    placed = packed(genes, stretch)
    shown = placed.filter(pl.col("lane").is_not_null())
    exons = _exons(shown, stretch)
    lanes = int(shown["lane"].max()) + 1  # type: ignore[arg-type]
    left_out = genes.height - shown.height

    def draw(along: Axis) -> Layer:
        lane = alt.Y(
            "lane:Q",
            scale=alt.Scale(domain=[-0.75, lanes - 0.4], reverse=True, nice=False, zero=False),
            axis=None,
        )
        bodies = alt.Chart(values_of(shown)).mark_rule(
            style="accent", strokeWidth=2, clip=True, **labelled(shown.height)
        )
        marks = alt.Chart(values_of(exons)).mark_bar(
            style="accent", height=9, clip=True, aria=False
        )
        names = alt.Chart(values_of(shown)).mark_text(style="ink", dy=-12, aria=False, limit=0)
        told = tips(shown, ("name", "strand", "first", "last"))
        return alt.layer(
            bodies.encode(x=along("from"), x2="to", y=lane, tooltip=told),
            marks.encode(x=along("from"), x2="to", y=lane),
            names.encode(x=along("label_at"), y=lane, text="label:N"),
        )

    notes = []
    if left_out:
        notes.append(
            f"{source}: {counted(left_out, 'genes')} {agreeing(left_out, 'is', 'are')} not drawn, as there is no room; "
            "the longest are"
        )
    named = ", ".join(
        f"{row['name']} ({row['strand']})" for row in shown.head(12).iter_rows(named=True)
    )
    more = f" and {shown.height - 12:,} more" if shown.height > 12 else ""
    return Row(
        "genes",
        draw,
        lanes * _LANE + 16,
        f"Genes of {source}: {named}{more}.",
        genes.drop("exons"),
        notes,
    )


def packed(genes: pl.DataFrame, stretch: Stretch) -> pl.DataFrame:
    """The genes with `lane`, from 0, so that neither lines nor names of one lane touch; null where there is no room.

    Adds `from` and `to`, cut at the stretch, `label` and `label_at`, its middle. The longest choose first.
    """
    bp_per_dot = stretch.length_bp / WIDTH
    lanes: list[list[tuple[float, float]]] = [[] for _ in range(MOST_LANES)]
    rows = []
    for row in genes.iter_rows(named=True):
        start = max(row["first"], stretch.first) - 0.5
        end = min(row["last"], stretch.last) + 0.5
        label = f"{row['name']} {_ARROWS[row['strand']]}"
        half = min(len(label) * _LETTER * bp_per_dot, stretch.length_bp) / 2
        # a name that would hang over the end of the picture stays within it
        middle = np.clip((start + end) / 2, stretch.first + half, stretch.last - half)
        label_at = float(middle)
        rows.append({"from": start, "to": end, "label": label, "label_at": label_at, "half": half})
    order = sorted(range(len(rows)), key=lambda at: rows[at]["from"] - rows[at]["to"])
    lane_of: list[int | None] = [None] * len(rows)
    for at in order:
        row = rows[at]
        gap = _GAP * bp_per_dot
        low = min(row["from"], row["label_at"] - row["half"]) - gap
        high = max(row["to"], row["label_at"] + row["half"]) + gap
        lane = next((n for n, lane in enumerate(lanes) if _is_free(lane, low, high)), None)
        lane_of[at] = lane
        if lane is not None:
            lanes[lane].append((low, high))
    return genes.with_columns(
        pl.Series("lane", lane_of, pl.Int64),
        *(
            pl.Series(name, [row[name] for row in rows])
            for name in ("from", "to", "label", "label_at")
        ),
    )


def _is_free(
    lane: Sequence[tuple[float, float]],
    low: float,
    high: float,
) -> bool:
    return all(high <= start or end <= low for start, end in lane)


def _exons(shown: pl.DataFrame, stretch: Stretch) -> pl.DataFrame:
    rows = [
        {"lane": lane, "from": max(first, stretch.first) - 0.5, "to": min(last, stretch.last) + 0.5}
        for lane, exons in shown.select("lane", "exons").iter_rows()
        for first, last in exons
        if last >= stretch.first and first <= stretch.last
    ]
    schema = {"lane": pl.Int64, "from": pl.Float64, "to": pl.Float64}
    return pl.DataFrame(rows, schema=schema)
