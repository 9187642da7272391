"""SuSiE: the numbers of susieR, one variant by hand, and what must not depend on how a locus is written down."""

import math

import numpy as np
import pytest

from enformer_core.finemapping.credible_sets import credible_sets
from enformer_core.finemapping.susie import (
    WEAK_EVIDENCE,
    SusieSettings,
    UnreasonableFitError,
    adjusted_z,
    susie_rss,
)
from tests.support.loci import made_up_locus


@pytest.fixture(scope="module")
def golden(golden_dir):
    return np.load(golden_dir / "susie_locus1.npz")


def fit_of(golden, prior, residual, tolerance):
    weights = None if prior == "none" else golden[prior]
    settings = SusieSettings(
        tolerance=tolerance, estimates_residual_variance=residual == "estimated"
    )
    return susie_rss(golden["z"], golden["R"], float(golden["n"]), weights, settings)


@pytest.mark.parametrize("residual", ["fixed", "estimated"])
@pytest.mark.parametrize("prior", ["none", "w", "w0"])
def test_pips_are_those_of_susier(golden, prior, residual):
    # by release its tolerance, and how near both come: the older one's own sums are less exact
    for release, tolerance, near in (("0_16_5", 1e-4, 1e-8), ("0_12_35", 1e-3, 1e-6)):
        fit = fit_of(golden, prior, residual, tolerance)
        expected = golden[f"pip_susieR_{release}_{prior}_{residual}_residual"]
        np.testing.assert_allclose(fit.pip, expected, rtol=0, atol=near)
        assert fit.has_converged
        assert (fit.residual_variance == 1) == (residual == "fixed")


def test_the_same_arrays_give_the_same_bits(golden):
    one, other = (fit_of(golden, "w", "fixed", 1e-4) for _ in range(2))
    assert one.pip.tobytes() == other.pip.tobytes()
    assert one.elbo == other.elbo


def test_evidence_grows_round_by_round(golden):
    fit = fit_of(golden, "none", "fixed", 1e-10)
    assert len(fit.elbo) > 2
    # only rounding may take something away
    assert np.all(np.diff(fit.elbo) > -1e-8)


def test_one_variant_by_hand():
    z, people = 5.0, 1_000.0
    fit = susie_rss(np.array([z]), np.ones((1, 1)), people)
    adjusted = z * math.sqrt((people - 1) / (z**2 + people - 2))
    noise = 1 / (people - 1)
    estimate = adjusted * math.sqrt(noise)
    # with one variant the likeliest prior variance is b² - s², and one effect is enough
    best = estimate**2 - noise
    assert fit.prior_variance[0] == pytest.approx(best, rel=1e-6)
    assert fit.mean[0, 0] == pytest.approx(best / (best + noise) * estimate, rel=1e-6)
    assert fit.pip.tolist() == [1.0]
    assert fit.is_effect.tolist() == [True]


def test_two_unlinked_variants_share_by_evidence_times_prior():
    z = np.array([5.0, 5.2])
    prior = np.array([3.0, 1.0])
    fit = susie_rss(z, np.eye(2), 5_000.0, prior, SusieSettings(effects=1))
    adjusted = adjusted_z(z, 5_000.0)
    noise = 1 / 4_999
    variance = fit.prior_variance[0]
    shrinkage = variance / (variance + noise)
    # Wakefield's Bayes factors have a common root, which falls out
    weights = np.exp(shrinkage * adjusted**2 / 2) * prior
    np.testing.assert_allclose(fit.alpha[0], weights / weights.sum(), rtol=1e-6)


def test_nothing_to_find_is_nothing():
    rng = np.random.default_rng(0)
    fit = susie_rss(rng.normal(size=50) * 0.3, np.eye(50), 1_000.0)
    assert fit.pip.tolist() == [0.0] * 50
    assert not fit.is_effect.any()
    assert susie_rss(np.zeros(3), np.eye(3), 1_000.0).pip.tolist() == [0.0] * 3


@pytest.fixture(scope="module")
def locus():
    return made_up_locus(seed=3, variants=60, causal=(12, 41))


def test_order_signs_and_scale_mean_nothing(locus):
    rng = np.random.default_rng(1)
    prior = rng.lognormal(size=60)
    fit = susie_rss(locus.z, locus.correlations, locus.people, prior)
    order = rng.permutation(60)
    turned = rng.choice([-1.0, 1.0], 60)
    shuffled = susie_rss(
        (turned * locus.z)[order],
        (turned[:, None] * locus.correlations * turned)[np.ix_(order, order)],
        locus.people,
        17 * prior[order],
    )
    np.testing.assert_allclose(shuffled.pip, fit.pip[order], atol=1e-7)
    alike = susie_rss(locus.z, locus.correlations, locus.people, np.full(60, 7.0))
    without = susie_rss(locus.z, locus.correlations, locus.people)
    np.testing.assert_allclose(alike.pip, without.pip, atol=1e-9)


def test_both_causal_variants_are_in_sets(locus):
    fit = susie_rss(locus.z, locus.correlations, locus.people)
    members = {member for each in credible_sets(fit, locus.correlations) for member in each.members}
    assert set(locus.causal) <= members
    assert not fit.is_effect.all()


def test_a_prior_of_zero_stands_for_something_tiny(locus):
    prior = np.ones(60)
    prior[12] = 0
    fit = susie_rss(locus.z, locus.correlations, locus.people, prior)
    without = susie_rss(locus.z, locus.correlations, locus.people)
    assert 0 < fit.pip[12] < without.pip[12]


def test_effects_that_only_repeat_the_prior_are_weak_and_can_be_left_out():
    locus = made_up_locus(seed=1, variants=60, causal=(12,))
    prior = np.ones(60)
    prior[np.random.default_rng(1).choice(60, 8, replace=False)] = 100.0
    fit = susie_rss(locus.z, locus.correlations, locus.people, prior)
    # one variant is causal; what is more is the prior
    assert fit.pip.sum() > 5
    assert fit.is_weak.tolist() == [False] + [True] * 9
    settings = SusieSettings(least_evidence=WEAK_EVIDENCE)
    without = susie_rss(locus.z, locus.correlations, locus.people, prior, settings)
    assert without.pip.sum() == pytest.approx(1)
    assert without.pip[12] > 0.99
    assert without.is_effect.tolist() == [True] + [False] * 9
    # alone, it is the logarithm of all variants' Bayes factors, weighted by the prior
    variance, noise = without.prior_variance[0], 1 / (locus.people - 1)
    shrinkage = variance / (variance + noise)
    factors = math.sqrt(1 - shrinkage) * np.exp(
        shrinkage * adjusted_z(locus.z, locus.people) ** 2 / 2
    )
    evidence = math.log(factors @ prior / prior.sum())
    assert without.evidence[0] == pytest.approx(evidence, abs=1e-4)


def test_a_looser_tolerance_ends_earlier(locus):
    rounds = [
        len(susie_rss(locus.z, locus.correlations, locus.people, None, settings).elbo)
        for settings in (SusieSettings(tolerance=10.0), SusieSettings(tolerance=1e-9))
    ]
    assert rounds[0] < rounds[1]
    cut = susie_rss(locus.z, locus.correlations, locus.people, None, SusieSettings(most_rounds=1))
    assert not cut.has_converged
    assert len(cut.elbo) == 1


def test_contradictions_are_refused_not_fitted():
    # two variants that are one, with z of opposite signs
    z = np.array([40.0, -40.0])
    linked = np.array([[1.0, 0.999], [0.999, 1.0]])
    with pytest.raises(UnreasonableFitError, match=r"prior variance|residual variance"):
        susie_rss(
            z,
            linked,
            2_000.0,
            None,
            SusieSettings(estimates_residual_variance=True, most_rounds=100),
        )
