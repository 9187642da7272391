"""Scoring by differences against two plain passes, in float64: the same for every kind of variant and setting."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from enformer_core.genome.fasta import Genome
from enformer_core.scoring.conventions import INDEL_RULES, Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import Arithmetic, choose_arithmetic
from enformer_core.scoring.statistics import STATISTICS
from enformer_core.scoring.windows import Allele, window_start
from tests.support.small_models import (
    small_basenji2,
    small_borzoi,
    small_enformer,
    small_flashzoi,
    write_genome,
)

CPU = torch.device("cpu")

FLOAT64 = Arithmetic(reference=torch.float64, delta=torch.float64)

MODELS = {
    "enformer": small_enformer,
    "basenji2": small_basenji2,
    "borzoi": small_borzoi,
    "flashzoi": small_flashzoi,
}

KINDS = {  # bases of REF, and ALT
    "snv": (1, "G"),
    "mnv": (3, "TTC"),
    "long_mnv": (90, "ACGTTGCATG" * 9),
    "insertion": (1, "ATTACA"),
    "long_insertion": (1, "GATTACAT" * 20),
    "deletion": (6, "A"),
    "long_deletion": (150, "C"),
    "delins": (5, "GG"),
    "whole_token_insertion": (1, "A" * 129),
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(str(write_genome(tmp_path_factory.mktemp("genome") / "g.fa")))


@pytest.fixture(
    scope="module",
    params=[
        *((name, "cpu") for name in MODELS),
        *(pytest.param((name, "cuda"), marks=pytest.mark.gpu) for name in MODELS),
    ],
    ids="-".join,
)
def model(request):
    name, device = request.param
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    return MODELS[name]().to(device)


def place_of(model):
    """Where it computes."""
    return next(model.parameters()).device


def allele(genome, start, kind):
    length, alt = KINDS[kind]
    ref = "".join("ACGTN"[code] for code in genome.fetch("c", start, start + length))
    if alt[0] == ref[0] and length == 1 and len(alt) == 1:
        alt = "T"
    return Allele("c", start, ref, alt)


def conventions_of(model, **how):
    usual = {
        "geometry": model.geometry,
        "statistics": tuple(STATISTICS),
        "centre_index": model.geometry.window_bp // 2 - 1,
    }
    return Conventions(**(usual | how))


def start_of(model, conventions, alleles):
    """The window that they share."""
    (start,) = {window_start(a.start, conventions) for a in alleles}
    return start


def by_two_passes(model, genome, conventions, alleles, *, head="human", tracks=None, pairs=None):
    predictor = SequencePredictor(
        model,
        head,
        tracks,
        conventions,
        place_of(model),
        torch.float64,
        strand_pairs=pairs,
    )
    start = start_of(model, conventions, alleles)
    return DirectScorer(predictor, genome).score(alleles, start)


def by_differences(
    model, genome, conventions, alleles, *, head="human", tracks=None, batch_alts=64, pairs=None
):
    network = delta_network(
        model,
        head,
        tracks,
        device=place_of(model),
        arithmetic=FLOAT64,
        strand_pairs=pairs,
    )
    scorer = DeltaScorer(network, genome, conventions, batch_alts=batch_alts)
    return scorer.score(alleles, start_of(model, conventions, alleles))


def both(*case, batch_alts=64, **how):
    return by_two_passes(*case, **how), by_differences(*case, batch_alts=batch_alts, **how)


@pytest.mark.gpu
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("policy", ["exact", "fast"])
def test_policies_on_a_gpu(name, genome, policy):
    """In the formats that the fused kernel multiplies, every kind of variant, against two passes in float64."""
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    cuda = torch.device("cuda")
    truth = MODELS[name]()
    model = MODELS[name]().float().to(cuda)
    network = delta_network(
        model, "human", None, device=cuda, arithmetic=choose_arithmetic(policy, cuda)
    )
    for kind in KINDS:
        conventions = conventions_of(truth, statistics=("sad", "log_d2"))
        one = [allele(genome, 9_000, kind)]
        plain = by_two_passes(truth, genome, conventions, one)
        scorer = DeltaScorer(network, genome, conventions, batch_alts=4)
        found = scorer.score(one, start_of(truth, conventions, one))
        for statistic, values in plain[0].items():
            error = np.linalg.norm(found[0][statistic] - values) / np.linalg.norm(values)
            print(f"{name} {policy} {kind} {statistic}: relative L2 {error:.1e}")
            assert error < {"exact": 2e-4, "fast": 0.05}[policy]


def assert_same(plain, differences, bound=1e-9, *, may_be_nothing=False):
    for one, other in zip(plain, differences, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            norm = np.linalg.norm(one[name])
            assert norm > 0 or may_be_nothing, name
            assert np.linalg.norm(other[name] - one[name]) <= bound * norm, name


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_variant_and_statistic(model, genome, kind):
    assert_same(
        *both(
            model, genome, conventions_of(model, shifts=(0, 1, -3)), [allele(genome, 9_000, kind)]
        )
    )


def test_in_float32_js_keeps_its_digits_where_a_peak_vanishes_on_both_strands(genome):
    model = small_enformer()
    model.heads["human"].weight.mul_(12)  # predictions from 1e-20 to 100
    conventions = conventions_of(model, statistics=("js",), strands="both")
    alleles = [allele(genome, 15_000, "deletion"), allele(genome, 15_000, "snv")]
    (plain, _) = by_two_passes(model, genome, conventions, alleles)
    single = Arithmetic(reference=torch.float32, delta=torch.float32)
    network = delta_network(model.float(), "human", None, device=CPU, arithmetic=single)
    scorer = DeltaScorer(network, genome, conventions, batch_alts=2)
    (found, _) = scorer.score(alleles, start_of(model, conventions, alleles))
    np.testing.assert_allclose(found["js"], plain["js"], rtol=1e-4)


@pytest.mark.parametrize("rule", INDEL_RULES)
@pytest.mark.parametrize(
    "kind", ["snv", "insertion", "long_insertion", "deletion", "long_deletion", "delins"]
)
def test_every_indel_rule_on_both_strands(model, genome, rule, kind):
    conventions = conventions_of(model, indel_rule=rule, statistics=("sad", "log_d2", "sax"))
    assert_same(*both(model, genome, conventions, [allele(genome, 12_345, kind)]))


@pytest.mark.parametrize("start", [0, 5, 700, 29_400, 29_985])
@pytest.mark.parametrize("kind", ["snv", "insertion", "deletion"])
def test_windows_over_the_ends_of_a_contig(model, genome, start, kind):
    assert_same(*both(model, genome, conventions_of(model), [allele(genome, start, kind)]))


@pytest.mark.parametrize(
    "how",
    [
        {"strands": "forward"},
        {"central_bins": 4},
        {"centre_mask_bp": 501},
        {"shifts": (2,)},
        {"central_bins": 3, "max_offset_bp": 256, "indel_rule": "stitched"},
        {"centre_mask_bp": 300, "max_offset_bp": 256},
        {"shifts": (0, 2), "average_shifts": "scores"},
        {"shifts": (0, 2), "average_shifts": "scores", "indel_rule": "compensated"},
        {"central_bins": 3, "max_offset_bp": 256, "indel_rule": "compensated"},
    ],
)
def test_bins_strands_and_shifts(model, genome, how):
    for kind in ("snv", "deletion"):
        assert_same(
            *both(model, genome, conventions_of(model, **how), [allele(genome, 9_111, kind)])
        )


def test_heads_and_tracks(model, genome):
    one = [allele(genome, 9_000, "snv")]
    conventions = conventions_of(model)
    mouse = both(model, genome, conventions, one, head="mouse")
    assert_same(*mouse)
    some = both(model, genome, conventions, one, tracks=(4, 1))
    assert_same(*some)
    every = both(model, genome, conventions, one)[1][0]["sad"]
    np.testing.assert_allclose(some[1][0]["sad"], every[[4, 1]], rtol=1e-9)


@pytest.mark.parametrize(
    ("tracks", "pairs"),
    [
        (None, (1, 0, 2, 4, 3)),
        # all that are exchanged with one another, and one without the other strand
        ((3, 4, 2), (4, 3, 2)),
        ((4, 1), (3, 0)),
        ((2, 0), (2, 1)),
    ],
)
def test_strands_change_places(model, genome, tracks, pairs):
    how = {"tracks": tracks, "pairs": pairs}
    alleles = [allele(genome, 9_000, kind) for kind in ("snv", "deletion", "insertion")]
    for rule in INDEL_RULES:
        conventions = conventions_of(model, indel_rule=rule, shifts=(0, 1))
        exchanged = both(model, genome, conventions, alleles, **how)
        assert_same(*exchanged)
    unpaired = by_differences(model, genome, conventions, alleles, tracks=tracks)[0]["sad"]
    moved = np.abs(exchanged[1][0]["sad"] - unpaired)
    own = range(5) if tracks is None else tracks
    is_paired = np.array([pair != track for pair, track in zip(pairs, own, strict=True)])
    # of a track that is its own pair nothing changes, not even a digit
    assert (moved[~is_paired] == 0).all()
    assert (moved[is_paired] > 1e-3 * np.abs(unpaired).max()).all()


@given(
    offsets=st.lists(st.integers(-320, 319), min_size=1, max_size=4),
    kind=st.sampled_from(list(KINDS)),
)
@settings(max_examples=12)
def test_shared_windows_equal_each_window_scored_alone(model, genome, offsets, kind):
    conventions = conventions_of(model, max_offset_bp=320, statistics=("sad", "log_sad", "sax"))
    step_bp = 2 * 320 // model.geometry.token_bp * model.geometry.token_bp
    centre = 20 * step_bp + conventions.centre_index
    alleles = [allele(genome, centre + offset, kind) for offset in offsets]
    # a letter that no maximum listens to changes nothing
    assert_same(*both(model, genome, conventions, alleles), may_be_nothing=True)


def test_a_score_does_not_depend_on_its_neighbours_or_the_batch(model, genome):
    conventions = conventions_of(model, max_offset_bp=320)
    centre = 20 * 640 + conventions.centre_index
    alleles = [
        allele(genome, centre + offset, kind) for kind in KINDS for offset in range(-300, 300, 150)
    ]
    scored = {
        batch: by_differences(model, genome, conventions, alleles, batch_alts=batch)
        for batch in (1, 7, 64)
    }
    # routines of a GPU follow the size of a batch, and with it the last digits
    tolerance = 0 if place_of(model).type == "cpu" else 1e-10
    for batch in (7, 64):
        for alone, together in zip(scored[1], scored[batch], strict=True):
            for name in alone:
                np.testing.assert_allclose(together[name], alone[name], rtol=tolerance, atol=0)


def test_an_alternate_equal_to_the_reference_scores_nothing(model, genome):
    ref = "".join("ACGTN"[code] for code in genome.fetch("c", 9_000, 9_003))
    scores = both(model, genome, conventions_of(model), [Allele("c", 9_000, ref, ref)])[1][0]
    assert all((values == 0).all() for values in scores.values())


def test_out_of_memory_halves_the_batch_and_goes_on(genome, monkeypatch):
    model = small_enformer()
    conventions = conventions_of(model, max_offset_bp=320)
    centre = 20 * 640 + conventions.centre_index
    alleles = [allele(genome, centre + offset, "snv") for offset in range(-300, 300, 60)]
    network = delta_network(model, "human", None, device=CPU, arithmetic=FLOAT64)
    scorer = DeltaScorer(network, genome, conventions, batch_alts=10)
    plain = scorer.score(alleles, 20 * 640)
    advance, tried = network.trunk.propagate, []

    def tight(x, d, bins):
        tried.append(len(d))
        if len(d) > 3:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:1] DefaultCPUAllocator: can't allocate memory"
            )
        return advance(x, d, bins)

    monkeypatch.setattr(network.trunk, "propagate", tight)
    for one, other in zip(plain, scorer.score(alleles, 20 * 640), strict=True):
        np.testing.assert_array_equal(one["sad"], other["sad"])
    assert tried[:4] == [10, 5, 2, 2]
    assert scorer.batch_alts == 2


def test_what_does_not_fit_alone_is_an_error(genome, monkeypatch):
    model = small_enformer()
    network = delta_network(model, "human", None, device=CPU, arithmetic=FLOAT64)
    scorer = DeltaScorer(network, genome, conventions_of(model), batch_alts=1)

    def full(*args):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(network.trunk, "propagate", full)
    with pytest.raises(torch.OutOfMemoryError):
        scorer.score([allele(genome, 9_000, "snv")], 9_000 - 3071)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"max_offset_bp": 320, "central_bins": 4},
        {"indel_rule": "compensated", "shifts": (0, 2), "average_shifts": "scores"},
    ],
)
def test_effects_hold_the_scores_and_the_profiles_that_they_are_made_of(model, genome, how):
    conventions = conventions_of(model, statistics=("sad", "log_d2"), **how)
    alleles = [allele(genome, 9_000, "deletion"), allele(genome, 9_000, "snv")]
    start = start_of(model, conventions, alleles)
    bins = conventions.scored_bins(conventions.offset_bp(9_000, start))
    network = delta_network(model, "human", None, device=place_of(model), arithmetic=FLOAT64)
    predictor = SequencePredictor(model, "human", None, conventions, place_of(model), torch.float64)
    for scorer in (
        DeltaScorer(network, genome, conventions, batch_alts=2),
        DirectScorer(predictor, genome),
    ):
        plain = DirectScorer(predictor, genome)
        scores = scorer.score(alleles, start)
        for effect, scored, one in zip(
            scorer.effects(alleles, start), scores, alleles, strict=True
        ):
            for name, values in scored.items():
                assert np.array_equal(effect.scores[name], values)
            r, d = plain.profiles(one, start)
            assert effect.reference.shape == (bins.stop - bins.start, 5)
            assert np.allclose(effect.reference, r.cpu(), rtol=1e-6)
            assert np.allclose(effect.difference, d.cpu(), rtol=1e-6, atol=1e-12)
            assert np.allclose(effect.difference.sum(axis=0), scored["sad"], rtol=1e-4)
