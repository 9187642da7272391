"""Roots and soft clips undone of a difference: held against eighty digits, down to what float64 barely has."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.models.tracks.squashing import Squashing, unsquashed
from enformer_core.scoring.unsquashing import LastUnsquashed, Unsquashing

TRACKS = (  # scales are powers of 2, by which nothing is rounded
    Squashing(),
    Squashing(scale=2.0),
    Squashing(clip_soft=5.0),
    Squashing(clip_soft=5.0, sum_stat="sum_sqrt"),
    Squashing(scale=0.5, sum_stat="sum_sqrt"),
    Squashing(clip_soft=5.0, scale=0.5, sum_stat="mean_sqrt"),
)

FORMS = ("new", "old")


def undone(value: Decimal, track: Squashing, form: str) -> Decimal:
    """What baskerville's formulas make of a prediction."""
    clip = Decimal("Infinity") if track.clip_soft is None else Decimal(track.clip_soft)
    if form == "new":
        if value > clip:
            value = clip - 1 + (value - clip + 1) ** 2
        return (value + 1) ** 2 - 1 if track.rooted else value
    scale = Decimal(track.scale)
    value /= scale
    if value > clip:
        value = clip + (value - clip) ** 2
    if track.rooted:
        value = value ** (Decimal(4) / 3) if value else value
    return value * scale


def profiles(x: float, d: float) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (1, len(TRACKS))
    return torch.full(shape, x, dtype=torch.float64), torch.full(shape, d, dtype=torch.float64)


def check(x: float, d: float, form: str) -> None:
    found = Unsquashing(TRACKS, form).difference(*profiles(x, d))[0].tolist()
    with localcontext(prec=80):
        exact = [
            float(undone(Decimal(x) + Decimal(d), track, form) - undone(Decimal(x), track, form))
            for track in TRACKS
        ]
    np.testing.assert_allclose(found, exact, rtol=1e-13)


@given(
    x=st.floats(1e-6, 20),
    share=st.floats(1e-14, 2) | st.floats(-1, -1e-14),
    form=st.sampled_from(FORMS),
)
def test_a_difference_keeps_the_digits_that_it_came_with(x, share, form):
    check(x, max(share * x, -x), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [1e-13, -1e-13, 1e-3, -1e-3, 4.0])
@pytest.mark.parametrize("x", [5.0 - 3e-14, 5.0, 5.0 + 3e-14, 2.5 - 3e-14, 2.5 + 3e-14])
def test_over_the_edge_of_a_clip(x, d, form):
    # in the old form a clip of 5 is passed at 2.5, half of it: the scale is undone first
    check(x, max(d, -x), form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("x", "d"), [(0.0, 1e-9), (0.0, 30.0), (3.0, -3.0), (8.0, -8.0), (1.0, 0.0)]
)
def test_from_nothing_and_to_nothing(x, d, form):
    check(x, d, form)


@pytest.mark.parametrize("form", FORMS)
def test_what_falls_to_almost_nothing_keeps_the_digits_of_what_is_left(form):
    """The difference comes in float64 then, beside a prediction in float32."""
    r, _ = profiles(4.0, 0.0)
    left = 1e-11
    difference = Unsquashing(TRACKS, form).difference(r.float(), left - r)
    brought_back = unsquashed(r, TRACKS, form) + difference
    expected = unsquashed(torch.full_like(r, left), TRACKS, form)
    assert difference.dtype == torch.float64
    np.testing.assert_allclose(brought_back, expected, rtol=1e-2, atol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_in_float32_both_make_up_the_alternate(form):
    random = np.random.default_rng(0)
    r = torch.tensor(random.gamma(0.5, 6, (400, len(TRACKS))), dtype=torch.float32)
    d = (r * torch.tensor(random.uniform(-1, 1, r.shape))).float()
    how = Unsquashing(TRACKS, form)
    alternate = how.prediction(r) + how.difference(r, d)
    wide = unsquashed(r.double() + d.double(), TRACKS, form)
    assert alternate.dtype == torch.float32
    assert float((alternate - wide).norm() / wide.norm()) < 1e-6


def test_a_reference_is_brought_back_once_for_its_alts():
    r, d = profiles(3.0, 0.5)
    last = LastUnsquashed(Unsquashing(TRACKS, "new"))
    first, of_first = last.of(r, d)
    second, of_second = last.of(r, 2 * d)
    assert second is first
    assert (of_second > of_first).all()
    assert last.of(r.clone(), d)[0] is not first
    as_they_are = LastUnsquashed(None).of(r, d)
    assert as_they_are[0] is r
    assert as_they_are[1] is d
