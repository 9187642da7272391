"""Differences keep their digits however small an effect is, and whatever all tokens have in common.

Numbers of 16 bits are bfloat16 by name here, which every processor multiplies, if slowly.
"""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from enformer_core.genome.fasta import Genome
from enformer_core.models.attention import Attention
from enformer_core.models.layers import GELU_SLOPE
from enformer_core.models.positional import relative_shift
from enformer_core.scoring.delta import layer_rules
from enformer_core.scoring.delta.attention import attention_difference
from enformer_core.scoring.delta.attention_reference import (
    reference_attention,
    relative_keys,
)
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.windows import Allele, window_start
from tests.scoring.delta import test_engine as engine_tests
from tests.support.small_models import small_enformer, write_genome

EXACT = Arithmetic()
FAST = Arithmetic(delta=torch.bfloat16)
SIZES = [1e-12, 1e-8, 1e-4, 0.3, 1.0, 3.0, 30.0]
"""Of changes, beside activations of order 3."""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(str(write_genome(tmp_path_factory.mktemp("genome") / "g.fa")))


def relative(found, expected):
    return ((found.double() - expected).norm() / expected.norm()).item()


def pairs(size):
    torch.manual_seed(0)
    return torch.randn(40, 24) * 3, torch.randn(40, 24) * size


def silu_truth(x, d):
    """In float64, with what changes written so that it does not cancel where it is small."""
    x, d = x.double(), d.double()
    grown = torch.sigmoid(x) * torch.sigmoid(-x - d) * torch.expm1(d)
    return d * torch.sigmoid(x + d) + x * grown


@pytest.mark.parametrize("size", SIZES)
def test_rules_in_float32_keep_the_digits_of_a_change(size):
    x, d = pairs(size)
    assert relative(layer_rules.silu_difference(x, d), silu_truth(x, d)) < 1e-6
    gate = layer_rules.sigmoid_difference(torch.sigmoid(x), torch.sigmoid(x + d), d)
    wide, change = x.double(), d.double()
    grown = torch.sigmoid(wide) * torch.sigmoid(-wide - change) * torch.expm1(change)
    assert relative(gate, grown) < 1e-6
    low = d.bfloat16()
    expected = silu_truth(GELU_SLOPE * wide, GELU_SLOPE * low.double()) / GELU_SLOPE
    assert relative(layer_rules.gelu_difference(x, low), expected) < 1e-6


def norm_and_truth(x, d):
    """A LayerNorm, and its difference in float64 by a formula of its own."""
    norm = torch.nn.LayerNorm(24).requires_grad_(False)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    centre = x.double() - x.double().mean(dim=-1, keepdim=True)
    moved = d.double() - d.double().mean(dim=-1, keepdim=True)
    before = centre.square().mean(dim=-1, keepdim=True) + norm.eps
    more = (moved * (2 * centre + moved)).mean(dim=-1, keepdim=True)
    # 1 / √b − 1 / √a = (a − b) / (√a √b (√a + √b))
    root, other = before.sqrt(), (before + more).sqrt()
    steeper = -more / (root * other * (root + other))
    return norm, norm.weight.double() * (moved / other + centre * steeper)


@pytest.mark.parametrize("size", SIZES)
def test_layer_norm_in_float32_keeps_the_digits_of_a_change(size, monkeypatch):
    monkeypatch.setattr(layer_rules, "_NORM_TOKENS", 16)  # and is the same in pieces
    x, d = pairs(size)
    norm, expected = norm_and_truth(x, d)
    norm_input = layer_rules.NormInput.of(norm, x)
    found = layer_rules.layer_norm_difference(norm, norm_input, d, torch.float32)
    assert relative(found, expected) < 1e-6
    low = layer_rules.layer_norm_difference(norm, norm_input, d[None], torch.bfloat16)
    assert torch.equal(low[0], found.bfloat16())


def test_layer_norm_of_what_loses_nearly_all_of_its_variance():
    x, _ = pairs(1.0)
    norm = torch.nn.LayerNorm(24).requires_grad_(False)
    norm_input = layer_rules.NormInput.of(norm, x)
    d = -(1 - 1e-3) * x
    found = layer_rules.layer_norm_difference(norm, norm_input, d, torch.float32)
    wide = norm.double()
    assert relative(found, wide((x + d).double()) - wide(x.double())) < 1e-5


def nearly_alike(likeness):
    """A small Enformer, in float32, whose stem reads G as A and a small multiple of what it would be."""
    model = small_enformer().float()
    stem = model.stem.conv.weight.data
    stem[:, 2] = stem[:, 0] + likeness * stem[:, 2]
    return model


def sad_error(genome, likeness, arithmetic):
    """Of one A>G: relative L2 error of SAD, and how large SADs are beside the sums of predictions."""
    model = nearly_alike(likeness)
    conventions = engine_tests.conventions_of(model, statistics=("sad",), strands="forward")
    codes = np.array(genome.fetch("c", 9_000, 9_100))
    one = Allele("c", 9_000 + int(np.flatnonzero(codes == 0)[0]), "A", "G")
    start = window_start(one.start, conventions)
    wide = copy.deepcopy(model).double()
    predictor = SequencePredictor(wide, "human", None, conventions, engine_tests.CPU, torch.float64)
    predicted, difference = DirectScorer(predictor, genome).profiles(one, start)
    truth = difference.sum(dim=0).numpy()
    network = delta_network(model, "human", None, device=engine_tests.CPU, arithmetic=arithmetic)
    scorer = DeltaScorer(network, genome, conventions, batch_alts=1)
    found = scorer.score([one], start)[0]["sad"]
    size = np.abs(truth).max() / predicted.sum(dim=0).numpy().max()
    return np.linalg.norm(found - truth) / np.linalg.norm(truth), size


@pytest.mark.parametrize("arithmetic", [EXACT, FAST], ids=["exact", "fast"])
def test_scores_keep_their_digits_however_small_the_effect(genome, arithmetic):
    """A hundred-millionth of the prediction, of which float32 itself holds no digit."""
    bound = 5e-5 if arithmetic == EXACT else 0.01
    error, _ = sad_error(genome, 1.0, arithmetic)
    assert error < bound
    error, size = sad_error(genome, 1e-6, arithmetic)
    assert size < 3e-8
    assert error < bound


TOKENS = 96


def attention_with_common_part(size):
    """An attention, and what it reads: of keys and values, all tokens have `size` times their own in common."""
    torch.manual_seed(0)
    layer = Attention(64, heads=2, key_channels=16, positional_features=12)
    layer = layer.double().requires_grad_(False)
    for value in layer.parameters():
        value.normal_(0, value.shape[-1] ** -0.5)
    direction = torch.nn.functional.normalize(torch.randn(64, dtype=torch.float64), dim=0)
    # queries do not see it, or one key would take all of them
    layer.to_q.weight -= (layer.to_q.weight @ direction)[:, None] * direction
    own = torch.randn(TOKENS, 64, dtype=torch.float64)
    return layer, own + size * 8 * direction


def changes_of(layer, size=1e-2):
    """Of queries, keys and values, as 16 bits hold them."""
    d = size * torch.randn(TOKENS, 64, dtype=torch.float64)
    dq = layer.split(layer.to_q(d)) * layer.key_channels**-0.5
    return [of.bfloat16() for of in (dq, layer.split(layer.to_k(d)), layer.split(layer.to_v(d)))]


def two_softmaxes(layer, x, changes):
    """Change of what the queries attend to, in float64, from the whole keys and values."""
    dq, dk, dv = (change.double() for change in changes)
    q = layer.split(layer.to_q(x)) * layer.key_channels**-0.5
    k, v = layer.split(layer.to_k(x)), layer.split(layer.to_v(x))
    of_distances = relative_keys(layer, TOKENS)
    logits = layer.logits(x[None])[0]
    dl = (q + layer.rel_content_bias[0] + dq) @ dk.mT + dq @ k.mT
    dl += relative_shift((dq @ of_distances.mT)[None])[0]
    after = (logits + dl).softmax(dim=-1) @ (v + dv)
    return (after - logits.softmax(dim=-1) @ v).transpose(0, 1)


def error_of_a_layer(common=0.0, **change):
    """Relative L2 error of one layer's attention in 16 bits."""
    layer, x = attention_with_common_part(common)
    changes = changes_of(layer, **change)
    expected = two_softmaxes(layer, x, changes)
    layer = layer.float()
    of_distances = relative_keys(layer, TOKENS)
    reference = reference_attention(
        layer, x.float(), (of_distances, of_distances.bfloat16()), range(TOKENS)
    )
    dq, dk, dv = changes
    found = attention_difference(reference, dq, dk, dv.mT.contiguous(), range(0))
    return relative(found, expected)


@pytest.mark.parametrize("size", [0.0, 10.0])
def test_attention_in_16_bits_does_not_see_what_keys_and_values_have_in_common(size):
    assert error_of_a_layer(size) < 0.01


@pytest.mark.parametrize("size", [0.3, 1.0, 2.0, 4.0])
def test_attention_in_16_bits_where_most_weights_change_much(size):
    """As behind an insertion, where another sequence has moved in: logits rise by up to 2, 9, 25 and 85."""
    assert error_of_a_layer(size=size) < 0.01


def test_a_query_that_reads_one_key_alone_reads_the_same_when_its_logit_changes():
    """The sum of a row's changes is that of the rounded ones, and takes all of what they gather away."""
    layer, x = attention_with_common_part(0.0)
    layer = layer.float()
    of_distances = relative_keys(layer, TOKENS)
    reference = reference_attention(
        layer, x.float(), (of_distances, of_distances.bfloat16()), range(TOKENS)
    )
    alone = torch.eye(TOKENS).expand_as(reference.weights)
    reference = replace(
        reference,
        weights=alone,
        low_weights=alone.bfloat16(),
        v=torch.ones_like(reference.v),
        attended=torch.ones_like(reference.attended),
    )
    _, dk, dv = changes_of(layer.double())
    dq = torch.zeros_like(dk)
    found = attention_difference(reference, dq, dk, torch.zeros_like(dv).mT, range(0))
    # of changes of logits of some 0.01, rounding leaves 0.00002
    assert found.abs().max() < 1e-6
