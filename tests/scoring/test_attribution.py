"""Gradients by pieces are those of the whole network, on either strand, for any number of groups; and attention."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from enformer_core.genome.alphabet import reverse_complement
from enformer_core.models.borzoi import Borzoi
from enformer_core.models.borzoi_spec import RotarySize
from enformer_core.models.layers import one_hot
from enformer_core.scoring.attribution import Attributor, halo_tokens
from enformer_core.scoring.delta.spans import mirrored
from tests.support.small_models import (
    BORZOI,
    randomised,
    small_basenji2,
    small_borzoi,
    small_enformer,
)

GROUPS = [(1, 3), (0,), (0, 1, 2, 3, 4)]

BINS = range(9, 12)


def small_rotary():
    """The same with rotary attention: a token has 24 channels, each of two heads 12."""
    rotary = RotarySize(key_heads=1, rotated_channels=8)
    return randomised(Borzoi(replace(BORZOI, rotary=rotary)))


MODELS = pytest.mark.parametrize(
    "make", [small_enformer, small_basenji2, small_borzoi, small_rotary]
)


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
    # 259 bp with a stem 15 wide are three tokens of 128 bp, 255 bp with one 7 wide two
    assert halo_tokens(network) >= 2
    whole = attributor(network).attribute(codes, BINS).gradients
    monkeypatch.setattr("enformer_core.scoring.attribution.halo_tokens", lambda network: 1)
    assert not np.allclose(attributor(network).attribute(codes, BINS).gradients, whole, rtol=1e-9)


@MODELS
def test_the_reverse_complement_gives_the_turned_vector(make):
    """Bins 9 … 12 of 20 lie at 8 … 11 from the other end, and with both strands nothing else is left to differ."""
    network = make()
    codes = codes_of(network)
    both = attributor(network, strands="both")
    there = both.attribute(codes, range(9, 12))
    turned_bins = mirrored(range(9, 12), network.geometry.bins)
    back = both.attribute(reverse_complement(codes), turned_bins)
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


def test_of_a_reverse_complement_the_other_strands_tracks_are_attributed():
    """Tracks 0 and 1 are a pair, and 2 and 4; 3 is of both strands."""
    network = small_borzoi()
    codes = codes_of(network)
    other = [(0, 3), (1,), (1, 0, 4, 3, 2)]
    found = attributor(network, strands="both", complement_groups=other).attribute(codes, BINS)
    turned_bins = mirrored(BINS, network.geometry.bins)
    for number, (tracks, exchanged) in enumerate(zip(GROUPS, other, strict=True)):
        there, by_letter = plainly(network, codes, BINS, tracks)
        back, turned = plainly(network, reverse_complement(codes), turned_bins, exchanged)
        np.testing.assert_allclose(found.objectives[number], (there + back) / 2, rtol=1e-12)
        mean = (by_letter + turned[::-1, ::-1]) / 2
        np.testing.assert_allclose(found.gradients[number], mean, rtol=1e-9, atol=1e-15)
    alike = attributor(network, strands="both").attribute(codes, BINS)
    assert not np.allclose(alike.objectives[:2], found.objectives[:2], rtol=1e-3)


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


def test_bins_attend_as_the_tokens_do_in_which_they_lie():
    network = small_borzoi()
    codes = codes_of(network)
    # 55 bins are cropped: bins 9, 10 and 11 are 64, 65 and 66, in token 16, and with 13 they reach into token 17
    x, _ = network._read(one_hot(torch.from_numpy(codes)[None], torch.float64))
    layer = network.transformer[0]
    weights = layer.attention.logits(layer.attention_norm(x)).softmax(-1)[0]
    watching = attributor(network, attention=True)
    for bins, tokens in ((range(9, 12), slice(16, 17)), (range(9, 14), slice(16, 18))):
        found = watching.attribute(codes, bins).attention
        assert found.shape == (3, 48)
        np.testing.assert_allclose(found[0], weights[:, tokens].mean(dim=(0, 1)), rtol=1e-9)
