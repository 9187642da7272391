"""Attention around boundaries and around controls: mean maps, and what each layer comes to. Does not know runs."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import polars as pl
from jaxtyping import Float64

from enformer_core.pictures.marks import upright
from enformer_core.pictures.picture import Picture, padded, tips, values_of
from enformer_core.words import counted

_SIDE = 240
_PIXELS = 48
"""Of a map's side: each is some dots, so that pixels end where dots do."""

_PROFILE_HEIGHT = 170
_PROFILE_WIDTH = 372

_STATISTICS = {
    "across": "across: between the sides",
    "at": "at: to the place",
}


def insulation_picture(
    *,
    maps: dict[str, Float64[np.ndarray, "pixels pixels"]],
    window_bp: int,
    layers: pl.DataFrame,
    title: str,
    notes: Sequence[str],
) -> Picture:
    """Maps above, profiles over layers below.

    Args:
        maps: by name, such as `boundaries` and `controls`: attention over what distance alone would give; rows look,
            columns are seen.
        window_bp: what a map's side is.
        layers: `layer` (`mean`, `1`, …), `statistic`, `boundaries`, `controls`, `difference`, `low`, `high`.
        title: of the picture.
        notes: what is left out.
    """
    shown = {name: log_ratio(one) for name, one in maps.items()}
    if {"boundaries", "controls"} <= maps.keys():
        shown["boundaries over controls"] = shown["boundaries"] - shown["controls"]
    largest = max((float(np.abs(one).max()) for one in shown.values()), default=0.0) or 1.0
    drawn = [
        _map(one, name, window_bp, largest, is_first=number == 0)
        for number, (name, one) in enumerate(shown.items())
    ]
    profiles = [_profile(layers, statistic) for statistic in _STATISTICS]
    charts: list[alt.HConcatChart] = []
    if drawn:
        # one scale of colours, so that maps can be held against one another
        charts.append(alt.hconcat(*drawn, spacing=26).resolve_scale(color="shared"))
    charts.append(alt.hconcat(*profiles, spacing=56))
    chart = alt.vconcat(*charts, spacing=30).resolve_scale(color="independent")
    return Picture(chart, title, _words(layers, shown), layers, tuple(notes))


def log_ratio(one: Float64[np.ndarray, "pixels pixels"]) -> Float64[np.ndarray, "fewer fewer"]:
    """log2 of a map in fewer pixels: means of 2 × 2, where it has twice as many or more; else as it is."""
    factor = max(one.shape[0] // _PIXELS, 1)
    fewer = one.shape[0] // factor
    kept = one[: fewer * factor, : fewer * factor].reshape(fewer, factor, fewer, factor)
    with np.errstate(divide="ignore"):
        found: Float64[np.ndarray, "fewer fewer"] = np.log2(kept.mean(axis=(1, 3)))
    # what nothing looks at is as little as the least that is looked at
    is_known = np.isfinite(found)
    return np.where(is_known, found, found[is_known].min() if is_known.any() else 0.0)


def map_cells(one: Float64[np.ndarray, "pixels pixels"], window_bp: int) -> pl.DataFrame:
    """A row for each pixel: where it begins and ends in kb from the place, who looks and who is seen, and its value."""
    pixels = one.shape[0]
    edges = (np.arange(pixels + 1) / pixels - 0.5) * window_bp / 1000
    look, seen = np.divmod(np.arange(pixels * pixels), pixels)
    return pl.DataFrame(
        {
            "looks_from": edges[look],
            "looks_to": edges[look + 1],
            "seen_from": edges[seen],
            "seen_to": edges[seen + 1],
            "log2": one.ravel(),
        }
    )


def _map(
    one: Float64[np.ndarray, "pixels pixels"],
    name: str,
    window_bp: int,
    largest: float,
    *,
    is_first: bool,
) -> alt.Chart:
    cells = map_cells(one, window_bp)
    half = window_bp / 2000
    scale = alt.Scale(domain=[-half, half], nice=False)
    below = alt.Scale(domain=[-half, half], nice=False, reverse=True)
    colour = alt.Color(
        "log2:Q",
        # between grey and orange by lightness, not by way of pink
        scale=alt.Scale(domain=[-largest, largest], range="diverging", interpolate="rgb"),
        legend=alt.Legend(
            title=["log2 over", "distance alone"],
            orient="right",
            gradientLength=180,
            tickCount=5,
        ),
    )
    chart = alt.Chart(values_of(cells)).mark_rect(aria=False)
    drawn = chart.encode(
        x=alt.X(
            "seen_from:Q", scale=scale, axis=alt.Axis(title="seen (kb)", tickCount=4, grid=False)
        ),
        x2="seen_to",
        y=alt.Y(
            "looks_from:Q",
            scale=below,
            axis=alt.Axis(title="looking (kb)" if is_first else None, tickCount=4, grid=False),
        ),
        y2="looks_to",
        color=colour,
        tooltip=tips(cells, ("looks_from", "seen_from", "log2")),
    )
    heading = alt.Title(name, anchor="start", fontSize=12, offset=6)
    return drawn.properties(width=_SIDE, height=_SIDE, title=heading)


def _profile(layers: pl.DataFrame, statistic: str) -> alt.LayerChart | alt.FacetChart:
    """The difference for each layer with its interval."""
    rows = layers.filter(pl.col("statistic") == statistic)
    low = min(0.0, float(rows["low"].min()))  # type: ignore[arg-type]
    high = max(0.0, float(rows["high"].max()))  # type: ignore[arg-type]
    domain = padded(low, high, 0.1)
    order = rows["layer"].to_list()
    axis = alt.Axis(title="layer", labelAngle=0)
    x = alt.X("layer:N", sort=order, scale=alt.Scale(domain=order), axis=axis)
    y_axis = alt.Axis(title="boundaries − controls (log2)", tickCount=5)
    chart = alt.Chart(values_of(rows))
    told = tips(rows, ("layer", "boundaries", "controls", "difference", "low", "high"))
    zero = alt.Chart(values_of(pl.DataFrame({"zero": [0.0]})))
    return alt.layer(
        zero.mark_rule(style="muted", strokeDash=[5, 4], aria=False).encode(
            y=upright("zero", domain, y_axis)
        ),
        chart.mark_rule(style="accent", strokeWidth=2, aria=False).encode(
            x=x, y=upright("low", domain, y_axis), y2="high"
        ),
        chart.mark_point(style="accent", filled=True, size=70, opacity=1).encode(
            x=x, y=upright("difference", domain, y_axis), tooltip=told
        ),
    ).properties(
        width=_PROFILE_WIDTH,
        height=_PROFILE_HEIGHT,
        title=alt.Title(_STATISTICS[statistic], anchor="start", fontSize=12, offset=6),
    )


def _words(layers: pl.DataFrame, maps: dict[str, np.ndarray]) -> str:
    means = layers.filter(pl.col("layer") == "mean")
    said = [
        f"{row['statistic']} {row['boundaries']:.3f} at boundaries and {row['controls']:.3f} at controls, difference "
        f"{row['difference']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        for row in means.iter_rows(named=True)
    ]
    number = layers.filter(pl.col("layer") != "mean")["layer"].n_unique()
    return (
        f"Mean maps of attention: {', '.join(maps) or 'none'}. Below, {counted(number, 'layers')}; over all layers "
        f"{'; '.join(said)}."
    )
