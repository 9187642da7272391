"""A bar chart as a small SVG, for the README: logarithmic, with each bar's value. Knows nothing of what it shows."""

from collections.abc import Mapping
from html import escape
from math import floor, log10
from pathlib import Path

# in pixels: height of a row; width of the names, of the longest bar, and of the values behind it
_ROW, _LEFT, _WIDTH, _RIGHT = 30, 390, 330, 90


def write_chart(path: Path, seconds: Mapping[str, float], axis: str) -> None:
    """Draw seconds as bars, one for each name, in their order; `axis` says what they are."""
    # The axis begins at a power of ten, somewhat below the least value, so that its bar is still seen.
    low = 10.0 ** floor(log10(min(seconds.values())) - 0.2)
    decades = log10(max(seconds.values()) / low)
    width = _LEFT + _WIDTH + _RIGHT
    height = _ROW * len(seconds) + 40
    rows = []
    for number, (name, value) in enumerate(seconds.items()):
        length = _WIDTH * log10(value / low) / decades
        rows.append(_bar(number, name, value, length))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="13">\n'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n'
        + "\n".join(rows)
        + f'\n<text x="{_LEFT}" y="{height - 12}" fill="#555555">{escape(axis)}</text>\n'
        "</svg>\n",
        encoding="utf-8",
    )


def _bar(number: int, name: str, value: float, length: float) -> str:
    top = 10 + number * _ROW
    # The original program is grey beside ours.
    colour = "#9aa5b1" if name.startswith("enformer-pytorch") else "#2f6f9f"
    return (
        f'<text x="{_LEFT - 8}" y="{top + 15}" text-anchor="end" fill="#222222">{escape(name)}</text>'
        f'<rect x="{_LEFT}" y="{top}" width="{length:.1f}" height="20" fill="{colour}"/>'
        f'<text x="{_LEFT + length + 6:.1f}" y="{top + 15}" fill="#222222">{value:.3g} s</text>'
    )
