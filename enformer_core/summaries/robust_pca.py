"""Principal components of scores as the released ones of Enformer were made: robust scaling, PCA, robust scaling.

Robust scaling takes the median from each column and divides by the range between its quartiles. Source: scikit-learn's
RobustScaler → PCA → RobustScaler, of which DeepMind's `enformer.finetuned.SAD.robustscaler-PCA500-robustscaler` is one;
here it is worked out in float64 from rows that do not fit in memory. Knows matrices. Does not know what columns are.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from enformer_core.errors import InputError
from enformer_core.summaries.scratch_matrix import Rows, ScratchMatrix
from enformer_core.words import counted

QUARTILES = (25, 50, 75)

LEAST_SCALE = 10 * np.finfo(np.float64).eps
"""A narrower range between quartiles counts as none, as scikit-learn has it (`_handle_zeros_in_scale`)."""

_ROWS_AT_ONCE = 512

OfTracks = Float64[np.ndarray, " tracks"]
OfColumns = Float64[np.ndarray, " columns"]
OfComponents = Float64[np.ndarray, " components"]


@dataclass(frozen=True)
class RobustPca:
    """A fitted transform; all arrays are float64.

    Attributes:
        centre: median of each track.
        scale: range between the quartiles of each track, 1 where that is below `LEAST_SCALE`.
        mean: of each track, centred and scaled.
        components: loadings, of length 1 and at right angles; of each the largest in size is positive.
        explained_variance: of the scaled tracks along each component, the largest first.
        total_variance: of all scaled tracks.
        second_centre: median of each component.
        second_scale: range between the quartiles of each component.
    """

    centre: OfTracks
    scale: OfTracks
    mean: OfTracks
    components: Float64[np.ndarray, "components tracks"]
    explained_variance: OfComponents
    total_variance: float
    second_centre: OfComponents
    second_scale: OfComponents

    def transform(self, rows: Rows) -> Float64[np.ndarray, "rows components"]:
        """Scaled components of rows: for each row the same numbers, whatever rows stand beside it.

        Args:
            rows: a value for each track, in the order of the fit.
        """
        projected = np.empty((len(rows), len(self.components)))
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = slice(first, first + _ROWS_AT_ONCE)
            centred = _scaled(rows[some], self.centre, self.scale)
            centred -= self.mean
            # A product of matrices may add up a row otherwise where it has other neighbours. Here each row is a
            # product of its own: (20, 5313) times (512, 5313, 1) is 512 times (20, 1).
            products = np.matmul(self.components, centred[:, :, np.newaxis])
            projected[some] = products[:, :, 0]
        return _scaled(projected, self.second_centre, self.second_scale)


def _untold(step: str) -> None:
    """Does nothing with a step that nobody waits for."""


def fit(
    matrix: ScratchMatrix,
    components: int,
    progress: Callable[[str], object] = _untold,
) -> RobustPca:
    """Fit the transform to all rows of a matrix.

    Sums are taken over blocks in the order of rows, so that the same rows in the same order give the same bytes.

    Args:
        matrix: finished; a row for each allele, a column for each track, all of them finite.
        components: how many.
        progress: told what is done next.

    Raises:
        InputError: for fewer rows, tracks or directions than components.
    """
    check_components(matrix.rows, matrix.columns, components)
    progress("quartiles of each track")
    centre, scale, mean = _robust_scaling(matrix)
    progress("products of tracks")
    covariance = _covariance(matrix, centre, scale, mean)
    total_variance = float(np.trace(covariance))
    progress("components")
    variances, loadings = _strongest(covariance, components)
    del covariance  # of 5,313 tracks it has 226 MB
    unscaled = RobustPca(
        centre=centre,
        scale=scale,
        mean=mean,
        components=loadings,
        explained_variance=variances,
        total_variance=total_variance,
        second_centre=np.zeros(components),
        second_scale=np.ones(components),
    )
    progress("quartiles of each component")
    with ScratchMatrix(components, np.float64) as projected:
        for block in matrix.blocks():
            projected.add(unscaled.transform(block.T))
        projected.finish()
        second_centre, second_scale, _ = _robust_scaling(projected)
    return replace(unscaled, second_centre=second_centre, second_scale=second_scale)


def check_components(
    rows: int,
    columns: int,
    components: int,
) -> None:
    """Refuse a number of components that so many alleles and tracks do not have.

    Raises:
        InputError: with how many they have at most.
    """
    if components < 1:
        raise InputError(f"--components {components}: give at least 1")
    # one direction less than rows, as their mean is taken from them
    most = min(rows - 1, columns)
    if components > most:
        raise InputError(
            f"--components {components}: {counted(rows, 'alleles')} and {counted(columns, 'tracks')} "
            f"have at most {max(most, 0)}, and fewer where tracks say the same as others. {_fewer(most)}"
        )


def _fewer(most: int) -> str:
    return (
        f"Give --components {most} or fewer, or more alleles." if most > 0 else "Give more alleles."
    )


def _robust_scaling(matrix: ScratchMatrix) -> tuple[OfColumns, OfColumns, OfColumns]:
    """Of each column the median, the range between the quartiles, and the mean of what these centre and scale."""
    centre = np.empty(matrix.columns)
    scale = np.empty(matrix.columns)
    mean = np.empty(matrix.columns)
    for columns, strip in matrix.strips():
        values = strip.astype(np.float64)
        lower, middle, upper = np.percentile(values, QUARTILES, axis=1)
        spread = upper - lower
        centre[columns] = middle
        spread[spread < LEAST_SCALE] = 1
        scale[columns] = spread
        scaled = _scaled(values.T, middle, spread)
        mean[columns] = scaled.mean(axis=0)
    return centre, scale, mean


def _scaled(rows: Rows, centre: OfColumns, scale: OfColumns) -> Float64[np.ndarray, "rows columns"]:
    centred = rows - centre
    centred /= scale
    return centred


def _covariance(
    matrix: ScratchMatrix,
    centre: OfColumns,
    scale: OfColumns,
    mean: OfColumns,
) -> Float64[np.ndarray, "tracks tracks"]:
    """Of each pair of tracks, centred and scaled; the mean is taken out before, so that nothing large cancels."""
    products = np.zeros((matrix.columns, matrix.columns))
    for block in matrix.blocks():
        centred = _scaled(block.T, centre, scale)
        centred -= mean
        products += centred.T @ centred
    return products / (matrix.rows - 1)


def _strongest(
    covariance: Float64[np.ndarray, "tracks tracks"],
    components: int,
) -> tuple[OfComponents, Float64[np.ndarray, "components tracks"]]:
    """Variances and loadings of the strongest components, the strongest first.

    Raises:
        InputError: where the rows vary in fewer directions: the others would be noise of rounding.
    """
    ascending, vectors = np.linalg.eigh(covariance)
    variances = ascending[::-1]
    least = variances[0] * _rounding(len(variances))
    directions = int((variances > least).sum())
    if directions < components:
        raise InputError(
            f"--components {components}: the scores of these alleles vary in {counted(directions, 'directions')} "
            f"alone. {_fewer(directions)}"
        )
    strongest_first = vectors[:, ::-1].T
    loadings = strongest_first[:components]
    # an eigenvector's sign is free: of the loadings (0.1, -0.9, 0.4) it is turned, so that -0.9 becomes 0.9
    largest = np.argmax(np.abs(loadings), axis=1)
    of_largest = loadings[np.arange(components), largest]
    signs = np.sign(of_largest)
    turned = loadings * signs[:, np.newaxis]
    return variances[:components].copy(), np.ascontiguousarray(turned)


def _rounding(tracks: int) -> float:
    """Of the largest eigenvalue the part that rounding leaves of one that is 0, as in `numpy.linalg.matrix_rank`."""
    return tracks * float(np.finfo(np.float64).eps)
