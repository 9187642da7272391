"""Pearson's correlation and R² of many tracks over all bins of all regions joined, from sums over each region.

Sums are taken in float64, and about the first value of each track: they lose no digits of tracks that are far from 0.
Those of each region are kept on scratch disk, so that regions can be drawn anew for intervals; memory holds one region.
Does not know what tracks and bins are.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO

import numpy as np
from jaxtyping import Float, Float64, Int64, Num

from enformer_core.errors import InputError
from enformer_core.evaluate.average_precision import Bootstrap, Counts

Rows = Num[np.ndarray, "bins tracks"]
Sums = Float64[np.ndarray, "*draws 7 tracks"]
OfTracks = Float64[np.ndarray, "*draws tracks"]

MOMENTS = 7
"""Of each track: n, Σp, Σy, Σp², Σy², Σpy of predicted p and measured y, and Σ(y - p)²."""

_TRACKS_AT_ONCE = 256
"""So many columns of a region are summed together: some arrays of 6,144 bins are 12 MB each then."""

_LEAST_SPREAD = 1e-13
"""Part of the squares about the first value below which what is left about the mean is rounding."""


class TrackMoments:
    """Sums of regions that are added one after another; used as a context.

    Args:
        tracks: how many a region has.

    Raises:
        InputError: from every method, where the scratch disk is full or cannot be written.
    """

    def __init__(self, tracks: int) -> None:
        self.tracks = tracks
        self.regions = 0
        self._about: Float64[np.ndarray, "2 tracks"] = np.full((2, tracks), np.nan)
        with _scratch_errors():
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="enformer-ray-moments-")  # noqa: SIM115

    def __enter__(self) -> "TrackMoments":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, predicted: Rows, measured: Rows) -> None:
        """Sum up a region; bins whose measurement is not finite are left out of their track."""
        sums = np.empty((MOMENTS, self.tracks))
        for some in _blocks(self.tracks):
            p = predicted[:, some].astype(np.float64)
            y = measured[:, some].astype(np.float64)
            sums[:, some] = self._sums(p, y, self._about[:, some])
        with _scratch_errors():
            self._file.write(sums.data)
        self.regions += 1

    @staticmethod
    def _sums(
        p: Float64[np.ndarray, "bins some"],
        y: Float64[np.ndarray, "bins some"],
        about: Float64[np.ndarray, "2 some"],
    ) -> Float64[np.ndarray, "7 some"]:
        is_known = np.isfinite(y)
        is_new = np.isnan(about[0]) & is_known.any(axis=0)
        if is_new.any():
            first = is_known.argmax(axis=0)[is_new]
            # both are views of the moments' own: what is written stays
            about[0, is_new] = p[first, is_new]
            about[1, is_new] = y[first, is_new]
        missing = ~is_known
        error = np.where(missing, 0.0, y - p)
        p = np.where(missing, 0.0, p - about[0])
        y = np.where(missing, 0.0, y - about[1])
        products = ((p, p), (y, y), (p, y), (error, error))
        return np.stack(
            [
                is_known.sum(axis=0),
                p.sum(axis=0),
                y.sum(axis=0),
                *(np.einsum("bt,bt->t", one, other) for one, other in products),
            ]
        )

    def strips(self) -> Iterator[tuple[slice, Float64[np.ndarray, "regions 7 some"]]]:
        """The sums of all regions, some tracks after others; which they are stands before them."""
        shape = (self.regions, MOMENTS, self.tracks)
        if not self.regions:
            yield slice(0, self.tracks), np.zeros(shape)
            return
        with _scratch_errors():
            self._file.flush()
            every = np.memmap(self._file, dtype=np.float64, mode="r", shape=shape)
        for some in _blocks(self.tracks):
            yield some, np.array(every[:, :, some])


def drawn_sums(
    sums: Float64[np.ndarray, "regions 7 tracks"],
    counts: Counts,
) -> Float64[np.ndarray, "draws 7 tracks"]:
    """The sums of each draw of regions, in which some are several times."""
    regions, moments, tracks = sums.shape
    flat = sums.reshape(regions, moments * tracks)
    drawn = counts.astype(np.float64) @ flat
    return drawn.reshape(-1, moments, tracks)


def pearson_of(sums: Sums) -> OfTracks:
    """Pearson's correlation; NaN where either has one value only, or nothing was measured."""
    n, p, y, pp, yy, py, _ = np.moveaxis(sums, -2, 0)
    spread = np.sqrt(_about_mean(n, p, pp)) * np.sqrt(_about_mean(n, y, yy))
    with np.errstate(invalid="ignore", divide="ignore"):
        together = py - p * y / n
        # rounding may leave a perfect one a little beyond 1
        return np.clip(together / spread, -1, 1)


def r2_of(sums: Sums) -> OfTracks:
    """1 - Σ(y - p)² / Σ(y - mean y)², which has no lower end; NaN as above, but for a constant prediction."""
    n, _, y, _, yy, _, error = np.moveaxis(sums, -2, 0)
    return 1 - error / _about_mean(n, y, yy)


def _about_mean(n: OfTracks, total: OfTracks, squares: OfTracks) -> OfTracks:
    """Σ(x - mean)²; NaN where that is nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - total**2 / n
    is_spread = spread > _LEAST_SPREAD * squares
    return np.where(is_spread, spread, np.nan)


def counts_of(bootstrap: Bootstrap, regions: int) -> Iterator[Counts]:
    """Draws of regions; none without regions."""
    if regions:
        yield from bootstrap.counts(regions)


def bins_of(sums: Float64[np.ndarray, "regions 7 tracks"]) -> Int64[np.ndarray, " tracks"]:
    """How many bins of each track were measured."""
    return sums[:, 0].sum(axis=0).astype(np.int64)


def _blocks(tracks: int) -> Iterator[slice]:
    for first in range(0, tracks, _TRACKS_AT_ONCE):
        yield slice(first, min(first + _TRACKS_AT_ONCE, tracks))


@contextmanager
def _scratch_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{tempfile.gettempdir()}: the scratch file cannot be written: {error}. Free some space there, or name "
            "another place by TMPDIR."
        ) from error


def log_of(values: Rows) -> Float[np.ndarray, "bins tracks"]:
    """log2(1 + x), in float64; NaN of what is -1 or less."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log1p(values.astype(np.float64)) / np.log(2.0)
