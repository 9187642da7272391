"""How often scores of a size occur in a null distribution, and whether a run's scores occur as often.

Left the null itself: the share of its alleles whose score is of a size or larger, both on logarithmic axes; where a
line ends, beyond the null begins. Right quantile against quantile: scores of a run that are like the null's lie on the
diagonal. Does not know files or runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import altair as alt
import numpy as np
import polars as pl

from enformer_core.pictures.picture import Picture, labelled, tips, values_of
from enformer_core.pictures.power_axis import power_axis
from enformer_core.words import counted

MOST_TRACKS = 6
"""Of one picture: more lines are not told apart."""

_FLAT = 0.98
_Channel = TypeVar("_Channel", alt.X, alt.Y)

_HEADROOM = 1.1
_SIDE = 400
_HEIGHT = 380
_LINE_POINTS = 160
_STRONGEST = 300
_OTHERS = 200


def calibration_picture(
    *,
    statistic: str,
    title: str,
    tails: pl.DataFrame | None,
    ranks: pl.DataFrame | None,
    notes: Sequence[str],
    hints: Sequence[str] = (),
) -> Picture:
    """Both halves, or the one that there is.

    Args:
        statistic: whose scores they are.
        title: of the picture.
        tails: `track`, `size` above 0, `share` of the null that is as large, and `end`: `upwards` or `downwards` where
            the null ends on that side, null for points between.
        ranks: `track`, `expected` and `observed`, −log10 of shares, `name`, `is_beyond`; a row for each score.
        notes: what is left out.
        hints: as pictures have them.
    """
    known = [table for table in (tails, ranks) if table is not None]
    tracks = list(dict.fromkeys(name for table in known for name in table["track"].to_list()))
    colour = alt.Color(
        "track:N",
        scale=alt.Scale(domain=tracks),
        # one below the other: where fonts are wider than they were reckoned, no name runs into the next one's sign
        legend=alt.Legend(title="track", orient="bottom", columns=1, labelLimit=520),
    )
    halves: list[alt.LayerChart] = []
    told = []
    if tails is not None:
        halves.append(_null_chart(tails, statistic, colour))
        told.append(_null_words(tails, tracks))
    if ranks is not None:
        thin = pl.concat([_thin(each) for each in ranks.partition_by("track", maintain_order=True)])
        halves.append(_rank_chart(thin, colour))
        told.append(_rank_words(ranks, tracks))
        if thin.height < ranks.height:
            notes = (*notes, _thinned_note(ranks.height, thin.height))
    return Picture(
        alt.hconcat(*halves, spacing=40),
        title,
        " ".join(told),
        _table(tails, ranks),
        tuple(notes),
        tuple(hints),
    )


def tail_of(
    sizes: np.ndarray,
    counts: np.ndarray,
    alleles: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Some of the sizes of bins, ascending, each with the share of alleles that are as large or larger.

    Sizes 1 2 4 of 1 2 1 of 8 alleles: shares 4/8 3/8 1/8.

    Args:
        sizes: of each bin the smallest; both signs may have bins of one size.
        counts: values of each bin.
        alleles: values in all, those that are 0 among them.
    """
    found, place = np.unique(sizes, return_inverse=True)
    together = np.bincount(place, weights=counts, minlength=found.size)
    shares = np.cumsum(together[::-1])[::-1] / alleles
    if found.size <= _LINE_POINTS:
        return found, shares
    # evenly on the logarithmic axis of shares, so that the rare end keeps its shape
    wanted = np.geomspace(shares[0], shares[-1], _LINE_POINTS)
    kept = np.unique(np.searchsorted(-shares, -wanted).clip(0, found.size - 1))
    return found[kept], shares[kept]


def expected_ranks(observed: np.ndarray) -> np.ndarray:
    """−log10 of the shares at which as many scores of the null itself would lie: of 4 scores 0.5/4 … 3.5/4."""
    order = np.argsort(-observed, kind="stable")
    expected = np.empty(observed.size)
    expected[order] = -np.log10((np.arange(observed.size) + 0.5) / observed.size)
    return expected


def _null_chart(
    tails: pl.DataFrame,
    statistic: str,
    colour: alt.Color,
) -> alt.LayerChart:
    lines = tails.sort("track", "size", maintain_order=True)
    ends = tails.filter(pl.col("end").is_not_null())
    x = _log_axis(alt.X, "size:Q", f"size of {statistic}", _where_it_falls(tails))
    y = _log_axis(alt.Y, "share:Q", "share of the null as large or larger", tails["share"])
    line = alt.Chart(values_of(lines)).mark_line(strokeWidth=2, clip=True, aria=False)
    point = alt.Chart(values_of(ends)).mark_point(
        filled=True,
        size=90,
        opacity=1,
        aria=False,
    )
    shape = _two_shapes(
        "end:N",
        {"upwards": "triangle-up", "downwards": "triangle-down"},
        "beyond the null from here",
    )
    told = tips(ends, ["track", "size", "share"])
    layers = (
        line.encode(x=x, y=y, color=colour, order="size:Q"),
        point.encode(x=x, y=y, color=colour, shape=shape, tooltip=told),
    )
    return _half(layers)


def _rank_chart(ranks: pl.DataFrame, colour: alt.Color) -> alt.LayerChart:
    largest = float(max(ranks["expected"].max(), ranks["observed"].max()))  # type: ignore[type-var, arg-type]
    scale: dict[str, Any] = {"domain": [0, _HEADROOM * largest], "nice": False}
    x = alt.X(
        "expected:Q",
        scale=alt.Scale(**scale),
        axis=alt.Axis(title="expected, were the run like the null (−log10)"),
    )
    y = alt.Y(
        "observed:Q",
        scale=alt.Scale(**scale),
        axis=alt.Axis(title="share of the null as large or larger (−log10)"),
    )
    end = _HEADROOM * largest
    corners = pl.DataFrame({"expected": [0.0, end], "observed": [0.0, end]})
    diagonal = alt.Chart(values_of(corners)).mark_line(
        style="muted",
        strokeDash=[5, 4],
        strokeWidth=1,
        aria=False,
    )
    points = alt.Chart(values_of(ranks)).mark_point(
        filled=True,
        size=36,
        opacity=0.8,
        **labelled(ranks.height),
    )
    # of equal ones the first, which is the rightmost: its name ends there, within the frame
    rarest = ranks.filter(pl.col("observed") == ranks["observed"].max()).head(1)
    name = alt.Chart(values_of(rarest)).mark_text(
        style="ink",
        align="right",
        dx=8,
        dy=-12,
        limit=260,
        fontWeight="bold",
    )
    shape = _two_shapes(
        "beyond:N",
        {"within the null": "circle", "beyond it": "triangle-up"},
        "score",
    )
    told = tips(ranks, ["name", "track", "expected", "observed"])
    layers = (
        diagonal.encode(x=x, y=y),
        points.encode(x=x, y=y, color=colour, shape=shape, tooltip=told),
        name.encode(x=x, y=y, text="name:N"),
    )
    return _half(layers)


def _half(layers: Sequence[alt.Chart]) -> alt.LayerChart:
    """One side of the picture; what shapes mean is its own."""
    chart: alt.LayerChart = alt.LayerChart(layer=list(layers))
    sized = chart.properties(width=_SIDE, height=_HEIGHT)
    return sized.resolve_scale(shape="independent")


def _two_shapes(
    column: str,
    shapes: Mapping[str, str],
    title: str,
) -> alt.Shape:
    return alt.Shape(
        column,
        scale=alt.Scale(domain=list(shapes), range=list(shapes.values())),
        legend=alt.Legend(title=title, orient="bottom", columns=2),
    )


def _thin(of_track: pl.DataFrame) -> pl.DataFrame:
    """The strongest scores of a track, and of the others some, evenly along the axis."""
    ordered = of_track.sort("observed", descending=True, maintain_order=True)
    if ordered.height <= _STRONGEST + _OTHERS:
        kept = ordered
    else:
        places = np.geomspace(_STRONGEST, ordered.height - 1, _OTHERS).round().astype(np.int64)
        kept = ordered[np.unique(np.concatenate([np.arange(_STRONGEST), places]))]
    beyond = pl.when("is_beyond").then(pl.lit("beyond it")).otherwise(pl.lit("within the null"))
    return kept.with_columns(beyond.alias("beyond"))


def _thinned_note(scores: int, drawn: int) -> str:
    return f"of {scores:,} scores {drawn:,} are drawn: the {_STRONGEST} strongest of each track, and of the others some"


def _where_it_falls(tails: pl.DataFrame) -> pl.Series:
    """Sizes without those that nearly the whole null reaches, where each line is flat."""
    falling = tails.filter(pl.col("share") <= _FLAT)
    return falling["size"] if falling.height else tails["size"]


def _log_axis(
    channel: type[_Channel],
    column: str,
    title: str,
    values: pl.Series,
) -> _Channel:
    """A logarithmic axis around values, with lines at powers of ten alone."""
    low = np.log10(float(values.min()))  # type: ignore[arg-type]
    high = np.log10(float(values.max()))  # type: ignore[arg-type]
    margin = max((high - low) * 0.04, 0.05)
    domain = [float(10 ** (low - margin)), float(10 ** (high + margin))]
    return channel(
        column,
        scale=alt.Scale(type="log", nice=False, domain=domain),
        axis=power_axis(title, domain[0], domain[1]),
    )


def _null_words(tails: pl.DataFrame, tracks: Sequence[str]) -> str:
    ends = tails.filter(pl.col("end").is_not_null())
    said = [
        f"{name} {_sides(ends.filter(pl.col('track') == name))}"
        for name in tracks
        if name in set(ends["track"].to_list())
    ]
    return f"The null distribution of {counted(len(tracks), 'tracks')}, which ends at: {'; '.join(said)}."


def _sides(ends: pl.DataFrame) -> str:
    sign = {"upwards": "+", "downwards": "−"}
    return ", ".join(
        f"{sign[end]}{size:.4g}" for end, size in ends.select("end", "size").iter_rows()
    )


def _rank_words(ranks: pl.DataFrame, tracks: Sequence[str]) -> str:
    said = []
    for name in tracks:
        of = ranks.filter(pl.col("track") == name)
        rare = int((of["observed"] >= 2).sum())
        beyond = int(of["is_beyond"].sum())
        said.append(
            f"{name}: {counted(of.height, 'scores')}, {rare:,} in the outermost 1 % of the null, {beyond:,} beyond it"
        )
    return f"Scores of the run against the null: {'; '.join(said)}."


def _table(tails: pl.DataFrame | None, ranks: pl.DataFrame | None) -> pl.DataFrame:
    """The strongest scores, or where the null ends."""
    if ranks is not None:
        return ranks.sort("observed", descending=True, maintain_order=True)
    assert tails is not None
    return tails.sort("track", "size", maintain_order=True)
