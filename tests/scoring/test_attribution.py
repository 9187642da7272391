"""Gradients by pieces are those of the whole network, on either strand, for any number of groups; and attention."""

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.models.layers import one_hot
from enformer_core.scoring.attribution import Attributor, halo_tokens
from tests.support.small_models import small_basenji2, small_enformer

GROUPS = [(1, 3), (0,), (0, 1, 2, 3, 4)]

BINS = range(9, 12)

MODELS = pytest.mark.parametrize("make", [small_enformer, small_basenji2])


def codes_of(network, seed=0):
    """A window of random letters, some of them N."""
    letters = [0.24] * 4 + [0.04]
    length = network.geometry.window_bp
    return np.random.default_rng(seed).choice(5, length, p=letters).astype(np.uint8)


def attributor(network, **settings):
    given = {"groups": GROUPS, "strands": "forward", "piece_tokens": 7, **settings}
    return Attributor(network, "human", device=torch.device("cpu"), dtype=torch.float64, **given)


def plainly(network, codes, bins, tracks):
    """The mean over bins and tracks, and its gradient by the letters, through the whole network at once."""
    letters = one_hot(torch.from_numpy(codes)[None], torch.float64).requires_grad_()
    logits = network.head("human")(network.embed(letters))
    objective = softplus(logits)[0, bins.start : bins.stop, list(tracks)].mean()
    (gradient,) = torch.autograd.grad(objective, letters)
    return objective.item(), gradient[0].numpy()


@MODELS
def test_pieces_give_the_gradients_of_the_whole_network(make):
    network = make()
    codes = codes_of(network)
    found = attributor(network).attribute(codes, BINS)
    for number, tracks in enumerate(GROUPS):
        objective, gradient = plainly(network, codes, BINS, tracks)
        np.testing.assert_allclose(found.objectives[number], objective, rtol=1e-12)
        np.testing.assert_allclose(found.gradients[number], gradient, rtol=1e-9, atol=1e-15)
    assert found.attention is None


@MODELS
def test_a_halo_that_is_too_small_would_be_seen(make, monkeypatch):
    network = make()
    codes = codes_of(network)
    assert halo_tokens(network) >= 3
    whole = attributor(network).attribute(codes, BINS).gradients
    monkeypatch.setattr("enformer_core.scoring.attribution.halo_tokens", lambda network: 1)
    assert not np.allclose(attributor(network).attribute(codes, BINS).gradients, whole, rtol=1e-9)


@MODELS
def test_the_reverse_complement_gives_the_turned_vector(make):
    """Bins 9 … 12 of 20 lie at 8 … 11 from the other end; with both strands nothing else is left to differ."""
    network = make()
    codes = codes_of(network)
    both = attributor(network, strands="both")
    there = both.attribute(codes, range(9, 12))
    back = both.attribute(reverse_complement(codes), range(8, 11))
    np.testing.assert_allclose(back.objectives, there.objectives, rtol=1e-12)
    turned = back.gradients[:, ::-1, ::-1]
    np.testing.assert_allclose(turned, there.gradients, rtol=1e-9, atol=1e-15)
    # one strand alone is no such mean: the network is none that reads both alike
    forward = attributor(network).attribute(codes, range(9, 12))
    assert not np.allclose(forward.gradients, there.gradients, rtol=1e-3)


def test_both_strands_are_the_mean_of_either():
    network = small_enformer()
    codes = codes_of(network)
    forward = attributor(network).attribute(codes, BINS).gradients
    backwards = attributor(network).attribute(reverse_complement(codes), range(8, 11)).gradients
    both = attributor(network, strands="both").attribute(codes, BINS).gradients
    np.testing.assert_allclose(both, (forward + backwards[:, ::-1, ::-1]) / 2, rtol=1e-12)


def test_groups_share_every_forward_pass(monkeypatch):
    network = small_enformer()
    passes = []
    for part in ("tokens", "embed_tokens"):
        original = getattr(network, part)
        monkeypatch.setattr(
            network, part, lambda x, name=part, run=original: passes.append(name) or run(x)
        )
    codes = codes_of(network)
    counts = []
    for groups in (GROUPS[:1], GROUPS):
        passes.clear()
        attributor(network, groups=groups).attribute(codes, BINS)
        counts.append((passes.count("tokens"), passes.count("embed_tokens")))
    assert counts == [(14, 1), (14, 1)]  # 7 pieces of 48 tokens, without a graph and with one


def test_attention_is_the_mean_over_heads_and_the_bins_of_each_layer():
    network = small_enformer()
    codes = codes_of(network)
    found = attributor(network, attention=True).attribute(codes, BINS).attention
    assert found.shape == (3, 48)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    x = network.tokens(one_hot(torch.from_numpy(codes)[None], torch.float64))
    for row, layer in zip(found, network.transformer, strict=True):
        weights = layer.attention.logits(layer.attention_norm(x)).softmax(-1)
        # bins 9, 10 and 11 are tokens 23, 24 and 25: 14 are cropped at either end
        np.testing.assert_allclose(row, weights[0, :, 23:26].mean(dim=(0, 1)), rtol=1e-9)
        x = layer(x)
    both = attributor(network, attention=True, strands="both")
    turned = both.attribute(reverse_complement(codes), range(8, 11)).attention[:, ::-1]
    np.testing.assert_allclose(both.attribute(codes, BINS).attention, turned, rtol=1e-9)
    assert not network.transformer[0].attention._forward_pre_hooks
