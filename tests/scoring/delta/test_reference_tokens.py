"""Tokens shared along chromosomes: each computed once while windows come in order, and no more kept than allowed."""

from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
import torch

from enformer_core.genome.fasta import Genome
from enformer_core.scoring.delta.reference_tokens import (
    Kept,
    Place,
    SharedTokens,
    chunks_wanted,
)
from enformer_core.scoring.delta.tower import Tower
from tests.support.pooled_towers import small_borzoi, tower_of_model
from tests.support.small_models import small_basenji2, small_enformer, write_genome

CPU = torch.device("cpu")
TOKENS = 1_536
WINDOW_BP = 128 * TOKENS


class CountingTower(Tower):
    """Enformer's sizes, and zeros for tokens; counts how often it was given each piece of sequence."""

    halo_tokens = 3
    pieces: ClassVar[Counter] = Counter()

    def run(self, codes):
        self.pieces[codes.tobytes()] += 1
        return torch.zeros(codes.size // 128, 1)

    def phases(self, codes, wanted):
        for begin in wanted:
            self.pieces[codes[begin : begin + codes.size - 128].tobytes()] += 1
        return {begin: torch.zeros(codes.size // 128 - 1, 1) for begin in wanted}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    return Genome(str(write_genome(path, length_bp=300_000)))


# of as many lengths as are kept, insertions and deletions
GAINS = [-20, -12, -8, -6, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6, 8, 12]


@pytest.mark.parametrize("shifts", [(0,), (0, 1, -1)])
@pytest.mark.parametrize("gains", [[], GAINS])
def test_neighbouring_windows_compute_each_chunk_once(genome, shifts, gains):
    tower = CountingTower(levels=(), token_bp=128, device=CPU, dtype=torch.float32)
    tower.pieces.clear()
    wanted = chunks_wanted(CPU, tokens=TOKENS, views=2 * len(shifts))
    shared = SharedTokens(tower, genome, kept_chunks=wanted)
    second_half = range(TOKENS // 2, TOKENS)
    needed = set()
    for window in range(12):
        for batch in range(2):
            for shift in shifts:
                for reverse in (False, True):
                    start = window * 4_096 + shift
                    shared(Place("c", start, reverse), np.zeros(WINDOW_BP, np.uint8))
                    needed |= chunks_of(start, reverse, range(TOKENS))
                    for gain in gains[batch::2]:
                        shared.part(Place("c", start - gain, reverse), TOKENS, second_half)
                        needed |= chunks_of(start - gain, reverse, second_half)
    # the other pieces are windows' ends
    chunk_bp = (128 + 2 * 3) * 128
    times = [times for piece, times in tower.pieces.items() if len(piece) == chunk_bp]
    assert times == [1] * len(needed)
    assert len(times) < len(tower.pieces)


def chunks_of(start, reverse, span):
    """The chunks, 128 tokens each from a phase on, that hold tokens of a window between the three at its ends."""
    inner = [token for token in span if 3 <= token < TOKENS - 3]
    along_chromosome = [TOKENS - 1 - token for token in inner] if reverse else inner
    return {(start % 128, reverse, (start // 128 + token) // 128) for token in along_chromosome}


def test_the_run_used_least_recently_goes_first():
    computed = []

    def compute(keys):
        computed.append(list(keys))
        return {key: torch.zeros(1, 1) for key in keys}

    kept = Kept(2, compute)
    for key in (1, 2, 1, 3, 1, 2):
        kept(key)
    assert computed == [[1], [2], [3], [2]]
    kept.prepare([2, 4])
    assert computed[4:] == [[4]]
    # what cannot be kept together is computed one by one, when it is asked for
    kept.prepare([5, 6, 7])
    assert computed[5:] == []


@pytest.mark.parametrize("make", [small_enformer, small_basenji2, small_borzoi])
@pytest.mark.parametrize("reverse", [False, True])
def test_any_part_of_a_window_is_cut_out_of_the_whole(make, reverse, genome):
    tower = tower_of_model(make())
    random = np.random.default_rng(0)
    with torch.inference_mode():
        for count in (4, 6, 7, 48):
            place = Place("c", 777, reverse)
            # one that has computed all of it, and one that computes each part by itself
            whole = SharedTokens(tower, genome).part(place, count, range(count))
            shared = SharedTokens(tower, genome, kept_chunks=1)
            for _ in range(6):
                first, last = sorted(random.choice(count + 1, 2, replace=False).tolist())
                part = shared.part(place, count, range(first, last))
                torch.testing.assert_close(part, whole[first:last], rtol=1e-12, atol=1e-12)
