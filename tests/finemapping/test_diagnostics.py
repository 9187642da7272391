"""λ and expected z: susieR's numbers, the formulas written out, and what exchanged alleles look like."""

import math

import numpy as np
import pytest

from enformer_core.finemapping.diagnostics import (
    LARGE_LAMBDA,
    SMALL_LAMBDA,
    Spectrum,
    consistency,
    estimate_mismatch,
    expected_z,
)
from enformer_core.finemapping.mixture import best_weights
from enformer_core.finemapping.susie import adjusted_z
from tests.support.loci import made_up_locus

EXCHANGED = [65, 88]


@pytest.fixture(scope="module")
def golden(golden_dir):
    return np.load(golden_dir / "susie_locus1.npz")


def test_lambda_and_log_ratios_are_those_of_susier(golden):
    """susieR 0.12.35: estimate_s_rss and kriging_rss, as given and with two variants' alleles exchanged."""
    spectrum = Spectrum.of(golden["R"])
    found = consistency(golden["z"], spectrum, 5_000.0)
    assert found.mismatch == pytest.approx(0.00482591069134, abs=1e-9)
    assert found.log_ratio.max() == pytest.approx(3.121199, abs=1e-5)
    assert not found.is_suspect.any()
    exchanged = golden["z"].copy()
    exchanged[EXCHANGED] *= -1
    found = consistency(exchanged, spectrum, 5_000.0)
    assert found.mismatch == pytest.approx(0.615339584401, abs=1e-8)
    assert np.flatnonzero(found.is_suspect).tolist() == EXCHANGED
    np.testing.assert_allclose(found.expected[EXCHANGED], [5.35165, 5.11273], atol=1e-5)
    np.testing.assert_allclose(found.spread[EXCHANGED] ** 2, [0.704757, 0.711410], atol=1e-6)
    np.testing.assert_allclose(found.log_ratio[EXCHANGED], [5.951430, 6.604629], atol=1e-5)


def test_expected_z_is_the_conditional_mean_written_out():
    locus = made_up_locus(seed=5, variants=30, causal=(7,))
    z = adjusted_z(locus.z, locus.people)
    expected, spread = expected_z(z, Spectrum.of(locus.correlations), 0.2)
    covariance = 0.8 * locus.correlations + 0.2 * np.eye(30)
    for at in range(30):
        others = np.arange(30) != at
        weights = np.linalg.solve(covariance[np.ix_(others, others)], covariance[others, at])
        assert expected[at] == pytest.approx(weights @ z[others], abs=1e-9)
        left = covariance[at, at] - weights @ covariance[others, at]
        assert spread[at] ** 2 == pytest.approx(left, abs=1e-9)


def test_lambda_is_the_likeliest_of_a_grid():
    locus = made_up_locus(seed=6, variants=25, causal=(3,), people=300)
    z = adjusted_z(locus.z, locus.people)
    other = made_up_locus(seed=60, variants=25, causal=(3,), people=300).correlations

    def surprise(mismatch):
        covariance = (1 - mismatch) * other + mismatch * np.eye(25)
        _, log_determinant = np.linalg.slogdet(covariance)
        return log_determinant + z @ np.linalg.solve(covariance, z)

    grid = np.linspace(0.001, 0.999, 999)
    least = grid[np.argmin([surprise(each) for each in grid])]
    assert estimate_mismatch(z, Spectrum.of(other)) == pytest.approx(least, abs=2e-3)


def test_exchanged_alleles_are_found_and_the_sound_locus_has_none():
    locus = made_up_locus(seed=8, variants=80, causal=(40,))
    spectrum = Spectrum.of(locus.correlations)
    sound = consistency(locus.z, spectrum, locus.people)
    assert sound.mismatch < SMALL_LAMBDA
    assert not sound.is_suspect.any()
    z = locus.z.copy()
    strongest = int(np.abs(z).argmax())
    z[strongest] *= -1
    exchanged = consistency(z, spectrum, locus.people)
    assert exchanged.is_suspect[strongest]
    assert exchanged.mismatch > sound.mismatch
    assert SMALL_LAMBDA < LARGE_LAMBDA


def test_a_matrix_without_full_rank_is_fine():
    locus = made_up_locus(seed=9, variants=40, causal=(20,), people=25)
    spectrum = Spectrum.of(locus.correlations)
    assert (spectrum.not_below_zero == 0).sum() >= 15
    found = consistency(locus.z, spectrum, 25.0)
    assert 0 < found.mismatch <= 1
    assert np.isfinite(found.log_ratio).all()


def test_weights_of_a_mixture_are_the_likeliest():
    rng = np.random.default_rng(4)
    densities = rng.exponential(size=(400, 12))
    weights = best_weights(densities)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    # at the best point no component would gain, and those with a weight lose nothing
    gains = (densities / (densities @ weights)[:, None]).mean(axis=0)
    assert gains.max() < 1 + 1e-7
    np.testing.assert_allclose(gains[weights > 0], 1, atol=1e-6)


def test_of_two_densities_the_weights_are_found_by_hand():
    # three values that only the first component gives, one that only the second does
    densities = np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    np.testing.assert_allclose(best_weights(densities), [0.75, 0.25], atol=1e-8)
    # all are likelier under the second: the first has no weight at all
    assert best_weights(np.array([[1.0, 2.0]] * 5)).tolist() == [0.0, 1.0]
    assert math.isclose(best_weights(np.ones((4, 1)))[0], 1)
