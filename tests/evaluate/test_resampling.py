"""Draws keep what they must keep: the size of each stratum, and blocks whole."""

import numpy as np
import pytest

from enformer_core.evaluate.average_precision import Bootstrap
from enformer_core.evaluate.resampling import block_counts, stratified_counts


def all_of(draws):
    return np.concatenate(list(draws))


def test_each_stratum_keeps_its_size():
    stratum = np.array([0, 1, 1, 0, 1, 2])
    counts = all_of(stratified_counts(Bootstrap(draws=40, seed=3), stratum))
    assert counts.shape == (40, 6)
    for number, size in enumerate(np.bincount(stratum)):
        assert (counts[:, stratum == number].sum(axis=1) == size).all()
    assert counts.max() > 1
    # every item is drawn once a draw on average
    assert counts.mean(axis=0) == pytest.approx(1, abs=0.6)


def test_blocks_stay_whole():
    block = np.array([0, 1, 1, 2, 0])
    counts = all_of(block_counts(Bootstrap(draws=40, seed=3), block))
    assert counts.shape == (40, 5)
    assert (counts[:, 0] == counts[:, 4]).all()
    assert (counts[:, 1] == counts[:, 2]).all()
    assert (counts[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert len({tuple(row) for row in counts.tolist()}) > 5


def test_draws_are_seeded_and_the_same_in_blocks_of_any_size():
    stratum = np.zeros(3_000, dtype=np.int64)
    stratum[::3] = 1
    draws = {
        seed: all_of(stratified_counts(Bootstrap(draws=800, seed=seed), stratum)) for seed in (1, 2)
    }
    again = all_of(stratified_counts(Bootstrap(draws=800, seed=1), stratum))
    assert (draws[1] == again).all()
    assert (draws[1] != draws[2]).any()
    # 800 draws of 3,000 are more than one block: a shorter series begins alike
    few = all_of(stratified_counts(Bootstrap(draws=5, seed=1), stratum))
    assert (draws[1][:5] == few).all()
