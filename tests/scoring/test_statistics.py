"""Statistics of two bins and two tracks, worked out beside the expected values; and identities between them."""

from math import log, log2, sqrt

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.scoring import statistics
from enformer_core.scoring.statistics import STATISTICS, LastReference, Reference, compute

REF = torch.tensor([[1.0, 3.0], [3.0, 0.0]], dtype=torch.float64)

ALT = torch.tensor([[3.0, 3.0], [0.0, 1.0]], dtype=torch.float64)


def of(name, ref=REF, alt=ALT):
    return compute(ref, alt - ref, [name])[name].tolist()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sad", [(3 - 1) + (0 - 3), 1]),
        ("log_sad", [log2(4 / 2) + log2(1 / 4), 0 + log2(2 / 1)]),
        ("d1", [2 + 3, 1]),
        ("log_d1", [1 + 2, 1]),
        ("d2", [sqrt(4 + 9), 1]),
        ("log_d2", [sqrt(1 + 4), 1]),
        ("sax", [-3, 1]),
        ("log_ratio", [log2((1 + 3) / (1 + 4)), log2((1 + 4) / (1 + 3))]),
    ],
)
def test_by_hand(name, expected):
    assert of(name) == pytest.approx(expected, abs=1e-12)


def test_js_by_hand():
    # track 0: ref (1, 3), 25th percentile 1.5 -> ref (2.5, 4.5)/7, alt (4.5, 1.5)/6
    ref, alt = np.array([2.5, 4.5]) / 7, np.array([4.5, 1.5]) / 6
    expected = 0.5 * (np.sum(ref * np.log(ref / alt)) + np.sum(alt * np.log(alt / ref)))
    assert of("js")[0] == pytest.approx(expected, rel=1e-12)


def test_sax_takes_the_first_bin_on_a_tie():
    ref = torch.tensor([[1.0], [1.0]])
    assert of("sax", ref, torch.tensor([[2.0], [0.0]])) == [1.0]
    assert of("sax", ref, torch.tensor([[0.0], [2.0]])) == [-1.0]


def test_equal_predictions_score_zero():
    for name, values in compute(REF, torch.zeros_like(REF), tuple(STATISTICS)).items():
        assert values.tolist() == [0.0, 0.0], name


def test_a_difference_far_below_float32_of_the_prediction_survives():
    ref = torch.full((4, 1), 1000.0)
    difference = torch.full((4, 1), 1e-6)  # alt would round to ref in float32
    scores = compute(ref, difference, ["sad", "log_sad"])
    assert scores["sad"].item() == pytest.approx(4e-6, rel=1e-6)
    assert scores["log_sad"].item() == pytest.approx(4e-6 / 1001 / log(2), rel=1e-6)


@pytest.mark.parametrize("bins", [1, 2, 5, 896])
def test_js_adds_the_percentile_that_torch_finds(bins):
    torch.manual_seed(bins)
    ref = torch.rand(bins, 300)  # more tracks than a step of the formula has
    ref[:, 7] = 0.25  # ties
    exact = ref.double()
    torch.testing.assert_close(
        Reference(ref).raised, exact + exact.quantile(0.25, dim=0), rtol=1e-15, atol=0
    )


def js_of_shares(ref, alt):
    """As it is published: both made to sum to 1, and logarithms of either."""
    quartile = np.quantile(ref, 0.25, axis=0)
    shares, others = (x + quartile for x in (ref, alt))
    shares, others = (x / x.sum(axis=0) for x in (shares, others))
    return 0.5 * ((others - shares) * (np.log(others) - np.log(shares))).sum(axis=0)


@pytest.mark.parametrize(("peak", "silence"), [(100.0, 1e-7), (1000.0, 8e-7)])
def test_js_where_a_peak_vanishes(peak, silence):
    ref = torch.full((6, 1), silence)
    ref[2] = peak
    alt = torch.full((6, 1), silence)
    expected = js_of_shares(ref.double().numpy(), alt.double().numpy())
    found = compute(ref, alt.double() - ref.double(), ["js"])["js"]
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1.0])
def test_js_of_small_changes_and_large(scale):
    torch.manual_seed(0)
    ref = torch.rand(50, 3, dtype=torch.float64)
    change = scale * torch.rand(50, 3, dtype=torch.float64) * ref
    expected = js_of_shares(*(x.numpy().astype(np.longdouble) for x in (ref, ref + change)))
    # of 1e-9 the published form itself keeps few digits
    tolerance = 1e-10 if scale > 1e-6 else 1e-3
    found = compute(ref, change, ["js"])["js"]
    np.testing.assert_allclose(found, expected.astype(float), rtol=tolerance)
    if scale < 1e-6:  # where js grows with the square of the change, without an error of its own
        twice = compute(ref, 2 * change, ["js"])["js"]
        np.testing.assert_allclose(twice, 4 * found, rtol=1e-8)


def test_alts_of_a_reference_share_what_is_made_of_it_and_score_the_same():
    torch.manual_seed(1)
    whole, other = torch.rand(12, 5), torch.rand(12, 5)
    alts = [torch.rand(12, 5) for _ in range(3)]
    known = LastReference()
    for profile, bins in [(whole, slice(2, 9)), (whole, slice(3, 10)), (other, slice(3, 10))]:
        assert known.of(profile, bins) is known.of(profile, slice(bins.start, bins.stop))
        for alt in alts:
            shared = compute(known.of(profile, bins), alt[bins], tuple(STATISTICS))
            alone = compute(profile[bins], alt[bins], tuple(STATISTICS))
            assert all(torch.equal(shared[name], alone[name]) for name in STATISTICS)


profiles = st.lists(st.floats(0.01, 500), min_size=6, max_size=6).map(
    lambda values: torch.tensor(values, dtype=torch.float64).reshape(3, 2)
)


@given(profiles, profiles)
def test_identities(ref, alt):
    forward = compute(ref, alt - ref, tuple(STATISTICS))
    backward = compute(alt, ref - alt, tuple(STATISTICS))
    for name in ("sad", "log_sad", "sax", "log_ratio"):
        torch.testing.assert_close(forward[name].abs(), backward[name].abs(), rtol=1e-9, atol=1e-9)
    for name in ("d1", "log_d1", "d2", "log_d2"):
        torch.testing.assert_close(forward[name], backward[name], rtol=1e-9, atol=1e-9)
    assert torch.all(forward["d1"] + 1e-9 >= forward["sad"].abs())
    assert torch.all(forward["d1"] + 1e-9 >= forward["d2"])
    assert torch.all(forward["d2"] + 1e-9 >= forward["sax"].abs())
    assert torch.all(forward["js"] >= 0)


@pytest.mark.parametrize("name", list(STATISTICS))
def test_statistics_of_many_numbers_are_made_some_tracks_at_a_time(name, monkeypatch):
    torch.manual_seed(3)
    ref, difference = torch.rand(30, 11), 0.1 * torch.rand(30, 11)
    (whole,) = compute(ref, difference, [name]).values()
    seen = []
    formula = statistics._FORMULAS[name]
    watched = lambda pair: (seen.append(pair.difference.shape), formula(pair))[1]  # noqa: E731
    monkeypatch.setitem(statistics._FORMULAS, name, watched)
    monkeypatch.setattr(statistics, "NUMBERS_TOGETHER", 30 * 4 + 1)
    reference = Reference(ref)
    (parts,) = compute(reference, difference, [name]).values()
    assert seen == [(30, 4), (30, 4), (30, 3)]
    torch.testing.assert_close(parts, whole, rtol=1e-12, atol=0)
    # float64 copies of all of it are not kept
    assert "raised" not in vars(reference)


def test_profiles_of_the_published_enformer_are_not_taken_apart():
    assert statistics.NUMBERS_TOGETHER >= 896 * 5_313
    assert len(Reference(torch.zeros(1).expand(896, 5_313)).steps()) == 1
    assert len(Reference(torch.zeros(1).expand(16_352, 7_611)).steps()) == 15
