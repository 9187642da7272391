"""The demonstration's answers, worked out without it: sites found by regular expressions, attention summed by hand."""

import re
from math import log

import numpy as np
import pytest
import torch

from enformer_core.genome.alphabet import decode, encode, reverse_complement
from enformer_core.models.layers import one_hot
from enformer_core.models.motif import motif_model
from enformer_core.models.motif_core_spec import CORE_MOTIFS
from enformer_core.models.motif_spec import EXPRESSIONS, IUPAC, MOTIFS, motif_tracks

NAMES = [motif.name for motif in MOTIFS]

TOKENS, CROP = 1536, 320


@pytest.fixture(scope="module")
def model():
    return motif_model().requires_grad_(requires_grad=False)


def predict(model, codes, head="human"):
    with torch.inference_mode():
        return (
            model(one_hot(torch.from_numpy(codes.copy())[None], torch.float32), head)[0]
            .double()
            .numpy()
        )


def background(seed=0):
    """Random letters in which no motif happens to have a site."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 4, 196_608, dtype=np.uint8)
    while True:
        text = decode(codes)
        found = [at for motif in MOTIFS for at, _ in sites(text, motif)]
        if not found:
            return codes
        for at in found:
            codes[at : at + 15] = random.integers(0, 4, codes[at : at + 15].size)


def sites(text, motif):
    """Starts of a motif's sites, and whether it reads forward there; a palindrome's are all forward."""
    strands = {motif.reverse_complement: False, motif.consensus: True}
    return [
        (match.start(), forward)
        for strand, forward in strands.items()
        for match in re.finditer(
            "(?=" + "".join(f"[{IUPAC[letter]}]" for letter in strand) + ")", text
        )
    ]


def plant(codes, at, letters):
    planted = codes.copy()
    planted[at : at + len(letters)] = encode(letters)
    return planted


def a_site(motif):
    return "".join(IUPAC[letter][-1] for letter in motif.consensus)


def softplus(x):
    return np.logaddexp(0, x)


def oracle(text, motifs=MOTIFS):
    """All tracks in all bins, from the sites alone."""
    counts = np.zeros((TOKENS, len(motifs)))
    for number, motif in enumerate(motifs):
        width = len(motif.consensus)
        forward = (
            15 - width
        ) // 2  # where a consensus begins in its kernel of 15, whose middle sees the site
        reverse = 15 - width - forward
        for at, is_forward in sites(text, motif):
            begins = (
                (forward, reverse)
                if motif.palindromic
                else (forward,)
                if is_forward
                else (reverse,)
            )
            for begin in begins:
                counts[(at - begin + 7) // 128, number] += 1 / len(begins)
    bins = slice(CROP, TOKENS - CROP)
    tracks = [softplus(18 * counts[bins, number] - 8) for number in range(len(motifs))]
    distance = np.abs(np.arange(TOKENS)[:, None] - np.arange(TOKENS)[None])
    mean = counts.sum(axis=1) / 12
    deviation = np.sqrt((2 * 64.0**2 + (counts**2).sum(axis=1)) / 12 - mean**2 + 1e-5)
    for expression in EXPRESSIONS:
        weights = np.exp(-expression.decay * log(2) * np.floor(np.log2(distance + 1)))
        weights /= weights.sum(axis=1, keepdims=True)
        chosen = [NAMES.index(name) for name in expression.motifs]
        values = counts[:, chosen].sum(axis=1) * 64 * np.sqrt(1 / 6) / deviation
        tracks.append(softplus(60 * (weights @ values)[bins] - 3))
    return np.stack(tracks, axis=1)


@pytest.mark.parametrize("motif", MOTIFS, ids=NAMES)
@pytest.mark.parametrize("strand", ["forward", "reverse"])
def test_a_site_made_has_a_sad_of_ten_on_its_own_track(model, motif, strand):
    site = (
        a_site(motif) if strand == "forward" else decode(reverse_complement(encode(a_site(motif))))
    )
    without = background()
    difference = (predict(model, plant(without, 98_300, site)) - predict(model, without)).sum(
        axis=0
    )
    expected = np.zeros(len(MOTIFS))
    expected[NAMES.index(motif.name)] = softplus(18 - 8) - softplus(-8)
    np.testing.assert_allclose(difference[: len(MOTIFS)], expected, atol=1e-3)
    for number, expression in enumerate(EXPRESSIONS):
        assert (difference[len(MOTIFS) + number] > 0.5) == (motif.name in expression.motifs)


def test_a_wrong_base_or_n_breaks_a_site(model):
    without = background()
    for letters in ("ATTGCGCAAG", "ATTGCNCAAT"):
        difference = predict(model, plant(without, 98_300, letters)) - predict(model, without)
        assert np.abs(difference[:, NAMES.index("CEBP")]).max() < 1e-6


def test_every_track_follows_from_the_sites(model):
    codes = background(1)
    random = np.random.default_rng(2)
    for _ in range(40):
        motif = MOTIFS[random.integers(len(MOTIFS))]
        site = encode(a_site(motif))
        codes = plant(
            codes,
            int(random.integers(0, 196_500)),
            decode(site if random.random() < 0.5 else reverse_complement(site)),
        )
    found, expected = predict(model, codes), oracle(decode(codes))
    assert expected[:, :6].max() > 9
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


def test_a_sequence_and_its_reverse_complement_give_mirrored_predictions(model):
    codes = plant(plant(background(3), 100_000, a_site(MOTIFS[2])), 90_000, a_site(MOTIFS[0]))
    np.testing.assert_allclose(
        predict(model, reverse_complement(codes))[::-1], predict(model, codes), atol=2e-6
    )


def test_expression_falls_with_distance_as_contacts_do(model):
    without = background()
    base = predict(model, without)
    at = (CROP + 448) * 128 + 60
    change = (predict(model, plant(without, at, a_site(MOTIFS[2]))) - base)[448:, len(MOTIFS)]
    distance = np.arange(len(change))
    weight = 2.0 ** -np.floor(np.log2(distance + 1))
    normaliser = [
        sum(2.0 ** -np.floor(np.log2(abs(i - j) + 1)) for j in range(TOKENS))
        for i in CROP + 448 + distance
    ]
    expected = softplus(60 * weight / np.array(normaliser) - 3) - softplus(-3)
    np.testing.assert_allclose(change, expected, rtol=1e-3, atol=1e-6)
    assert change[0] > 10 * change[40] > 0


def test_nothing_at_all_is_background(model):
    found = predict(model, np.full(196_608, 4, dtype=np.uint8))
    np.testing.assert_allclose(found[:, : len(MOTIFS)], softplus(-8), atol=1e-6)
    np.testing.assert_allclose(found[:, len(MOTIFS) :], softplus(-3), atol=1e-6)


def test_both_heads_have_the_same_named_tracks(model):
    codes = background()
    np.testing.assert_array_equal(predict(model, codes, "mouse"), predict(model, codes))
    tracks = motif_tracks("mouse")
    assert [track.identifier for track in tracks.rows][:2] == ["motif-CTCF", "motif-GATA1"]
    assert all(track.description.startswith("DEMO:") for track in tracks.rows)
    assert all("not a trained model" in track.description for track in tracks.rows)
    assert len(tracks.rows) == 8


def test_cores_are_counted_likewise():
    """`motif_core` differs in what it looks for, and in nothing else."""
    cores = motif_model(CORE_MOTIFS).requires_grad_(requires_grad=False)
    codes = np.random.default_rng(4).integers(0, 4, 196_608, dtype=np.uint8)
    found, expected = predict(cores, codes), oracle(decode(codes), CORE_MOTIFS)
    sites_of_gata1 = np.logaddexp(0, 18 * np.arange(4) - 8)
    assert np.isclose(expected[:, 1:2], sites_of_gata1).any(axis=0).all()  # from none to three
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)
