"""Rounding of stored scores: nearest, ties to even, relative error bounded at every size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.scoring.rounding import (
    FAST_BITS,
    WHOLE_BITS,
    default_mantissa_bits,
    round_mantissa,
)

FLOATS = st.lists(st.floats(width=32), min_size=1, max_size=20).map(np.float32)


def test_by_hand():
    values = np.float32([1 + 1 / 4, 1 + 1 / 8, 1 + 3 / 8, -1 - 5 / 8, 0.0, -0.0, 1.9999999])
    assert round_mantissa(values, 2).tolist() == [1.25, 1.0, 1.5, -1.5, 0.0, 0.0, 2.0]


@given(FLOATS, st.integers(0, WHOLE_BITS))
def test_the_nearest_with_so_many_bits(values, bits):
    rounded = round_mantissa(values, bits)
    normal = np.isfinite(values) & (np.abs(values) >= np.finfo(np.float32).tiny)
    normal &= np.abs(values) < np.finfo(np.float32).max / 2
    exact, found = values[normal].astype(np.float64), rounded[normal].astype(np.float64)
    assert np.all(np.abs(found - exact) <= np.abs(exact) * 2.0 ** -(bits + 1))
    mantissa, _ = np.frexp(found)
    scaled = mantissa * 2.0 ** (bits + 1)
    assert np.array_equal(scaled, np.round(scaled))
    np.testing.assert_array_equal(round_mantissa(rounded, bits), rounded)


def test_what_is_not_finite_stays_and_nothing_becomes_infinite():
    values = np.float32([np.inf, -np.inf, np.nan, np.finfo(np.float32).max])
    np.testing.assert_array_equal(round_mantissa(values, 3), values)


@pytest.mark.parametrize(
    ("engine", "policy", "bits"),
    [("delta", "fast", FAST_BITS), ("delta", "exact", 23), ("direct", "fast", 23)],
)
def test_default_follows_what_computes(engine, policy, bits):
    assert default_mantissa_bits(engine, policy) == bits
