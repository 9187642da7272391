"""Numbers agree with the words beside them."""

import pytest

from enformer_core.words import agreeing, counted


@pytest.mark.parametrize(
    ("number", "plural", "words"),
    [
        (0, "tiles", "0 tiles"),
        (1, "shards", "1 shard"),
        (1, "distinct alleles", "1 distinct allele"),
        (1, "boundaries", "1 boundary"),
        (1, "bases", "1 base"),
        (1, "TSSs", "1 TSS"),
        (1200, "boundaries", "1,200 boundaries"),
    ],
)
def test_of_one_thing_the_name_is_singular(number, plural, words):
    assert counted(number, plural) == words


def test_verbs_go_with_their_number():
    assert [agreeing(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]
