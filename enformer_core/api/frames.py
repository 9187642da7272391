"""Tables that people look at: the names of tracks beside their values, in polars or in pandas.

Knows tracks and columns. Does not know variants or predictions.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float32

from enformer_core.errors import InputError
from enformer_core.models.tracks.table import Track, Tracks

_SHOWN_LETTERS = 60  # of a track's description


def per_track(tracks: Tracks, values: Mapping[str, Float32[np.ndarray, " tracks"]]) -> pl.DataFrame:
    """A row for each track: its column of the head, its names, and its values."""
    rows = tracks.rows
    identifiers = [track.identifier for track in rows]
    descriptions = [track.description for track in rows]
    # types are named: a table of tracks without names has nothing to infer them from
    columns: dict[str, Any] = {
        "track": pl.Series(tracks.indices(), dtype=pl.Int32),
        "identifier": pl.Series(identifiers, dtype=pl.String),
        "description": pl.Series(descriptions, dtype=pl.String),
    }
    return pl.DataFrame(columns | dict(values))


def per_bin(
    contig: str | None,
    start: int,
    bin_bp: int,
    tracks: Tracks,
    values: Float32[np.ndarray, "bins tracks"],
) -> pl.DataFrame:
    """A row for each bin: where it lies, 0-based and half-open as in BED, and a column for each track."""
    starts = start + bin_bp * np.arange(len(values))
    columns: dict[str, Any] = {
        "chrom": pl.repeat(contig, len(values), dtype=pl.String, eager=True),
        "start": starts,
        "end": starts + bin_bp,
    }
    names = column_names(tracks)
    return pl.DataFrame(columns | dict(zip(names, values.T, strict=True)))


def column_names(tracks: Tracks) -> list[str]:
    """A name for each track's column: identifiers where all have one and none repeats, else columns of the head."""
    identifiers = [track.identifier for track in tracks.rows]
    named = [name for name in identifiers if name]
    if named and len(set(named)) == len(identifiers):
        return named
    return [str(index) for index in tracks.indices()]


def track_line(track: Track) -> str:
    """A track's names on one line: column, identifier, description, as far as it has them."""
    description = track.description or track.assay or ""
    if len(description) > _SHOWN_LETTERS:
        description = f"{description[: _SHOWN_LETTERS - 1]}…"
    return f"{track.index:>5}  {track.identifier or '':<12} {description}".rstrip()


def in_pandas(frame: pl.DataFrame) -> Any:
    """The same table as a pandas.DataFrame.

    Raises:
        InputError: where pandas is not installed.
    """
    # an extra dependency that most do without: pyarrow imports it wherever it is installed, which takes a second
    try:
        import pandas as pd  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise InputError(
            "to_pandas: pandas is not installed. Install it (pip install pandas), or use to_polars."
        ) from error
    # texts as objects, None where there is none; polars would ask pyarrow for them
    columns = {
        column.name: column.to_list() if column.dtype == pl.String else column.to_numpy()
        for column in frame
    }
    return pd.DataFrame(columns)
