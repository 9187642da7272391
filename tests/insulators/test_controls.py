"""Controls are like their boundaries by chromosome, G and C, and distance to genes; nothing else decides them."""

from dataclasses import replace

import numpy as np
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import encode
from enformer_core.genome.fasta import Genome
from enformer_core.insulators.composition import STEP_BP, composition
from enformer_core.insulators.controls import (
    NO_MATCH,
    Matching,
    matched_controls,
    nearest_bp,
    surroundings,
)
from tests.support.genomes import write_fasta

WINDOW_BP = 8 * STEP_BP


def letters(gc, length_bp, rng):
    """Bases of which a share is G or C."""
    share = [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2]
    return "".join(rng.choice(list("ACGT"), size=length_bp, p=share))


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Stretches poor and rich in G and C by turns, with a gap; a second contig that is poor throughout."""
    rng = np.random.default_rng(0)
    stretches = [letters(0.3 if place % 2 else 0.6, 20_000, rng) for place in range(20)]
    stretches[5] = "N" * 20_000
    contigs = {"chr1": "".join(stretches), "chr2": letters(0.3, 100_000, rng)}
    return Genome(write_fasta(tmp_path_factory.mktemp("genome") / "g.fa", contigs))


TSS = {"chr1": np.arange(5_000, 400_000, 25_000), "chr2": np.array([50_000])}
BOUNDARIES = {"chr1": np.array([10_000, 51_234, 72_000, 250_000]), "chr2": np.array([40_000])}

MATCHING = Matching(window_bp=WINDOW_BP, gc=0.05, log10_tss=0.2, apart_bp=5_000)


def test_composition_by_hand():
    sums = composition(encode("ACGT" * 32 + "AAAN" * 32 + "GG"))
    gc, known = sums.shares(np.array([0, 1]), 1)
    assert gc.tolist() == [0.5, 0]
    assert known.tolist() == [1, 0.75]
    (gc,), (known,) = sums.shares(np.array([0]), 2)
    assert gc == 64 / 224
    assert known == 224 / 256


def test_composition_is_the_same_in_pieces(monkeypatch):
    codes = np.random.default_rng(1).integers(5, size=1000, dtype=np.uint8)
    whole = composition(codes)
    monkeypatch.setattr("enformer_core.insulators.composition._STEPS_AT_ONCE", 2)
    np.testing.assert_array_equal(composition(codes).gc, whole.gc)
    np.testing.assert_array_equal(composition(codes).known, whole.known)


def test_distances_to_the_nearest_site():
    sites = np.array([10, 20, 90])
    assert nearest_bp(np.array([0, 14, 16, 60, 200]), sites).tolist() == [10, 4, 4, 30, 110]


def test_controls_are_like_their_boundaries(genome):
    for contig, matched in matched_controls(genome, BOUNDARIES, TSS, MATCHING).items():
        assert matched.is_matched.all()
        chosen = matched.controls[:, 0]
        assert len(set(chosen.tolist())) == chosen.size
        sums = composition(genome.codes(contig))
        of_boundaries, of_controls = (
            surroundings(sums, places, np.sort(TSS[contig]), WINDOW_BP)
            for places in (matched.boundaries, chosen)
        )
        assert (np.abs(of_boundaries.gc - of_controls.gc) <= 0.05).all()
        assert (np.abs(of_boundaries.log10_tss - of_controls.log10_tss) <= 0.2).all()
        assert (of_controls.known >= 0.95).all()
        assert (nearest_bp(chosen, np.sort(matched.boundaries)) >= 5_000).all()
        assert not (chosen % STEP_BP).any()
        assert (np.abs(matched.boundaries - BOUNDARIES[contig]) <= STEP_BP // 2).all()


def controls(genome, boundaries=None, **more):
    matching = Matching(**{**vars(MATCHING), **more})
    found = matched_controls(genome, boundaries or BOUNDARIES, TSS, matching)
    return {contig: matched.controls[:, 0].tolist() for contig, matched in found.items()}


def test_the_seed_decides_them_and_other_contigs_do_not(genome):
    assert controls(genome) == controls(genome)
    assert controls(genome, seed=1)["chr1"] != controls(genome)["chr1"]
    alone = controls(genome, {"chr2": BOUNDARIES["chr2"]})
    assert alone["chr2"] == controls(genome)["chr2"]


def test_what_nothing_is_like_has_no_control(genome):
    assert controls(genome, gc=1e-9, log10_tss=1e-9)["chr1"].count(NO_MATCH) >= 3
    # so near to a contig's end that it has no window
    assert controls(genome, {"chr1": np.array([100])})["chr1"] == [NO_MATCH]
    # in the gap
    assert controls(genome, {"chr1": np.array([110_000])})["chr1"] == [NO_MATCH]
    # nowhere is free of boundaries
    assert controls(genome, {"chr2": np.array([50_000])}, apart_bp=60_000)["chr2"] == [NO_MATCH]


@pytest.mark.parametrize(
    ("places", "more", "reason"),
    [
        ([100], {}, "its window of 1,024 bp leaves chr1, or none of its bases is known"),
        ([110_000], {}, "its window of 1,024 bp leaves chr1, or none of its bases is known"),
        (
            [200_000],
            {"apart_bp": 400_000},
            "no place of chr1 with a whole window is at least 400,000 bp from every boundary (--apart-bp)",
        ),
        # no share of so many letters is this one
        ([50_000], {"gc": 0.0}, "a share of G and C within 0 of its 0."),
        ([5_000], {"log10_tss": 0.0}, "a TSS as near as its own, 8 bp, within a factor of 10^0 (--tss-within)"),
        ([50_000], {"least_known": 1.1}, "none has 110% of its window known"),
    ],
)  # fmt: skip
def test_why_a_boundary_has_no_control(genome, places, more, reason):
    matching = Matching(**{**vars(MATCHING), **more})
    matched = matched_controls(genome, {"chr1": np.array(places)}, TSS, matching)["chr1"]
    (found,) = matched.reasons
    assert reason in found


def test_why_the_second_of_two_alike_has_no_control(genome):
    """One place is drawn for each; where it serves the other boundary, that is the reason, and nobody else has one."""
    reasons = set()
    for seed in range(40):
        matching = Matching(**{**vars(MATCHING), "drawn": 1, "seed": seed, "log10_tss": 9.0})
        places = {"chr1": np.array([51_234, 250_000])}
        matched = matched_controls(genome, places, None, matching)["chr1"]
        is_explained = [reason is not None for reason in matched.reasons]
        assert is_explained == (~matched.is_matched).tolist()
        reasons.update(filter(None, matched.reasons))
    taken = "of 2 places drawn on chr1 those that are like it are controls of other boundaries"
    assert f"{taken} (--gc-within)" in reasons


def test_several_controls_for_each(genome):
    """The first are those that are taken where one is asked for."""
    several = matched_controls(genome, BOUNDARIES, TSS, replace(MATCHING, controls=3))
    places = several["chr1"].controls
    assert places[:, 0].tolist() == controls(genome)["chr1"]
    found = places[places != NO_MATCH]
    assert np.unique(found).size == found.size
    assert found.size > 8


def test_without_genes_distances_do_not_count(genome):
    found = matched_controls(genome, BOUNDARIES, None, MATCHING)
    assert all(matched.is_matched.all() for matched in found.values())
    assert found["chr1"].controls[:, 0].tolist() != controls(genome)["chr1"]


def test_on_a_contig_without_genes_boundaries_have_no_control(genome):
    """Those of other contigs have the same as ever."""
    found = matched_controls(genome, BOUNDARIES, {"chr2": TSS["chr2"]}, MATCHING)
    assert not found["chr1"].is_matched.any()
    assert set(found["chr1"].reasons) == {
        "chr1 has no gene, by whose distance controls are matched (--genes)"
    }
    whole = matched_controls(genome, BOUNDARIES, TSS, MATCHING)
    assert found["chr1"].boundaries.tolist() == whole["chr1"].boundaries.tolist()
    assert found["chr2"].controls.tolist() == whole["chr2"].controls.tolist()


def test_what_cannot_be_matched_is_refused(genome):
    with pytest.raises(InputError, match="chr1: has boundaries and no gene"):
        matched_controls(genome, {"chr1": BOUNDARIES["chr1"]}, {"chr2": TSS["chr2"]}, MATCHING)
    with pytest.raises(InputError, match="a window of 1,000 bp: must be a multiple of 256"):
        Matching(window_bp=1_000)
    with pytest.raises(InputError, match="0 places drawn"):
        Matching(window_bp=256, drawn=0)
    with pytest.raises(InputError, match="--controls 0: must be between 1 and 100"):
        Matching(window_bp=256, controls=0)
    for apart_bp in (-5, 0):
        with pytest.raises(InputError, match=f"--apart-bp {apart_bp}: must be at least 1"):
            Matching(window_bp=256, apart_bp=apart_bp)
    with pytest.raises(InputError, match=r"--gc-within -1\.0: must not be below 0"):
        Matching(window_bp=256, gc=-1.0)
