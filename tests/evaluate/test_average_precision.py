"""Average precision is scikit-learn's, whose definition is read slowly here; intervals are seeded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.evaluate.average_precision import (
    Bootstrap,
    average_precision,
    average_precisions,
    ranking,
)

ITEMS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=30)


def slow(is_positive, score):
    """The sum over thresholds of precision times the gain of recall: what scikit-learn documents."""
    total = sum(is_positive)
    result = 0.0
    recall_before = 0.0
    for threshold in sorted(set(score), reverse=True):
        taken = [
            positive for positive, one in zip(is_positive, score, strict=True) if one >= threshold
        ]
        precision = sum(taken) / len(taken)
        recall = sum(taken) / total
        result += (recall - recall_before) * precision
        recall_before = recall
    return result


def fast(is_positive, score):
    return average_precision(np.array(is_positive, dtype=bool), np.array(score, dtype=float))


def test_the_example_of_the_definition():
    # scikit-learn's own: y = 0 0 1 1, scores .1 .4 .35 .8 give 0.83
    assert fast([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == pytest.approx((1 + 2 / 3) / 2)


def test_ties_share_a_rank_whatever_their_order():
    assert fast([1, 0, 0], [2, 2, 1]) == fast([0, 1, 0], [2, 2, 1]) == pytest.approx(1 / 2)
    assert fast([1, 0, 0, 0], [0, 0, 0, 0]) == pytest.approx(1 / 4)


def test_what_has_no_score_comes_last():
    assert fast([1, 0, 1], [2, 1, -np.inf]) == pytest.approx((1 + 2 / 3) / 2)


def test_without_positives_there_is_none():
    assert np.isnan(fast([0, 0], [1, 2]))
    assert np.isnan(fast([], []))


@given(ITEMS)
def test_it_is_the_slow_reading(items):
    is_positive, score = zip(*items, strict=True)
    if any(is_positive):
        assert fast(is_positive, score) == pytest.approx(slow(is_positive, score))


@given(ITEMS, st.integers(0, 3))
def test_a_draw_is_what_its_items_written_out_are(items, seed):
    is_positive, score = map(np.array, zip(*items, strict=True))
    counts = np.random.default_rng(seed).integers(3, size=(2, len(items)))
    found = average_precisions(ranking(score.astype(float)), is_positive, counts)
    for draw, value in zip(counts, found, strict=True):
        drawn = np.repeat(is_positive, draw), np.repeat(score, draw)
        if drawn[0].any():
            assert value == pytest.approx(slow(drawn[0].tolist(), drawn[1].tolist()))
        else:
            assert np.isnan(value)


def test_draws_are_seeded_and_of_as_many_items():
    one, again, other = (
        np.concatenate(list(Bootstrap(draws=7, seed=seed).counts(50))) for seed in (1, 1, 2)
    )
    assert one.shape == (7, 50)
    assert (one.sum(axis=1) == 50).all()
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_draws_come_in_blocks(monkeypatch):
    whole = np.concatenate(list(Bootstrap(draws=9).counts(5)))
    monkeypatch.setattr("enformer_core.evaluate.average_precision._NUMBERS_AT_ONCE", 20)
    blocks = list(Bootstrap(draws=9).counts(5))
    assert [len(block) for block in blocks] == [4, 4, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def test_an_interval_is_the_middle_of_the_draws():
    values = np.append(np.arange(1001.0), np.nan)
    assert Bootstrap().interval(values) == pytest.approx((25, 975))
    assert all(map(np.isnan, Bootstrap().interval(np.array([np.nan]))))


@pytest.mark.parametrize(("name", "option"), [("draws", "bootstrap"), ("seed", "seed")])
def test_settings_below_0_are_refused(name, option):
    with pytest.raises(InputError, match=f"--{option} -1: must be at least 0"):
        Bootstrap(**{name: -1})


def test_more_draws_than_memory_holds_are_refused():
    with pytest.raises(InputError, match="--bootstrap 1000000000000: must be at most 1,000,000"):
        Bootstrap(draws=10**12)
