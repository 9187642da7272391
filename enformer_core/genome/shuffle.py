"""Shuffles that keep the number of every pair of neighbouring letters, for sequence that means nothing and looks alike.

A sequence is a walk through its letters. Every order of its steps that is a walk again, from the same first letter,
has the same pairs; one is drawn, each with the same chance (Altschul & Erikson 1985, Mol Biol Evol 2:526; Kandel et al.
1996, Discrete Appl Math 71:171). Knows codes of letters. Does not know genomes.
"""

from itertools import pairwise

import numpy as np

from enformer_core.genome.alphabet import N_CODE, Codes

_Steps = list[list[int]]
"""The letters that follow each letter, in order."""


def dinucleotide_shuffle(codes: Codes, rng: np.random.Generator) -> Codes:
    """The same letters in another order, each pair of neighbours as often as before.

    Every run of known letters is shuffled by itself and keeps its first and last letter; N stays where it is.

    Args:
        codes: not changed.
        rng: decides which order; the same state gives the same one.
    """
    shuffled = codes.copy()
    # of ACNNGT the edges of known runs are 0 2 4 6
    is_known = np.concatenate([[False], codes != N_CODE, [False]])
    is_edge = is_known[1:] != is_known[:-1]
    edges = np.flatnonzero(is_edge)
    for first, end in edges.reshape(-1, 2):
        letters = codes[first:end].tolist()
        shuffled[first:end] = _shuffled_run(letters, rng)
    return shuffled


def _shuffled_run(letters: list[int], rng: np.random.Generator) -> list[int]:
    steps: _Steps = [[] for _ in range(N_CODE)]
    for letter, follower in pairwise(letters):
        steps[letter].append(follower)
    finish = letters[-1]
    last = _last_steps(steps, finish, rng)
    for letter, followers in enumerate(steps):
        # letters that are never left, or that the walk ends at, have no last step
        if letter in last:
            followers.remove(last[letter])
        order = rng.permutation(len(followers))
        others = [followers[place] for place in order]
        # with its last step at the end, every walk comes through and arrives
        if letter in last:
            others.append(last[letter])
        steps[letter] = others
    return _walk(letters[0], len(letters), steps)


def _last_steps(
    steps: _Steps,
    finish: int,
    rng: np.random.Generator,
) -> dict[int, int]:
    """By which step each letter is left for the last time: any, if from everywhere they lead to the finish.

    The walk AACAT ends at T. A may be left last for T alone: for A or C, no step would be left that comes to T.
    """
    leaving = [letter for letter in range(N_CODE) if steps[letter] and letter != finish]
    # drawn anew until they do: of those that do, each has its share
    while True:
        last = {}
        for letter in leaving:
            followers = steps[letter]
            drawn = int(rng.integers(len(followers)))
            last[letter] = followers[drawn]
        if all(_arrives(letter, finish, last) for letter in leaving):
            return last


def _arrives(
    letter: int,
    finish: int,
    last: dict[int, int],
) -> bool:
    # four letters at most, so that who has not come after four steps goes in a circle
    for _ in range(N_CODE):
        if letter == finish:
            return True
        letter = last[letter]
    return letter == finish


def _walk(first: int, length: int, steps: _Steps) -> list[int]:
    taken = [0] * len(steps)
    walk = [first]
    while len(walk) < length:
        here = walk[-1]
        followers = steps[here]
        walk.append(followers[taken[here]])
        taken[here] += 1
    return walk
