"""Distributions and ranks against counting by hand, value by value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.summaries.ranks import NullTrack, RankTable
from enformer_core.summaries.sketch import BITS, Sketch, bin_numbers

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)


def sketch_of(*parts, tail=8):
    """A sketch of values of one track or several, given as parts of rows."""
    matrices = [np.array(part, np.float32).reshape(len(part), -1) for part in parts]
    sketch = Sketch(matrices[0].shape[1], tail)
    for matrix in matrices:
        sketch.add(matrix)
    return sketch


def table_of(sketch, *, is_signed=True):
    low, high = sketch.smallest(), sketch.largest()
    tracks = [
        NullTrack(low[track], high[track], sketch.bins(track)) for track in range(sketch.tracks)
    ]
    return RankTable(sketch.rows, tracks, is_signed=is_signed)


def counted(null, x):
    """2 F − 1 and the tail of |x|, by counting: ties are halves."""
    n = len(null)
    doubled = sum((value < x) + (value <= x) for value in null)
    larger = sum((abs(value) > abs(x)) + (abs(value) >= abs(x)) for value in null)
    quantile = min(max(doubled, 1), 2 * n - 1) / n - 1
    return quantile, max(larger, 1) / (2 * n)


def assert_counted(null, asked, standing):
    expected = [counted(null, x) for x in asked]
    found = 10 ** (-standing.phred.astype(np.float64).ravel() / 10)
    np.testing.assert_allclose(standing.quantile.ravel(), [q for q, _ in expected], atol=1e-6)
    np.testing.assert_allclose(found, [tail for _, tail in expected], rtol=1e-5)


def test_the_example_of_the_page():
    null = [-1, 0, 0, 2]
    asked = [-5, -1, 0, 1, 2, 9]
    standing = table_of(sketch_of(null)).standing(np.array(asked, np.float32)[:, None])
    quantiles = [-0.75, -0.75, 0, 0.5, 0.75, 0.75]
    assert standing.quantile.ravel().tolist() == quantiles
    assert standing.is_beyond.ravel().tolist() == [True, False, False, False, False, True]
    # as large as 5, 1, 0, 1, 2 and 9: none, 1 and half of one, 2 and half of two, …
    tails = [1, 3, 6, 3, 1, 1]
    expected = [-10 * np.log10(tail / 8) for tail in tails]
    assert standing.phred.ravel().tolist() == np.array(expected, np.float32).tolist()
    assert_counted(null, asked, standing)


@given(
    null=st.lists(FLOATS, min_size=1, max_size=60),
    asked=st.lists(FLOATS, min_size=1, max_size=20),
    tail=st.sampled_from([64, 200]),
)
def test_of_few_values_every_rank_is_counted(null, asked, tail):
    """Whatever the values: equal, of one sign, 0 and −0, the smallest and the largest floats."""
    asked += null
    standing = table_of(sketch_of(null, tail=tail)).standing(np.array(asked, np.float32)[:, None])
    assert_counted(null, asked, standing)


@given(
    null=st.lists(st.integers(-20, 20), min_size=1, max_size=120),
    tail=st.integers(1, 20),
    scale=st.sampled_from([1.0, 1e-20, 3e20]),
)
def test_small_whole_numbers_have_bins_of_their_own_so_every_rank_is_counted(null, tail, scale):
    """Up to 2^8 each whole number is a bin: ranks between the ends are exact too, wherever the ends are."""
    null = (np.array(null) * np.float32(scale)).astype(np.float32)
    asked = (np.arange(-22, 23) * np.float32(scale)).astype(np.float32)
    standing = table_of(sketch_of(null, tail=tail)).standing(asked[:, None])
    if len(set(bin_numbers(asked).tolist())) == len(asked):
        assert_counted(null.tolist(), asked.tolist(), standing)


@given(null=st.lists(FLOATS, min_size=1, max_size=200), tail=st.integers(1, 9))
def test_quantiles_rise_with_values_and_phred_with_sizes(null, tail):
    table = table_of(sketch_of(null, tail=tail))
    asked = np.sort(np.array([*null, *(-np.array(null)), 0, 1e-30, 1, 1e30], np.float32))
    standing = table.standing(asked[:, None])
    assert (np.diff(standing.quantile.ravel()) >= 0).all()
    by_size = np.argsort(np.abs(asked), kind="stable")
    assert (np.diff(standing.phred.ravel()[by_size]) >= 0).all()


def heavy_tailed(rows, tracks, seed=0):
    """As scores are: most are small, some are 0, few are large, and tracks differ in size."""
    random = np.random.default_rng(seed)
    values = random.standard_t(2, (rows, tracks)) * 10.0 ** random.uniform(-4, 1, tracks)
    values[random.random(values.shape) < 0.05] = 0
    return values.astype(np.float32)


def test_any_order_and_any_parts_are_the_same_sketch():
    values = heavy_tailed(900, 130)
    random = np.random.default_rng(1)
    whole = sketch_of(values, tail=32)
    shuffled = values[random.permutation(len(values))]
    left = sketch_of(shuffled[:1], shuffled[1:300], tail=32)
    right = sketch_of(shuffled[300:], tail=32)
    right.merge(left.packed())
    for other in (sketch_of(*np.array_split(shuffled, 7), tail=32), right):
        assert other.rows == whole.rows == 900
        assert other.smallest().tobytes() == whole.smallest().tobytes()
        assert other.largest().tobytes() == whole.largest().tobytes()
        for track in range(130):
            one, two = whole.bins(track), other.bins(track)
            assert one.edges.tobytes() == two.edges.tobytes()
            assert one.counts.tolist() == two.counts.tolist()


def test_bins_and_ends_are_those_of_the_sorted_values():
    values = heavy_tailed(700, 3)
    sketch = sketch_of(values, tail=10)
    ordered = np.sort(values, axis=0)
    assert sketch.smallest().tolist() == ordered[:10].T.tolist()
    assert sketch.largest().tolist() == ordered[-10:].T.tolist()
    for track in range(3):
        bins = sketch.bins(track)
        # towards 0 with 7 bits of mantissa left, as the name of a bin
        cleared = (ordered[:, track].view(np.uint32) >> 16 << 16).view(np.float32)
        edges, counts = np.unique(cleared, return_counts=True)
        assert bins.edges.tolist() == edges.tolist()
        assert bins.counts.tolist() == counts.tolist()


def test_minus_0_and_what_is_too_small_for_a_mantissa_are_0():
    sketch = sketch_of([0.0, -0.0, 1e-42, 1.0])
    assert sketch.bins(0).counts.tolist() == [3, 1]
    assert np.signbit(sketch.smallest()).sum() == 0
    asked = np.array([[-0.0], [0.0], [-1e-42]], np.float32)
    standing = table_of(sketch).standing(asked)
    assert standing.quantile.ravel().tolist() == pytest.approx([-1 / 4] * 3)


def test_nan_stands_nowhere_and_infinities_beyond_everything():
    table = table_of(sketch_of(heavy_tailed(300, 2)))
    asked = np.array([[np.nan, 0.0], [np.inf, -np.inf]], np.float32)
    standing = table.standing(asked)
    assert np.isnan(standing.quantile).tolist() == [[True, False], [False, False]]
    assert np.isnan(standing.phred).tolist() == [[True, False], [False, False]]
    assert standing.is_beyond.tolist() == [[False, False], [True, True]]
    assert standing.quantile[1].tolist() == pytest.approx([1 - 1 / 300, 1 / 300 - 1])
    assert standing.phred[1].tolist() == pytest.approx([10 * np.log10(600)] * 2)


def test_of_sizes_alone_the_quantile_runs_from_0_to_1():
    null = [0.0, 1.0, 2.0, 3.0]
    table = table_of(sketch_of(null), is_signed=False)
    standing = table.standing(np.array([[0.0], [2.0], [9.0]], np.float32))
    assert standing.quantile.ravel().tolist() == [1 / 8, 5 / 8, 7 / 8]
    assert standing.is_beyond.ravel().tolist() == [False, False, True]


def exact_standing(null, x):
    """F and the tail of |x| of one track, by sorting."""
    ordered = np.sort(null)
    doubled = np.searchsorted(ordered, x, "left") + np.searchsorted(ordered, x, "right")
    sizes = np.sort(np.abs(null))
    not_larger = np.searchsorted(sizes, np.abs(x), "left") + np.searchsorted(
        sizes, np.abs(x), "right"
    )
    return doubled / (2 * len(null)), 1 - not_larger / (2 * len(null))


def test_the_null_is_uniform_by_itself_and_exact_at_its_tails():
    """Kolmogorov's distance of a null's own values to the uniform distribution, and ranks at 1e-5 of 200,000."""
    null = heavy_tailed(200_000, 2)
    sketch = sketch_of(*np.array_split(null, 9), tail=512)
    standing = table_of(sketch).standing(null)
    for track in range(2):
        own = null[:, track]
        quantile, tail = exact_standing(own, own)
        found = (standing.quantile[:, track].astype(np.float64) + 1) / 2
        # of a value 200,000 / 200,000, half a bin of values at most
        assert np.abs(found - quantile).max() < 1e-3
        has_no_tie = own != 0
        uniform = (np.arange(has_no_tie.sum()) + 0.5) / has_no_tie.sum()
        # zeros are one tie in the middle; the others are spread evenly
        without = np.sort(found[has_no_tie])
        share = has_no_tie.mean()
        spread = np.where(without < 0.5, without, without - (1 - share)) / share
        assert np.abs(spread - uniform).max() < 1e-3
        found_tail = 10 ** (-standing.phred[:, track].astype(np.float64) / 10)
        is_far = tail <= 1e-5
        assert is_far.sum() >= 2
        np.testing.assert_allclose(found_tail[is_far], tail[is_far], rtol=1e-5)
        # everywhere else within half a bin: 2^-8 in value, of which a tail of t2 makes twice as much
        np.testing.assert_allclose(found_tail, np.maximum(tail, 2.5e-6), rtol=2 * 2.0**-BITS)
