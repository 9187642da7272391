"""A planted insulator is seen, a place that does nothing is not, and distance alone is nothing."""

import numpy as np
import polars as pl
import pytest

from enformer_core.errors import InputError
from enformer_core.insulators.attention import (
    ACROSS,
    AT,
    MeanMap,
    contrast,
    insulation,
    observed_over_expected,
    picture,
)
from enformer_core.insulators.summary import is_same_everywhere

TOKENS = 20


def attention(*, through=1.0, to_place=1.0, seed=None):
    """A map that falls with distance; with a place in its middle that lets a share through, and is looked at more."""
    place = np.arange(TOKENS)
    by_distance = 1.0 / (1 + np.abs(place[:, np.newaxis] - place))
    is_left = place < TOKENS // 2
    crosses = is_left[:, np.newaxis] != is_left
    found = np.where(crosses, by_distance * through, by_distance)
    found[:, TOKENS // 2 - 1 : TOKENS // 2 + 1] *= to_place
    if seed is not None:
        found *= np.random.default_rng(seed).uniform(0.9, 1.1, size=found.shape)
    return found / found.sum(axis=1, keepdims=True)


def decay():
    place = np.arange(TOKENS)
    return 1.0 / (1 + np.abs(place[:, np.newaxis] - place))


def test_by_hand():
    relative = observed_over_expected(np.array([[2.0, 1.0], [3.0, 4.0]]))
    # the diagonal has the mean 3, the two others one value each
    np.testing.assert_allclose(relative, [[2 / 3, 1], [1, 4 / 3]])
    # ten tokens, of which 4 and 5 are the place: three apart are, across, 3 and 6; within sides, 0 and 3, 6 and 9
    attention = np.ones((10, 10))
    attention[3, 6], attention[6, 3] = 0.5, 1.5
    attention[[0, 3, 6, 9], [3, 0, 9, 6]] = 4
    assert insulation(attention)[ACROSS] == pytest.approx(np.log2(2 / 8))
    # to the place are 2, 4 and 4 pairs at distances 1, 2 and 3, all of value 1; within they are worth 1, 1 and 4
    assert insulation(attention)[AT] == pytest.approx(np.log2(10 / (2 + 4 + 16)))


def test_distance_alone_is_nothing():
    np.testing.assert_allclose(observed_over_expected(decay()), 1)
    found = insulation(decay())
    assert found == {ACROSS: pytest.approx(0, abs=1e-12), AT: pytest.approx(0, abs=1e-12)}


def pairs_of(name, boundaries, controls):
    pairs = [
        [insulation(one)[name], insulation(other)[name]]
        for one, other in zip(boundaries, controls, strict=True)
    ]
    return np.array(pairs)


def test_a_planted_insulator_is_seen_and_a_control_is_not():
    boundaries = [attention(through=0.3, to_place=2.0, seed=seed) for seed in range(12)]
    controls = [attention(seed=100 + seed) for seed in range(12)]
    across = contrast(pairs_of(ACROSS, boundaries, controls), draws=200)
    assert across.pairs == 12
    # log2 .3 is -1.7; that rows sum to 1 takes some of it
    assert across.low < across.difference < across.high < -1
    assert across.difference == pytest.approx(across.boundaries - across.controls)
    at = contrast(pairs_of(AT, boundaries, controls), draws=200)
    assert 0.3 < at.low < at.difference < at.high
    others = [attention(seed=seed) for seed in range(12)]
    for name in (ACROSS, AT):
        found = contrast(pairs_of(name, others, controls), draws=200)
        assert abs(found.difference) < 0.05
        assert found.low < 0 < found.high


def test_the_mean_map_is_that_of_all():
    maps = [attention(seed=seed) for seed in range(3)]
    mean = MeanMap()
    for one in maps:
        mean.add(one)
    np.testing.assert_allclose(mean.mean(), np.mean(maps, axis=0))
    with pytest.raises(ValueError, match="the mean of no maps"):
        MeanMap().mean()


def test_a_picture_has_means_of_squares():
    found = picture(np.arange(16.0).reshape(4, 4), 2)
    # 0 1 4 5, 2 3 6 7 and so on
    assert found.tolist() == [[2.5, 4.5], [10.5, 12.5]]


def test_intervals_are_seeded():
    pairs = np.random.default_rng(0).normal(size=(5, 2))
    assert contrast(pairs) == contrast(pairs)
    assert contrast(pairs, seed=1).low != contrast(pairs).low


def test_without_pairs_there_is_nothing_to_say():
    with pytest.raises(InputError, match="no boundary has a control"):
        contrast(np.empty((0, 2)))
    with pytest.raises(ValueError, match="a map of 8 tokens is too small"):
        insulation(np.ones((8, 8)))
    for shape in ((3, 3), (4, 2)):
        with pytest.raises(ValueError, match="not square"):
            observed_over_expected(np.ones(shape))


@pytest.mark.parametrize(("other", "is_same"), [(0.3 + 1e-7, True), (0.31, False)])
def test_attention_that_is_the_same_everywhere(other, is_same):
    """A place that was not computed says nothing."""
    rows = {
        "status": ["ok", "ok", "ok", "ok", "unmatched"],
        "layer": [None, 1, None, 1, 1],
        "across": [0.1, 0.2, 0.1, 0.2, None],
        "at": [0.1, 0.3, 0.1, other, None],
    }
    assert is_same_everywhere(pl.DataFrame(rows)) is is_same
