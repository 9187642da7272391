"""The row of genes: a line for each, its exons on it, its name and strand above it, none over another.

columns: name, strand, first, last (from 1, both included), exons: a list of pairs first, last
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import polars as pl

from enformer_core.pictures.marks import upright
from enformer_core.pictures.picture import labelled, tips, values_of
from enformer_core.pictures.stack import WIDTH, Axis, Layer, Row, Stretch
from enformer_core.words import agreeing, counted

MOST_LANES = 10
_LANE = 30
_MARGIN = 16
_SAID = 12
_TOLD = ("name", "strand", "first", "last")
_LETTER = 7.4
"""Width of a letter of a label, in dots: of capitals, which names of genes are."""

_GAP = 10
_SEEN = 3
"""Dots of a line that is seen."""

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
    in_order = genes.sort("first", "last", maintain_order=True)
    placed = packed(in_order, stretch)
    shown = placed.filter(pl.col("lane").is_not_null())
    exons = _exons(shown, stretch)
    lanes = 1 + max(shown["lane"].to_list())
    short = shown.filter(pl.col("to") - pl.col("from") < _SEEN * stretch.length_bp / WIDTH)

    def draw(along: Axis) -> Layer:
        lane = upright("lane", (lanes - 0.4, -0.75), None)
        layers = [
            _bodies(shown).encode(x=along("from"), x2="to", y=lane),
            _bars(exons).encode(x=along("from"), x2="to", y=lane),
            _names(shown).encode(x=along("label_at"), y=lane),
        ]
        if short.height:
            layers.append(_ticks(short).encode(x=along("from"), y=lane))
        return alt.layer(*layers)

    return Row(
        "genes",
        draw,
        lanes * _LANE + _MARGIN,
        f"Genes of {source}: {_in_words(shown)}.",
        in_order.drop("exons"),
        _notes(source, genes.height - shown.height),
    )


def packed(genes: pl.DataFrame, stretch: Stretch) -> pl.DataFrame:
    """The genes with `lane`, from 0, so that neither lines nor names of one lane touch; null where there is no room.

    Adds `from` and `to`, cut at the stretch, `label` and `label_at`, its middle. The longest choose first.
    """
    placed = [_Placed.of(row, stretch) for row in genes.iter_rows(named=True)]
    by_length = sorted(range(len(placed)), key=lambda at: -placed[at].length)
    taken: list[list[_Placed]] = [[] for _ in range(MOST_LANES)]
    lane_of: dict[int, int] = {}
    for at in by_length:
        own = placed[at]
        for number, lane in enumerate(taken):
            if not any(own.touches(other) for other in lane):
                lane.append(own)
                lane_of[at] = number
                break
    lanes = [lane_of.get(at) for at in range(len(placed))]
    return genes.with_columns(
        pl.Series("lane", lanes, pl.Int64),
        pl.Series("from", [each.start for each in placed]),
        pl.Series("to", [each.end for each in placed]),
        pl.Series("label", [each.label for each in placed]),
        pl.Series("label_at", [each.label_at for each in placed]),
    )


@dataclass(frozen=True)
class _Placed:
    """A gene as it is drawn.

    Attributes:
        start: of its line, half a base before its first.
        end: of its line.
        label: its name and strand.
        label_at: the middle of the label.
        low: where line or label begin, whichever is first, with a gap.
        high: where both have ended.
    """

    start: float
    end: float
    label: str
    label_at: float
    low: float
    high: float

    @property
    def length(self) -> float:
        return self.end - self.start

    @staticmethod
    def of(gene: Mapping[str, Any], stretch: Stretch) -> "_Placed":
        bp_per_dot = stretch.length_bp / WIDTH
        start = max(gene["first"], stretch.first) - 0.5
        end = min(gene["last"], stretch.last) + 0.5
        label = f"{gene['name']} {_ARROWS[gene['strand']]}"
        width = len(label) * _LETTER * bp_per_dot
        half = min(width, stretch.length_bp) / 2
        # a name that would hang over the end of the picture stays within it
        middle = max((start + end) / 2, stretch.first + half)
        middle = min(middle, stretch.last - half)
        gap = _GAP * bp_per_dot
        low = min(start, middle - half) - gap
        high = max(end, middle + half) + gap
        return _Placed(start, end, label, middle, low, high)

    def touches(self, other: "_Placed") -> bool:
        return self.low < other.high and other.low < self.high


def _bodies(shown: pl.DataFrame) -> alt.Chart:
    chart = alt.Chart(values_of(shown))
    lines = chart.mark_rule(
        style="accent",
        strokeWidth=2,
        clip=True,
        **labelled(shown.height),
    )
    return lines.encode(tooltip=tips(shown, _TOLD))


def _bars(exons: pl.DataFrame) -> alt.Chart:
    chart = alt.Chart(values_of(exons))
    return chart.mark_bar(
        style="accent",
        height=9,
        clip=True,
        aria=False,
    )


def _ticks(short: pl.DataFrame) -> alt.Chart:
    """Genes of which a line would not be seen, as those of which a file has the TSS alone."""
    chart = alt.Chart(values_of(short))
    ticks = chart.mark_tick(
        orient="vertical", style="accent", thickness=2, height=11, clip=True, aria=False
    )
    return ticks.encode(tooltip=tips(short, _TOLD))


def _names(shown: pl.DataFrame) -> alt.Chart:
    chart = alt.Chart(values_of(shown))
    text = chart.mark_text(style="ink", dy=-12, limit=0, aria=False)
    return text.encode(text="label:N")


def _in_words(shown: pl.DataFrame) -> str:
    some = shown.head(_SAID).select("name", "strand")
    named = [f"{name} ({strand})" for name, strand in some.iter_rows()]
    if shown.height > _SAID:
        named[-1] += f" and {shown.height - _SAID:,} more"
    return ", ".join(named)


def _notes(source: str, left_out: int) -> tuple[str, ...]:
    if not left_out:
        return ()
    are = agreeing(left_out, "is", "are")
    said = f"{source}: {counted(left_out, 'genes')} {are} not drawn: there is room for the longest alone"
    return (said,)


def _exons(shown: pl.DataFrame, stretch: Stretch) -> pl.DataFrame:
    """The exons that reach into the stretch, cut at its ends."""
    rows = []
    for lane, exons in shown.select("lane", "exons").iter_rows():
        for first, last in exons:
            if last >= stretch.first and first <= stretch.last:
                start = max(first, stretch.first) - 0.5
                end = min(last, stretch.last) + 0.5
                rows.append((lane, start, end))
    schema = {"lane": pl.Int64, "from": pl.Float64, "to": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")
