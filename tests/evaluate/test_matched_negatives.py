"""Matched negatives: a toy by hand, and what holds of every draw."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.evaluate.matched_negatives import NO_GROUP, Matching, match_groups


def groups_of(labels, *features, negatives=1, seed=0):
    columns = [pl.Series(each) for each in features]
    found = match_groups(np.array(labels, dtype=bool), columns, Matching(negatives, seed))
    return found.tolist()


def test_by_hand():
    # two of each word; among the introns the distances 10 and 40 are nearest to 12 and 38
    labels = [1, 1, 0, 0, 0, 1, 0]
    words = ["intron", "intron", "intron", "intron", "intron", "UTR", "UTR"]
    distance = [12.0, 38.0, 10.0, 1_000.0, 40.0, 5.0, 900.0]
    found = groups_of(labels, words, distance)
    assert found[0] == found[2] != NO_GROUP
    assert found[1] == found[4] != NO_GROUP
    # the only one of its word is taken, however far
    assert found[5] == found[6] != NO_GROUP
    assert found[3] == NO_GROUP


def test_a_positive_without_enough_negatives_has_none():
    found = groups_of([1, 1, 0, 0, 0], ["a", "a", "a", "a", "a"], negatives=2)
    assert sorted(found) == [NO_GROUP, NO_GROUP, 0, 0, 0]
    assert groups_of([1, 0], ["a", "b"]) == [NO_GROUP, NO_GROUP]


def test_what_is_missing_is_matched_to_nothing():
    assert groups_of([1, 0, 0], [1.0, None, 9.0]) == [0, NO_GROUP, 0]
    assert groups_of([1, 0], ["a", None]) == [NO_GROUP, NO_GROUP]


def test_numbers_are_scaled_before_they_are_added():
    # the second counts as much as the first, whose numbers are a thousand times as large
    first = [0.0, 1_000.0, 0.0, 2_000.0, 4_000.0]
    second = [0.0, 0.0, 4.0, 2.0, 1.0]
    # quartiles 0, 1000, 2000 and 0, 1, 2: away are 1/2, 2, sqrt(2), sqrt(4.25)
    found = groups_of([1, 0, 0, 0, 0], first, second, negatives=2)
    assert found == [0, 0, NO_GROUP, 0, NO_GROUP]


def test_the_seed_decides_among_equals():
    labels = [1] + [0] * 30
    draws = {tuple(groups_of(labels, ["a"] * 31, seed=seed)) for seed in range(8)}
    assert len(draws) > 4
    assert groups_of(labels, ["a"] * 31, seed=3) == groups_of(labels, ["a"] * 31, seed=3)


def test_no_negatives_are_no_matching():
    with pytest.raises(InputError, match="--negatives 0"):
        Matching(negatives=0)


ROWS = st.lists(
    st.tuples(st.booleans(), st.sampled_from("ab"), st.floats(-9, 9)), min_size=1, max_size=40
)


@given(ROWS, st.integers(1, 3), st.integers(0, 3))
def test_every_group_is_a_positive_and_its_negatives_of_one_word(rows, negatives, seed):
    labels, words, numbers = map(list, zip(*rows, strict=True))
    found = groups_of(labels, words, numbers, negatives=negatives, seed=seed)
    for group in set(found) - {NO_GROUP}:
        members = [place for place, each in enumerate(found) if each == group]
        assert sum(labels[place] for place in members) == 1
        assert len(members) == 1 + negatives
        assert len({words[place] for place in members}) == 1
    # who is left out could not have been served
    for word in "ab":
        left = [p for p, g in enumerate(found) if g == NO_GROUP and words[p] == word]
        free = [place for place in left if not labels[place]]
        if any(labels[place] for place in left):
            assert len(free) < negatives
