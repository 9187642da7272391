"""AUROC by hand, as the share of pairs of a positive and a negative, read slowly, and scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from enformer_core.evaluate.auroc import auroc, aurocs
from enformer_core.evaluate.average_precision import average_precision, ranking

ITEMS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)


def fast(is_positive, score):
    return auroc(np.array(is_positive, dtype=bool), np.array(score, dtype=float))


def slow(is_positive, score):
    """Every pair of a positive and a negative: 1 where the positive is higher, a half where they are equal."""
    items = list(zip(is_positive, score, strict=True))
    pairs = [(p, n) for is_p, p in items if is_p for is_n, n in items if not is_n]
    return sum((p > n) + (p == n) / 2 for p, n in pairs) / len(pairs)


def test_by_hand():
    # scikit-learn's own example: y = 0 0 1 1, scores .1 .4 .35 .8 give 0.75
    assert fast([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 3 / 4
    # the docstring's: +, a tie of + and -, -
    assert fast([1, 1, 0, 0], [3, 2, 2, 1]) == 7 / 8
    assert fast([1, 0], [np.inf, -np.inf]) == 1


def test_of_one_kind_alone_there_is_none():
    assert np.isnan(fast([1, 1], [1, 2]))
    assert np.isnan(fast([0, 0], [1, 2]))
    assert np.isnan(fast([], []))


@given(ITEMS)
def test_it_is_the_share_of_pairs(items):
    is_positive, score = zip(*items, strict=True)
    if len(set(is_positive)) == 2:
        assert fast(is_positive, score) == pytest.approx(slow(is_positive, score), rel=1e-12)
        # turned round, it is the rest
        turned = fast(is_positive, [-one for one in score])
        assert turned == pytest.approx(1 - fast(is_positive, score), rel=1e-12)


@given(ITEMS, st.integers(0, 3))
def test_a_draw_is_what_its_items_written_out_are(items, seed):
    is_positive, score = map(np.array, zip(*items, strict=True))
    counts = np.random.default_rng(seed).integers(3, size=(2, len(items)))
    found = aurocs(ranking(score.astype(float)), is_positive, counts)
    for draw, value in zip(counts, found, strict=True):
        drawn = np.repeat(is_positive, draw).tolist(), np.repeat(score, draw).tolist()
        if len(set(drawn[0])) == 2:
            assert value == pytest.approx(slow(*drawn), rel=1e-12)
        else:
            assert np.isnan(value)


@pytest.mark.parametrize("values", [3, 40, 100_000])
def test_both_areas_are_those_of_scikit_learn(values):
    rng = np.random.default_rng(values)
    score = rng.integers(values, size=2_000) / 7
    is_positive = rng.random(2_000) < 0.05 + 0.2 * (score > np.median(score))
    assert auroc(is_positive, score) == pytest.approx(roc_auc_score(is_positive, score), rel=1e-12)
    precision = average_precision_score(is_positive, score)
    assert average_precision(is_positive, score) == pytest.approx(precision, rel=1e-12)
