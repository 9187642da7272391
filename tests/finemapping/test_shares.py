"""Weights of any scale are shares and means, with the digits that they have otherwise."""

import numpy as np
import pytest

from enformer_core.finemapping.shares import mean_weight, shares

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("scale", [1.7e308, 1.0, 1e-300, 5e-324])
def test_equal_weights_of_any_scale_are_equal_shares(scale):
    weights = np.full(4, scale)
    assert shares(weights).tolist() == [0.25] * 4
    assert mean_weight(weights) == scale


def test_shares_are_in_proportion_where_their_sum_is_infinite():
    assert shares(np.array([1e308, 0.5e308, 0.5e308, 0.0])).tolist() == [0.5, 0.25, 0.25, 0.0]
    assert mean_weight(np.array([1.5e308, 0.5e308])) == 1e308


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_no_digit_of_ordinary_weights_changes(size):
    for power in (-30, -1, 0, 3, 200):
        weights = RNG.random(size) * 10.0**power
        assert np.array_equal(shares(weights), weights / weights.sum())
        assert mean_weight(weights) == weights.mean()
