"""Credible sets counted by hand: how many variants, which are left out, and in which order."""

import numpy as np
import pytest

from enformer_core.finemapping.credible_sets import credible_sets, sets_of_any_purity
from enformer_core.finemapping.susie import SusieFit


def fit_with(alpha, variances):
    alpha = np.array(alpha, dtype=np.float64)
    variances = np.array(variances, dtype=np.float64)
    return SusieFit(
        alpha, np.zeros_like(alpha), variances, np.ones_like(variances), 1.0, (0.0,), True
    )


def linked(*, pairs, variants):
    correlations = np.eye(variants)
    for one, other, r in pairs:
        correlations[one, other] = correlations[other, one] = r
    return correlations


def test_the_fewest_that_hold_enough():
    fit = fit_with([[0.05, 0.6, 0.31, 0.04]], [1])
    correlations = linked(pairs=[(0, 1, 0.9), (0, 2, -0.7), (1, 2, -0.8)], variants=4)
    (found,) = credible_sets(fit, correlations)
    assert found.members == (1, 2, 0)
    assert found.coverage == pytest.approx(0.96)
    # of |0.9|, |-0.7|, |-0.8|
    assert found.purity == 0.7
    (smaller,) = credible_sets(fit, correlations, coverage=0.9)
    assert smaller.members == (1, 2)
    # 0.91 is more than 0.91 - but 0.6 alone is not
    assert [each.members for each in credible_sets(fit, correlations, 0.6)] == [(1,)]


def test_one_alone_is_pure():
    (found,) = credible_sets(fit_with([[0.99, 0.01]], [1]), np.eye(2))
    assert (found.members, found.purity) == ((0,), 1.0)


def test_effects_that_are_none_spread_ones_and_repeats_are_left_out():
    correlations = linked(pairs=[(0, 1, 0.9), (2, 3, 0.4)], variants=4)
    fit = fit_with(
        [
            [0.0, 0.0, 0.5, 0.5],  # |r| of 0.4
            [0.5, 0.5, 0.0, 0.0],
            [0.4, 0.6, 0.0, 0.0],  # the same two
            [0.0, 0.0, 0.0, 1.0],  # no effect
            [0.0, 0.0, 1.0, 0.0],
        ],
        [1, 1, 1, 1e-10, 1],
    )
    found = credible_sets(fit, correlations)
    # the purest first
    assert [(each.effect, each.members) for each in found] == [(4, (2,)), (1, (0, 1))]
    assert len(credible_sets(fit, correlations, least_purity=0.3)) == 3
    every = sets_of_any_purity(fit, correlations)
    assert [each.purity for each in every] == [1, 0.9, 0.4]


def test_rounding_below_the_whole_takes_no_variant_that_is_not_there():
    fit = fit_with([[0.5, 0.5 - 1e-12]], [1])
    (found,) = credible_sets(fit, linked(pairs=[(0, 1, 1.0)], variants=2), coverage=1.0)
    assert found.members == (0, 1)
