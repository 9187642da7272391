"""Correlations by hand, against numpy and scipy, and of draws as of their pairs written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from enformer_core.evaluate.correlation import pearsons, ranks, spearmans

PAIRS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=25)


def once(values):
    return np.ones((1, len(values)), dtype=np.int64)


def of(function, one, other):
    (value,) = function(np.array(one, float), np.array(other, float), once(one))
    return value


def slow_ranks(values):
    """Of each value how many are lower, and the middle of those that are equal."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def test_by_hand():
    # of 1 2 3 and 1 3 2: sums of products of differences -1 0 1 and -1 1 0
    assert of(pearsons, [1, 2, 3], [1, 3, 2]) == pytest.approx(1 / 2)
    assert of(spearmans, [1, 2, 30], [1, 30, 2]) == pytest.approx(1 / 2)
    assert of(spearmans, [1, 2, 3], [1, 10, 100]) == pytest.approx(1)
    # ranks 1 2.5 2.5 4 and 1 2 3 4: 4.5 / sqrt(4.5 × 5)
    assert of(spearmans, [1, 2, 2, 3], [5, 6, 7, 8]) == pytest.approx((4.5 / 5) ** 0.5)


def test_ranks_of_a_draw():
    found = ranks(np.array([5.0, 2.0, 2.0]), np.array([[1, 2, 1]]))
    assert found.tolist() == [[4, 2, 2]]


def test_where_one_side_is_constant_there_is_none():
    assert np.isnan(of(pearsons, [0.1, 0.1, 0.1], [1, 2, 3]))
    assert np.isnan(of(spearmans, [1, 2, 3], [7, 7, 7]))
    # of a draw of one item alone, however often
    drawn = np.array([[3, 0, 0], [1, 1, 0]])
    first, second = spearmans(np.array([1.0, 2, 3]), np.array([1.0, 2, 3]), drawn)
    assert np.isnan(first)
    assert second == pytest.approx(1)


def test_large_numbers_that_differ_little():
    values = 1e9 + np.array([0.0, 1, 2])
    (found,) = pearsons(values, np.array([1.0, 3, 2]), once(values))
    assert found == pytest.approx(1 / 2)


@pytest.mark.parametrize("scale", [1e308, 1e200, 1e-200, 1e-307])
def test_a_correlation_knows_no_scale(scale):
    one = np.array([1.0, -1, 0.5, 0.25])
    other = np.array([0.5, -1, 1, 0.5])
    draws = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 1, 2, 1]])
    expected = pearsons(one, other, draws)
    assert pearsons(one * scale, other, draws) == pytest.approx(expected)
    assert pearsons(one * scale, other * -scale, draws) == pytest.approx(-expected)
    assert spearmans(one * scale, other, draws).tolist() == spearmans(one, other, draws).tolist()


def test_what_is_not_drawn_does_not_drown_what_is():
    one = np.array([1e200, 1.0, 2.0, 3.0])
    drawn = np.array([[0, 1, 1, 1]])
    assert pearsons(one, one[::-1], np.array([[0, 1, 1, 0]])) == pytest.approx(-1)
    assert pearsons(one, np.array([0.0, 1, 3, 2]), drawn) == pytest.approx(1 / 2)


def test_a_power_of_two_changes_no_digit():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 50))
    draws = rng.integers(0, 3, (20, 50))
    expected = pearsons(one, other, draws)
    assert np.array_equal(pearsons(one * 2.0**600, other * 2.0**-600, draws), expected)


@given(PAIRS)
def test_it_is_numpy_s_of_values_and_of_slow_ranks(pairs):
    one, other = zip(*pairs, strict=True)
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert of(pearsons, one, other) == pytest.approx(np.corrcoef(one, other)[0, 1], abs=1e-12)
        by_rank = np.corrcoef(slow_ranks(one), slow_ranks(other))[0, 1]
        assert of(spearmans, one, other) == pytest.approx(by_rank, abs=1e-12)


@given(PAIRS, st.integers(0, 3))
def test_a_draw_is_what_its_pairs_written_out_are(pairs, seed):
    one, other = (np.array(side, float) for side in zip(*pairs, strict=True))
    counts = np.random.default_rng(seed).integers(3, size=(1, len(pairs)))
    counts[0, 0] += 1
    written = np.repeat(one, counts[0]), np.repeat(other, counts[0])
    for function in (pearsons, spearmans):
        (found,) = function(one, other, counts)
        wanted = of(function, *written)
        assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("values", [4, 100_000])
def test_both_correlations_are_those_of_scipy(values):
    rng = np.random.default_rng(values)
    one = rng.integers(values, size=500).astype(float)
    other = one + rng.integers(values, size=500)
    assert of(pearsons, one, other) == pytest.approx(pearsonr(one, other).statistic, rel=1e-12)
    assert of(spearmans, one, other) == pytest.approx(spearmanr(one, other).statistic, rel=1e-12)
