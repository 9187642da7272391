"""Brent's method: known minima, the ends, and how seldom the function is asked."""

import math

import pytest

from enformer_core.finemapping.brent import R_TOLERANCE, minimum


@pytest.mark.parametrize("place", [-29.3, -1.0, 0.0, 1 / 3, 14.9])
def test_a_parabola_is_found_in_a_few_steps(place):
    asked = []

    def parabola(x):
        asked.append(x)
        return (x - place) ** 2

    found = minimum(parabola, -30.0, 15.0)
    assert found == pytest.approx(place, abs=1e-6)
    assert len(asked) < 15
    assert all(-30 < x < 15 for x in asked)


def test_what_is_no_parabola_is_found_too():
    assert minimum(lambda x: abs(x - 2) ** 1.5 + math.sin(x) * 0, 0.0, 7.0) == pytest.approx(
        2, abs=1e-5
    )
    assert minimum(math.cosh, -3.0, 9.0) == pytest.approx(0, abs=1e-6)
    # R: optimize(function(x) x^4 - 3 * x, c(0, 5), tol = sqrt(.Machine$double.eps))$minimum is (3/4)^(1/3)
    assert minimum(lambda x: x**4 - 3 * x, 0.0, 5.0) == pytest.approx(0.75 ** (1 / 3), abs=1e-7)


def test_the_least_at_an_end_is_come_near_to_and_never_tried():
    asked = []

    def rising(x):
        asked.append(x)
        return x

    found = minimum(rising, 0.0, 1.0)
    assert 0 < found < 3 * R_TOLERANCE
    assert min(asked) > 0


def test_a_flat_function_ends_the_search():
    assert 0 < minimum(lambda x: 1.0, 0.0, 1.0) < 1
