"""Correlation and R² from sums over regions: what NumPy makes of all bins at once."""

import numpy as np
import pytest

from enformer_core.evaluate.track_moments import (
    TrackMoments,
    bins_of,
    drawn_sums,
    log_of,
    pearson_of,
    r2_of,
)

TRACKS = 300
"""More than are summed at once."""


@pytest.fixture
def made() -> list[tuple[np.ndarray, np.ndarray]]:
    """Predicted and measured tracks of five regions of different lengths."""
    rng = np.random.default_rng(0)
    regions = []
    for bins in (7, 30, 1, 12, 50):
        measured = rng.gamma(0.5, 4.0, size=(bins, TRACKS)).astype(np.float16)
        noise = rng.gamma(0.5, 2.0, size=measured.shape)
        regions.append(((0.6 * measured + noise).astype(np.float32), measured))
    return regions


def sums_of(regions) -> np.ndarray:
    with TrackMoments(regions[0][0].shape[1]) as moments:
        for predicted, measured in regions:
            moments.add(predicted, measured)
        return np.concatenate([sums for _, sums in moments.strips()], axis=2)


def by_numpy(predicted: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pearson and R² of each track, bins that are NaN left out."""
    pearson = []
    r2 = []
    for of_p, of_y in zip(predicted.T.astype(float), measured.T.astype(float), strict=True):
        known = np.isfinite(of_y)
        p, y = of_p[known], of_y[known]
        pearson.append(np.corrcoef(p, y)[0, 1])
        r2.append(1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum())
    return np.array(pearson), np.array(r2)


def joined(regions) -> tuple[np.ndarray, np.ndarray]:
    predicted, measured = zip(*regions, strict=True)
    return np.concatenate(predicted), np.concatenate(measured)


def test_figures_are_those_of_all_bins_at_once(made):
    total = sums_of(made).sum(axis=0)
    pearson, r2 = by_numpy(*joined(made))
    np.testing.assert_allclose(pearson_of(total), pearson, rtol=0, atol=1e-13)
    np.testing.assert_allclose(r2_of(total), r2, rtol=1e-12, atol=1e-12)
    assert r2.min() < 0 < r2.max()


def test_missing_bins_are_left_out_of_their_track_alone(made):
    predicted, measured = joined(made)
    measured = measured.copy()
    # a track that begins with gaps, one whose region has none, one of infinities
    measured[:9, 0] = np.nan
    measured[7:37, 1] = np.nan
    measured[3::5, 2] = np.inf
    ends = np.cumsum([len(each) for each, _ in made])[:-1]
    regions = list(zip(np.split(predicted, ends), np.split(measured, ends), strict=True))
    sums = sums_of(regions)
    pearson, r2 = by_numpy(predicted, measured)
    np.testing.assert_allclose(pearson_of(sums.sum(axis=0)), pearson, rtol=0, atol=1e-13)
    np.testing.assert_allclose(r2_of(sums.sum(axis=0)), r2, rtol=1e-12, atol=1e-12)
    assert bins_of(sums)[:4].tolist() == [91, 70, 80, 100]


def test_digits_of_tracks_far_from_0_stay():
    rng = np.random.default_rng(1)
    wave = rng.normal(size=(500, 2))
    predicted = 1e7 + wave
    measured = -3e7 + wave + rng.normal(size=wave.shape)
    total = sums_of([(predicted, measured)]).sum(axis=0)
    pearson, _ = by_numpy(predicted, measured)
    np.testing.assert_allclose(pearson_of(total), pearson, rtol=1e-9)


def test_what_does_not_vary_has_no_correlation():
    varied = np.array([[1.1, 1.1, 1.1], [2.3, 2.3, 2.3], [0.7, 0.7, 0.7]])
    # 0.1 is no float64, and sums of it are rounded
    flat = np.full((3, 1), 0.1)
    predicted = np.hstack([varied[:, :1], flat, varied[:, :1]])
    measured = np.hstack([flat, varied[:, :1], np.full((3, 1), np.nan)])
    total = sums_of([(predicted, measured)] * 3).sum(axis=0)
    assert np.isnan(pearson_of(total)).all()
    # a flat prediction has an R² all the same: 1 - Σ(y - 0.1)² / Σ(y - mean)²
    y = varied[:, 0]
    expected = 1 - ((y - 0.1) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    np.testing.assert_allclose(r2_of(total), [np.nan, expected, np.nan])


def test_perfect_predictions_come_to_1():
    values = np.random.default_rng(2).gamma(1.0, 1.0, size=(40, 3))
    total = sums_of([(values, values)]).sum(axis=0)
    np.testing.assert_allclose(pearson_of(total), 1, rtol=1e-12)
    assert (pearson_of(total) <= 1).all()
    assert r2_of(total).tolist() == [1, 1, 1]


def test_a_draw_is_as_if_its_regions_had_come_so_often(made):
    counts = np.array([[2, 0, 1, 0, 2], [1, 1, 1, 1, 1]])
    drawn = drawn_sums(sums_of(made), counts)
    several = [made[0], made[0], made[2], made[4], made[4]]
    pearson, r2 = by_numpy(*joined(several))
    np.testing.assert_allclose(pearson_of(drawn)[0], pearson, rtol=0, atol=1e-12)
    np.testing.assert_allclose(r2_of(drawn)[0], r2, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(pearson_of(drawn)[1], by_numpy(*joined(made))[0], atol=1e-12)


def test_logarithms_are_of_1_more():
    np.testing.assert_allclose(log_of(np.array([[0.0, 1.0, 7.0]])), [[0, 1, 3]], atol=1e-15)
    assert np.isnan(log_of(np.array([[-1.5]]))).all()
