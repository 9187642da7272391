"""Numbers agree with the words beside them."""

import pytest

from enformer_core.words import agreeing, bytes_in_words, counted


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


def test_sizes_keep_digits_before_the_point():
    sizes = (0, 950, 1_234, 999_600, 65_536_000, 2.5e12, 1e18)
    words = ["0 B", "950 B", "1.23 kB", "1 MB", "65.5 MB", "2.5 TB", "1,000 PB"]
    assert [bytes_in_words(size) for size in sizes] == words
