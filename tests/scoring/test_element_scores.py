"""Elements in windows counted by hand; elements replaced, wherever in the window, as two plain passes have it."""

from math import log2

import numpy as np
import pytest
import torch

from enformer_core.genome.alphabet import encode, reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.attention_maps import AttentionMapper
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.element_scores import (
    Element,
    changes_nothing,
    log2_ratios,
    shuffled,
    summed_attention,
    summed_magnitudes,
    without,
)
from enformer_core.scoring.precision import Arithmetic
from tests.support.small_models import small_enformer, write_genome

CPU = torch.device("cpu")


def test_bases_and_tokens_by_hand():
    """2 kb are around the element's own middle, wherever the window's is."""
    element = Element("chr1", 10_100, 10_301)
    assert element.within(10_000) == slice(100, 301)
    assert element.tokens(10_000, ENFORMER) == slice(0, 3)
    assert Element("chr1", 10_128, 10_256).tokens(10_000, ENFORMER) == slice(1, 2)
    # the middle is 10,200: 9,200 to 11,200, of which the window has the part behind 10,000
    assert element.wide(10_000, 196_608) == slice(0, 1_200)
    assert element.wide(0, 196_608) == slice(9_200, 11_200)
    assert element.wide(0, 10_900) == slice(9_200, 10_900)


def test_sums_by_hand():
    contributions = np.array([[1.0, -2.0, 3.0], [0.0, 0.5, -0.5]])
    assert summed_magnitudes(contributions, slice(1, 3)).tolist() == [5, 1]
    attention = np.array([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    assert summed_attention(attention, slice(0, 2)) == pytest.approx((0.3 + 0.6) / 2)
    reference = np.array([[9.0, 9.0, 9.0], [1.0, 3.0, 5.0], [2.0, 4.0, 6.0]], np.float32)
    effect = AlleleEffect(reference, -reference / 2, {})
    # the mean of two tracks, in two bins: 2 + 3 becomes 1 + 1.5
    found = log2_ratios(effect, range(1, 3), [(0, 1), (2,)])
    assert found.tolist() == pytest.approx([log2(3.5 / 6), log2(6.5 / 12)])


def test_what_replaces_an_element():
    element = Element("chr1", 50, 62)
    codes = encode("ACGGTACGTTAC")
    allele = without(element, codes)
    assert (allele.start, allele.ref, allele.alt) == (50, "ACGGTACGTTAC", "N" * 12)
    some = [each.alt for each in shuffled(element, codes, 5, seed=0)]
    assert some == [each.alt for each in shuffled(element, codes, 5, seed=0)]
    assert some[:3] == [each.alt for each in shuffled(element, codes, 3, seed=0)]
    assert some != [each.alt for each in shuffled(element, codes, 5, seed=1)]
    assert some != [each.alt for each in shuffled(Element("chr2", 50, 62), codes, 5, seed=0)]
    assert changes_nothing(without(element, encode("N" * 12)))
    assert not changes_nothing(allele)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(str(write_genome(tmp_path_factory.mktemp("genome") / "g.fa")))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("first", [0, 700, 3_000, 5_800])
def test_anywhere_in_the_window_an_element_is_replaced_as_by_two_passes(genome, first):
    """Far from the centre too, where no variant of a scoring run lies."""
    model = small_enformer()
    geometry = model.geometry
    conventions = Conventions(
        geometry=geometry, statistics=("sad",), centre_index=geometry.window_bp // 2
    )
    start = 9_000
    element = Element("c", start + first, start + first + 300)
    codes = genome.fetch(element.contig, element.start, element.end)
    alleles = [without(element, codes), *shuffled(element, codes, 2, seed=0)]
    arithmetic = Arithmetic(reference=torch.float64, delta=torch.float64)
    network = delta_network(model, "human", None, device=CPU, arithmetic=arithmetic)
    by_differences = DeltaScorer(network, genome, conventions, batch_alts=2)
    predictor = SequencePredictor(model, "human", None, conventions, CPU, torch.float64)
    plain = DirectScorer(predictor, genome)
    for one, other in zip(
        by_differences.effects(alleles, start), plain.effects(alleles, start), strict=True
    ):
        assert one.reference.shape == (geometry.bins, 5)
        assert np.abs(other.difference).max() > 1e-3
        np.testing.assert_allclose(one.difference, other.difference, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("one_thread")
def test_maps_of_attention_are_the_same_from_either_strand(genome):
    model = small_enformer().float()
    geometry = model.geometry
    codes = genome.fetch("c", 5_000, 5_000 + geometry.window_bp)
    both = AttentionMapper(model, CPU, "both").maps(codes)
    assert both.shape == (3, geometry.tokens, geometry.tokens)
    np.testing.assert_allclose(both.sum(axis=2), 1, rtol=1e-5)
    turned = AttentionMapper(model, CPU, "both").maps(reverse_complement(codes))
    np.testing.assert_allclose(both, turned[:, ::-1, ::-1], rtol=1e-5, atol=1e-7)
    forward = AttentionMapper(model, CPU, "forward").maps(codes)
    assert np.abs(forward - both).max() > 1e-3
