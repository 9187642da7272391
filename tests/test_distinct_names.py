"""No two names are the same, whatever names people give, and none changes without need."""

from itertools import product

import pytest

from enformer_core.distinct_names import DistinctNames, placed_names


def test_names_that_several_have_are_told_apart_by_place():
    assert placed_names(["x", "y", "x"], ["5", "7", "9"]) == ["x@5", "y", "x@9"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["x", "x", "x@2"], ["x@1", "x@2#2", "x@2"]),
        (["x@1", "x", "x"], ["x@1", "x@2", "x@3"]),
        (["x@2", "x", "x", "x@2#2"], ["x@2", "x@2#3", "x@3", "x@2#2"]),
    ],
)
def test_a_name_that_was_given_is_no_others(given, expected):
    places = [str(number) for number in range(1, len(given) + 1)]
    assert placed_names(given, places) == expected


def test_names_of_one_place_are_numbered():
    assert placed_names(["x", "x", "x"], ["5", "5", "5"]) == ["x@5", "x@5#2", "x@5#3"]


def test_no_two_are_the_same_whatever_is_given():
    words = ["x", "x@1", "x@2", "x@1#2"]
    for given in product(words, repeat=4):
        names = placed_names(given, ["1", "2", "1", "2"])
        assert len(set(names)) == len(names)


def test_what_is_taken_is_not_free():
    names = DistinctNames(["x", "x#2"])
    assert [names.take("x"), names.take("y"), names.take("x")] == ["x#3", "y", "x#4"]
