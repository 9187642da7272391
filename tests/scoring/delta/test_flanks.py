"""Insertions and deletions in shared windows: exact, whatever lies beside them, and little to compute."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enformer_core.genome.fasta import Genome
from enformer_core.scoring.conventions import INDEL_RULES, WINDOW_RULES
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.flanks import Flank, flanks_of
from enformer_core.scoring.delta.reference_tokens import Place
from enformer_core.scoring.delta.tower import Tower
from enformer_core.scoring.windows import (
    Allele,
    Window,
    alternate_sequence,
    alternate_windows,
    window_start,
)
from tests.scoring.delta import test_engine as engine_tests
from tests.scoring.delta.test_engine import CPU, FLOAT64, assert_same, conventions_of
from tests.support.small_models import small_basenji2, small_enformer, write_genome

TOKEN_BP = 128
TOKENS = 48
HALO = 3
WINDOW_BP = TOKENS * TOKEN_BP

SEED = 3
LETTERS = "".join(np.random.default_rng(SEED).choice(list("ACGT"), 10_000))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Random letters with a long gap of N and a long repeat."""
    path = write_genome(tmp_path_factory.mktemp("genome") / "g.fa", seed=SEED)
    name, letters, _ = path.read_text().split("\n")
    letters = letters[:12_000] + "N" * 2_500 + letters[14_500:17_000] + "A" * 400 + letters[17_400:]
    path.write_text(f"{name}\n{letters}\n")
    return Genome(str(path))


def flanks(allele, window, *, reverse=False):
    return flanks_of(
        allele,
        window,
        reverse=reverse,
        tokens=TOKENS,
        token_bp=TOKEN_BP,
        halo_tokens=HALO,
    )


def test_by_hand():
    insertion = Allele("c", 1_000, "A", "ATT")
    left, right = flanks(insertion, Window(0))
    # base 999, the left flank's last, is in token 7; base 1,003, the right one's first, too
    assert left == Flank(Place("c", 0, reverse=False), range(4))
    assert right == Flank(Place("c", -2, reverse=False), range(11, TOKENS))
    first, second = flanks(insertion, Window(0), reverse=True)
    assert first == Flank(Place("c", -2, reverse=True), range(TOKENS - 11))
    assert second == Flank(Place("c", 0, reverse=True), range(TOKENS - 4, TOKENS))
    # with 2 bp cut off the left, it is the left flank that has moved
    left, right = flanks(insertion, Window(0, trim_bp=2))
    assert (left.place.start, right.place.start) == (2, 0)


@given(
    start=st.integers(0, WINDOW_BP - 1),
    ref_bp=st.integers(1, 300),
    alt_bp=st.integers(1, 400) | st.integers(3_000, 10_000),
    rule=st.sampled_from(WINDOW_RULES),
    shift=st.integers(-40, 40),
)
def test_flanks_read_the_bases_of_their_places(genome, start, ref_bp, alt_bp, rule, shift):
    begin = 10_000
    ref = "".join(
        "ACGTN"[code] for code in genome.fetch("c", begin + start, begin + start + ref_bp)
    )
    allele = Allele("c", begin + start, ref, LETTERS[:alt_bp])
    # no farther than the allele stays in the window
    shift = min(max(shift, start - WINDOW_BP + 1), start)
    for alternate in alternate_windows(allele, begin, rule, stitch_bin=9):
        window = alternate.moved(shift)
        codes = alternate_sequence(genome, allele, window, WINDOW_BP)
        for flank, other_end in zip(flanks(allele, window), (False, True), strict=True):
            if not flank.span:
                continue
            # with all that they see on the variant's side; on the other side they see the window's own end
            first = flank.span.start - (HALO if other_end else 0)
            last = flank.span.stop + (0 if other_end else HALO)
            own = genome.fetch("c", flank.place.start, flank.place.start + WINDOW_BP)
            part = slice(first * TOKEN_BP, last * TOKEN_BP)
            assert np.array_equal(codes[part], own[part])
            assert 0 <= first < last <= TOKENS


def alleles_around(genome, place, lengths, seed):
    """Insertions, deletions and both at once, within 100 bp."""
    random = np.random.default_rng(seed)
    made = []
    for length in lengths:
        start = place + int(random.integers(0, 100))
        kind = random.choice(["insertion", "deletion", "both"])
        lost_bp = {"insertion": 1, "deletion": length + 1, "both": length // 2 + 2}[kind]
        ref = "".join("ACGTN"[code] for code in genome.fetch("c", start, start + lost_bp))
        alt = {"insertion": ref + LETTERS[:length], "deletion": ref[0], "both": LETTERS[:length]}
        made.append(Allele("c", start, ref, str(alt[str(kind)])))
    return made


CASES = st.fixed_dictionaries(
    {
        "place": st.sampled_from([300, 9_050, 12_900, 14_400, 17_150, 29_500]),
        "lengths": st.lists(st.sampled_from([1, 2, 7, 64, 127, 128, 129, 900]), max_size=2),
        "rule": st.sampled_from(INDEL_RULES),
        "shifts": st.sampled_from([(0,), (0, -3), (130,)]),
        "offset": st.sampled_from([64, 320]),
        "seed": st.integers(0, 99),
    }
)


@pytest.mark.parametrize("make", [small_enformer, small_basenji2])
def test_indels_equal_two_plain_passes(make, genome):
    model = make()

    @given(case=CASES, longest=st.sampled_from([3, 10_000]))
    @settings(max_examples=8)
    def check(case, longest):
        conventions = conventions_of(
            model,
            statistics=("sad", "log_d2"),
            indel_rule=case["rule"],
            shifts=case["shifts"],
            max_offset_bp=case["offset"],
        )
        lengths = [*case["lengths"], longest]
        for allele in alleles_around(genome, case["place"], lengths, case["seed"]):
            one = engine_tests.both(model, genome, conventions, [allele])
            # of a window that reads N alone on both sides, a moved flank changes nothing
            assert_same(*one, may_be_nothing=True)

    check()


def indels_of_one_window(genome, conventions, count):
    """Indels of 1 to 4 bp of the window that holds base 9,000, and which window that is."""
    start = window_start(9_000, conventions)
    made = alleles_around(genome, 9_000, [1 + number % 4 for number in range(count)], seed=5)
    return [allele for allele in made if window_start(allele.start, conventions) == start], start


@pytest.mark.parametrize("rule", INDEL_RULES)
def test_an_indel_does_not_depend_on_what_was_scored_before(genome, rule):
    """To the last bit, in float32: whoever computes a chunk first, it is the same chunk."""
    model = small_enformer().float()
    arithmetic = engine_tests.choose_arithmetic("exact", CPU)
    network = delta_network(model, "human", None, device=CPU, arithmetic=arithmetic)
    conventions = conventions_of(model, indel_rule=rule, statistics=("sad",), max_offset_bp=320)
    alleles, start = indels_of_one_window(genome, conventions, 5)
    together = DeltaScorer(network, genome, conventions, batch_alts=5).score(alleles, start)
    forgetful = DeltaScorer(network, genome, conventions, batch_alts=2, kept_chunks=1)
    backwards = forgetful.score(alleles[::-1], start)[::-1]
    alone = DeltaScorer(network, genome, conventions, batch_alts=1)
    assert np.array_equal(together[3]["sad"], alone.score(alleles[3:4], start)[0]["sad"])
    for one, other in zip(together, backwards, strict=True):
        assert np.array_equal(one["sad"], other["sad"])


def test_an_indel_beside_others_needs_few_tokens(genome, monkeypatch):
    """Those that see the variant, with a halo, where the moved flank has been computed for another."""
    model = small_enformer()
    network = delta_network(model, "human", None, device=CPU, arithmetic=FLOAT64)
    conventions = conventions_of(model, statistics=("sad",), max_offset_bp=320, strands="forward")
    first, second = (Allele("c", at, "A", "AG") for at in (9_010, 9_020))
    start = window_start(9_010, conventions)
    assert start == window_start(9_020, conventions)
    scorer = DeltaScorer(network, genome, conventions, batch_alts=1)
    scorer.score([first], start)
    ran = []
    run = Tower.run

    def counting(tower, codes):
        ran.append(codes.size // TOKEN_BP)
        return run(tower, codes)

    monkeypatch.setattr(Tower, "run", counting)
    scorer.score([second], start)
    assert ran == [7 + 2 * HALO]


def test_batches_of_one_window_compute_what_they_read_together(genome, monkeypatch):
    """Chunks of several gains have most of their tower in common, whichever batches the gains are in."""
    model = small_enformer()
    network = delta_network(model, "human", None, device=CPU, arithmetic=FLOAT64)
    conventions = conventions_of(model, statistics=("sad",), max_offset_bp=320)
    alleles = [Allele("c", 9_010 + at, "A", "A" + LETTERS[:gain]) for at, gain in enumerate((1, 3))]
    start = window_start(9_010, conventions)
    phases = Tower.phases
    wanted = []

    def counting(tower, codes, begins):
        wanted.append(sorted(begins))
        return phases(tower, codes, begins)

    monkeypatch.setattr(Tower, "phases", counting)

    def computed(batch_alts, kept_chunks=None):
        wanted.clear()
        scorer = DeltaScorer(
            network, genome, conventions, batch_alts=batch_alts, kept_chunks=kept_chunks
        )
        scorer.score(alleles, start)
        return list(wanted)

    together = computed(2)
    assert max(map(len, together)) == 3  # the reference's, and those of both insertions
    assert computed(1) == together
    # what cannot be kept for the window is computed batch by batch
    assert max(map(len, computed(1, kept_chunks=4))) == 2


def test_where_memory_does_not_suffice_for_a_window_each_batch_computes_its_own(
    genome, monkeypatch
):
    model = small_enformer()
    network = delta_network(model, "human", None, device=CPU, arithmetic=FLOAT64)
    conventions = conventions_of(model, statistics=("sad",), max_offset_bp=320)
    alleles, start = indels_of_one_window(genome, conventions, 4)
    expected = DeltaScorer(network, genome, conventions, batch_alts=4).score(alleles, start)
    phases = Tower.phases
    refused = []

    def scarce(tower, codes, begins):
        if len(begins) > 2:
            refused.append(begins)
            raise torch.OutOfMemoryError
        return phases(tower, codes, begins)

    monkeypatch.setattr(Tower, "phases", scarce)
    found = DeltaScorer(network, genome, conventions, batch_alts=1).score(alleles, start)
    assert len(refused) == 1
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one["sad"], other["sad"])
