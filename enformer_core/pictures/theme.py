"""One look for all pictures: fonts, and colours that the colour-blind tell apart, on white, on dark and in print.

Colours are the theme's, never a chart's: marks have a style (`ink`, `faint`, `accent` …) or a scale's range
(`category`, `ordinal`, `diverging`), so that one chart is drawn on white and on dark alike.
"""

from dataclasses import dataclass
from typing import Any

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


@dataclass(frozen=True)
class Colours:
    """Colours of a theme, as a browser reads them.

    Attributes:
        ground: behind all; of pages the page's own colour shows through.
        ink: text and what must be seen best.
        muted: axes and their labels.
        grid: lines behind the marks.
        faint: marks that are there for comparison.
        accent: what the picture is about.
        second: the other of two.
        warning: a border that something has passed.
        category: of things without an order: Okabe and Ito's, strongest first.
        ordinal: from least to most.
        diverging: from below 0 to above.
    """

    ground: str
    ink: str
    muted: str
    grid: str
    faint: str
    accent: str
    second: str
    warning: str
    category: tuple[str, ...]
    ordinal: tuple[str, ...]
    diverging: tuple[str, ...]


# Okabe & Ito, Color Universal Design (2008); black is the ink, and yellow is not seen on white
LIGHT = Colours(
    ground="#ffffff",
    ink="#1b1f24",
    muted="#57606a",
    grid="#e4e7eb",
    faint="#9aa4b0",
    accent="#0072b2",
    second="#d55e00",
    warning="#b3261e",
    category=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6e6e6e"),
    # steps of cividis' idea: lightness alone tells the order
    ordinal=("#b9c3cf", "#7fb2d9", "#3f8fb5", "#c8761a", "#8f2d0c"),
    diverging=("#0072b2", "#7fb2d9", "#e4e7eb", "#eba36b", "#d55e00"),
)
DARK = Colours(
    ground="#14181d",
    ink="#e8ebef",
    muted="#a9b3be",
    grid="#2c333b",
    faint="#6b7682",
    accent="#56b4e9",
    second="#ef8a3c",
    warning="#ff8a80",
    category=("#56b4e9", "#ef8a3c", "#35c19a", "#dd9cc0", "#f0e442", "#3f8fd0", "#a0a0a0"),
    ordinal=("#75818e", "#3f7fae", "#56b4e9", "#e69f00", "#ffd27a"),
    diverging=("#56b4e9", "#3f7fae", "#2c333b", "#b3672b", "#ef8a3c"),
)


def config(colours: Colours) -> dict[str, Any]:
    """The theme as the `config` of a Vega-Lite specification."""
    return {
        "background": colours.ground,
        "font": FONT,
        "padding": 12,
        "view": {"stroke": colours.grid, "continuousWidth": 860, "continuousHeight": 220},
        "concat": {"spacing": 14},
        "title": _title(colours),
        "axis": _axis(colours),
        "legend": _legend(colours),
        "header": {"labelColor": colours.ink, "titleColor": colours.ink},
        "text": {"color": colours.ink, "fontSize": 11},
        "style": _styles(colours),
        "mark": {"color": colours.accent},
        "rule": {"color": colours.muted},
        "range": {
            "category": list(colours.category),
            "ordinal": list(colours.ordinal),
            "diverging": list(colours.diverging),
            "ramp": list(colours.ordinal),
            "heatmap": list(colours.ordinal),
        },
    }


def _title(colours: Colours) -> dict[str, Any]:
    return {
        "anchor": "start",
        "frame": "group",
        "color": colours.ink,
        "subtitleColor": colours.muted,
        "fontSize": 16,
        "fontWeight": 600,
        "subtitleFontSize": 12,
        "subtitleLineHeight": 16,
        "offset": 14,
    }


def _axis(colours: Colours) -> dict[str, Any]:
    return {
        "labelColor": colours.muted,
        "titleColor": colours.ink,
        "tickColor": colours.muted,
        "domainColor": colours.muted,
        "gridColor": colours.grid,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelLimit": 240,
    }


def _legend(colours: Colours) -> dict[str, Any]:
    return {
        "labelColor": colours.ink,
        "titleColor": colours.ink,
        # of shapes that have no colour
        "symbolBaseFillColor": colours.muted,
        "symbolBaseStrokeColor": colours.muted,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        # a reader's font may be wider than that by which widths were reckoned
        "columnPadding": 24,
        # a cut name is still told by the table; a legend wider than the chart is of no use
        "labelLimit": 260,
        "titleLimit": 260,
    }


def _styles(colours: Colours) -> dict[str, Any]:
    named = ("ink", "muted", "grid", "faint", "accent", "second", "warning")
    by_name = {name: getattr(colours, name) for name in named}
    # of logos: A green, C blue, G yellow, T red, as nearly as the colour-blind tell them apart
    blue, red, green, _, yellow, *_ = colours.category
    bases = {"base_a": green, "base_c": blue, "base_g": yellow, "base_t": red}
    return {name: {"color": colour} for name, colour in (by_name | bases).items()}
