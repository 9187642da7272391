"""Whether z and correlations are of one sample: λ, and each z against what all others say of it.

Zou, Carbonetto, Wang & Stephens 2022 (PLoS Genet 18:e1010299): `estimate_s_rss` (by maximum likelihood without
effects) and `kriging_rss` of susieR. Knows arrays. Does not know names of variants.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from enformer_core.finemapping.brent import minimum
from enformer_core.finemapping.mixture import best_weights
from enformer_core.finemapping.susie import Correlations, Variants, adjusted_z

ZERO_EIGENVALUE = 1e-8
"""Eigenvalues below this are taken for 0, as susieR does."""

SMALL_LAMBDA = 0.05
LARGE_LAMBDA = 0.25
"""λ is below the first for correlations of the people studied, or of thousands like them, and above the second where
alleles are exchanged, ancestries differ, or a panel has a few hundred people or fewer: `enformer-ray docs
finemapping`."""

_SUSPECT_LOG_RATIO = 2.0
_SUSPECT_Z = 2.0
"""Beyond both, a variant's alleles are likely exchanged (susieR's own thresholds)."""

_GRID_RATIO = 1.05
_LEAST_SPREAD = 0.8
_NEVER_ZERO = 1e-15


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues and eigenvectors of a matrix of correlations, which all that is here is made of.

    Attributes:
        values: ascending; as they are, those below 0 too.
        vectors: in columns.
    """

    values: Variants
    vectors: Correlations

    @classmethod
    def of(
        cls,
        correlations: Correlations,
    ) -> "Spectrum":
        """The decomposition; it takes as long as all else of a large locus, and as much memory as two matrices."""
        values, vectors = np.linalg.eigh(correlations)
        return cls(values, vectors)

    @property
    def not_below_zero(self) -> Variants:
        """The eigenvalues, those that are 0 but for rounding as 0."""
        return np.where(self.values < ZERO_EIGENVALUE, 0.0, self.values)


@dataclass(frozen=True)
class Consistency:
    """How z and correlations fit each other.

    Attributes:
        mismatch: λ, from 0: how much of z's covariance is not that of the correlations but noise of each variant alone.
        expected: of each variant, its adjusted z as all others have it.
        spread: the standard deviation of this expectation.
        log_ratio: how much more likely z would be with its alleles exchanged.
        is_suspect: where that is much, and z is large.
    """

    mismatch: float
    expected: Variants
    spread: Variants
    log_ratio: Variants
    is_suspect: Bool[np.ndarray, " variants"]


def consistency(
    z: Variants,
    spectrum: Spectrum,
    people: float,
) -> Consistency:
    """Both diagnostics of a locus.

    Args:
        z: of each variant, not adjusted.
        spectrum: of the correlations.
        people: how many were studied.
    """
    adjusted = adjusted_z(z, people)
    mismatch = estimate_mismatch(adjusted, spectrum)
    expected, spread = expected_z(adjusted, spectrum, mismatch)
    log_ratio = _log_ratios(adjusted, expected, spread)
    is_suspect = (log_ratio > _SUSPECT_LOG_RATIO) & (np.abs(adjusted) > _SUSPECT_Z)
    return Consistency(mismatch, expected, spread, log_ratio, is_suspect)


def estimate_mismatch(
    adjusted: Variants,
    spectrum: Spectrum,
) -> float:
    """λ, for which z is most likely under N(0, (1 − λ) R + λ I)."""
    squares = (adjusted @ spectrum.vectors) ** 2
    values = spectrum.not_below_zero

    def surprise(mismatch: float) -> float:
        variance = (1 - mismatch) * values + mismatch
        return 0.5 * float(np.log(variance).sum() + (squares / variance).sum())

    return minimum(surprise, 0.0, 1.0)


def expected_z(
    adjusted: Variants,
    spectrum: Spectrum,
    mismatch: float,
) -> tuple[Variants, Variants]:
    """What all other variants say of each z, and the standard deviation of that.

    With Ω the inverse of (1 − λ) R + λ I the expectation is −Σ Ω_jk z_k / Ω_jj over k ≠ j, which is
    z_j − (Ω z)_j / Ω_jj, and its variance 1 / Ω_jj. So only Ω's diagonal is needed, and Ω z.
    """
    variance = (1 - mismatch) * spectrum.not_below_zero + mismatch
    # λ is never 0, as the ends of its interval are not tried
    inverse = 1 / variance
    diagonal = np.einsum("jk,jk,k->j", spectrum.vectors, spectrum.vectors, inverse)
    turned = spectrum.vectors @ (inverse * (adjusted @ spectrum.vectors))
    return adjusted - turned / diagonal, np.sqrt(1 / diagonal)


def _log_ratios(
    adjusted: Variants,
    expected: Variants,
    spread: Variants,
) -> Variants:
    """The log ratio of each z's likelihood with its sign turned, under a mixture of normal distributions.

    Their widths are a grid up to twice the largest deviation, so that a few large effects are no surprise; its weights
    are those under which all deviations are most likely.
    """
    grid = _grid((adjusted - expected) / spread)
    widths = spread[:, None] * grid
    as_given = _log_densities(adjusted - expected, widths)
    largest = as_given.max(axis=1, keepdims=True)
    weights = best_weights(np.exp(as_given - largest))
    turned = _log_densities(adjusted + expected, widths)
    return _log_mixture(turned, weights) - _log_mixture(as_given, weights)


def _grid(deviation: Variants) -> Float64[np.ndarray, " widths"]:
    """Widths in parts of the spread, each 5 % larger than the one before."""
    largest_square = float((deviation**2).max())
    most = 2 * math.sqrt(max(largest_square, 1.0))
    steps = math.ceil(math.log(most / _LEAST_SPREAD) / math.log(_GRID_RATIO))
    return _GRID_RATIO ** np.arange(-steps, 1) * most


def _log_densities(
    deviation: Variants,
    widths: Float64[np.ndarray, "variants widths"],
) -> Float64[np.ndarray, "variants widths"]:
    """Normal log densities around 0, without the constant that all have."""
    return -0.5 * (deviation[:, None] / widths) ** 2 - np.log(widths)


def _log_mixture(
    log_densities: Float64[np.ndarray, "variants widths"],
    weights: Float64[np.ndarray, " widths"],
) -> Variants:
    largest = log_densities.max(axis=1)
    scaled = np.exp(log_densities - largest[:, None])
    return np.log(scaled @ (weights + _NEVER_ZERO)) + largest
