"""Letters of DNA as polygons, which a chart can make as high and as wide as its axes say.

Text has one size in both directions; a letter of a logo has two. Knows shapes. Does not know values.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

Outline = Sequence[tuple[float, float]]
"""Corners in a unit square, from 0 below to 1 above."""

_STEM = 0.27
"""How wide what stands is: letters of logos are narrow and high, and lines of one width would vanish."""

_BAR = 0.13
"""How high what lies is."""

_OPEN_DEGREES = 42
"""How far C is open, above and below its middle."""


def _rectangle(left: float, below: float, right: float, above: float) -> Outline:
    return [(left, below), (left, above), (right, above), (right, below)]


def _ring() -> Outline:
    """C: along the outer ellipse and back along the inner one."""
    half = np.append(np.linspace(_OPEN_DEGREES, 90, 4), np.linspace(90, 180, 6)[1:])
    # above and then below, so that corners lie where it is highest, farthest left and lowest
    turns = np.radians(np.append(half, 360 - half[-2::-1]))
    # as far right as the other letters reach
    widened = np.where(np.cos(turns) > 0, np.cos(turns) / np.cos(turns[0]), np.cos(turns))
    outer = (0.5 + 0.5 * widened, 0.5 + 0.5 * np.sin(turns))
    inner = (0.5 + (0.5 - _STEM) * widened, 0.5 + (0.5 - _BAR) * np.sin(turns))
    x = np.concatenate([outer[0], inner[0][::-1]])
    y = np.concatenate([outer[1], inner[1][::-1]])
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _legs() -> Outline:
    """A without its bar."""
    return [
        *((0.0, 0.0), (0.5 - _STEM / 2, 1.0), (0.5 + _STEM / 2, 1.0), (1.0, 0.0)),
        *((1.0 - _STEM, 0.0), (0.5, 0.84), (_STEM, 0.0)),
    ]


def _tee() -> Outline:
    left, right, below = 0.5 - _STEM / 2, 0.5 + _STEM / 2, 1 - _BAR
    return [
        *((0.0, 1.0), (1.0, 1.0), (1.0, below), (right, below)),
        *((right, 0.0), (left, 0.0), (left, below), (0.0, below)),
    ]


LETTERS: dict[str, Sequence[Outline]] = {
    "A": [_legs(), _rectangle(0.24, 0.22, 0.76, 0.22 + _BAR)],
    "C": [_ring()],
    "G": [
        _ring(),
        _rectangle(0.5, 0.5 - _BAR, 1.0, 0.5),
        _rectangle(1.0 - _STEM, 0.14, 1.0, 0.5),
    ],
    "T": [_tee()],
}
"""Of each letter its pieces, which may overlap."""

_MARGIN = 0.06
"""Left free on either side of a letter, as a share of its base."""


def outlines(letters: pl.DataFrame) -> pl.DataFrame:
    """The corners of letters, a piece after another.

    A letter from 0 to 3 stands upright; one from 0 to -3 hangs, upside down, as negative ones of logos do.

    Args:
        letters: `letter`, `pos` (its base, from 1), `from` and `to`, where it begins and ends upwards.

    Returns:
        `letter`, `x`, `y`, `piece` (a number of its own for each polygon), `corner` (from 0).
    """
    parts = []
    first_piece = 0
    for (letter,), rows in letters.group_by("letter", maintain_order=True):
        for outline in LETTERS[str(letter)]:
            parts.append(_of_piece(str(letter), rows, np.asarray(outline), first_piece))
            first_piece += rows.height
    if not parts:
        return pl.DataFrame(schema=_SCHEMA)
    return pl.concat(parts)


_SCHEMA = {
    "letter": pl.String,
    "x": pl.Float64,
    "y": pl.Float64,
    "piece": pl.Int64,
    "corner": pl.Int64,
}


def _of_piece(
    letter: str,
    rows: pl.DataFrame,
    outline: np.ndarray,
    first_piece: int,
) -> pl.DataFrame:
    left = rows["pos"].to_numpy() - 0.5 + _MARGIN
    low = rows["from"].to_numpy()
    height = rows["to"].to_numpy() - low
    # rows × corners
    x = left[:, np.newaxis] + (1 - 2 * _MARGIN) * outline[:, 0]
    y = low[:, np.newaxis] + height[:, np.newaxis] * outline[:, 1]
    corners = len(outline)
    columns = {
        "letter": [letter] * x.size,
        "x": x.ravel(),
        "y": y.ravel(),
        "piece": np.repeat(first_piece + np.arange(rows.height), corners),
        "corner": np.tile(np.arange(corners), rows.height),
    }
    return pl.DataFrame(columns, schema=_SCHEMA)
