"""Shuffles keep pairs of letters, the ends and N; every order has the same chance."""

from collections import Counter
from itertools import pairwise, permutations

import numpy as np
import pytest

from enformer_core.genome.alphabet import decode, encode
from enformer_core.genome.shuffle import dinucleotide_shuffle
from tests.support.genomes import random_letters


def shuffled(letters, seed=0):
    return decode(dinucleotide_shuffle(encode(letters), np.random.default_rng(seed)))


def test_pairs_and_ends_stay():
    letters = random_letters(2_000)
    other = shuffled(letters)
    assert Counter(pairwise(other)) == Counter(pairwise(letters))
    assert (other[0], other[-1]) == (letters[0], letters[-1])
    # of 2,000 random letters a quarter are the same by chance
    same = np.mean([one == two for one, two in zip(letters, other, strict=True)])
    assert 0.15 < same < 0.35


def test_the_seed_decides():
    letters = random_letters(200)
    assert shuffled(letters, 1) == shuffled(letters, 1)
    assert shuffled(letters, 1) != shuffled(letters, 2)


def test_n_stays_and_each_run_is_shuffled_by_itself():
    runs = [random_letters(100, seed) for seed in (1, 2)]
    other = shuffled("NN" + runs[0] + "N" + runs[1])
    assert [part for part in other.split("N") if part] != runs
    assert other.startswith("NN")
    assert other[102] == "N"
    for part, run in zip((other[2:102], other[103:]), runs, strict=True):
        assert Counter(pairwise(part)) == Counter(pairwise(run))


@pytest.mark.parametrize("letters", ["", "N", "A", "AC", "AAAA", "NNNN", "ACGT"])
def test_what_has_one_order_stays_as_it_is(letters):
    assert shuffled(letters) == letters


def test_every_order_has_the_same_chance():
    """All words of these letters with these pairs, each some 1 / n of the draws."""
    letters = "AACACGAGT"
    wanted = {
        word
        for word in map("".join, set(permutations(letters)))
        if Counter(pairwise(word)) == Counter(pairwise(letters))
    }
    assert len(wanted) > 10
    rng = np.random.default_rng(0)
    draws = 300 * len(wanted)
    codes = encode(letters)
    found = Counter(decode(dinucleotide_shuffle(codes, rng)) for _ in range(draws))
    assert set(found) == wanted
    # 300 ± 6 standard deviations of √300
    assert all(abs(count - 300) < 105 for count in found.values())
