"""Predictions brought back from the scale of training: by hand, and as the reverse of what is done to data."""

import numpy as np
import pytest
import torch

from enformer_core.models.tracks.squashing import Squashing, unsquashed

TRACKS = (
    Squashing(),
    Squashing(clip_soft=4.0),
    Squashing(clip_soft=4.0, sum_stat="sum_sqrt"),
    Squashing(clip_soft=4.0, scale=0.3, sum_stat="mean_sqrt"),
)


def squashed_new(data: np.ndarray, track: Squashing) -> np.ndarray:
    """As data were squashed before training: a root, then the root of what exceeds the soft clip."""
    if track.rooted:
        data = np.sqrt(1 + data) - 1
    clip = track.clip_soft
    if clip is None:
        return data
    return np.where(data > clip, clip - 1 + np.sqrt(np.maximum(data - clip, 0) + 1), data)


def squashed_old(data: np.ndarray, track: Squashing) -> np.ndarray:
    """As those of the published Borzoi were: a power of 3/4, the soft clip, and the scale last."""
    if track.rooted:
        data = data**0.75
    clip = track.clip_soft
    if clip is not None:
        data = np.where(data > clip, clip + np.sqrt(np.maximum(data - clip, 0)), data)
    return data * track.scale


@pytest.mark.parametrize(("form", "squashed"), [("new", squashed_new), ("old", squashed_old)])
def test_it_is_the_reverse_of_what_was_done_to_data(form, squashed):
    data = np.array([0, 1e-6, 0.5, 3.9, 4, 4.1, 20, 3000])
    predictions = np.stack([squashed(data, track) for track in TRACKS], axis=1)
    found = unsquashed(torch.from_numpy(predictions), TRACKS, form).numpy()
    for track, column in zip(TRACKS, found.T, strict=True):
        # in the old form data are scaled last, and their scale is not taken back
        scale = track.scale if form == "old" else 1.0
        np.testing.assert_allclose(column, data * scale, rtol=1e-9)


def test_it_can_be_counted_by_hand():
    # 6 above a soft clip of 4: 3 + 3^2 = 12, and with a root before it 13^2 - 1 = 168
    six = torch.full((1, 3), 6.0)
    assert unsquashed(six, TRACKS[:3]).tolist() == [[6, 12, 168]]
    # the old form: 4 + 2^2 = 8, and 8^(4/3) = 16
    assert unsquashed(six, TRACKS[:3], "old").tolist() == [[6, 8, pytest.approx(16)]]


def test_its_slope_is_one_where_nothing_is_squashed_and_never_lost():
    x = torch.tensor([[0.0, 2.0, 0.0]], dtype=torch.float64, requires_grad=True)
    unsquashed(x, TRACKS[:3]).sum().backward()
    assert x.grad.tolist() == [[1, 1, 2]]
    unsquashed(x, TRACKS[:3], "old").sum().backward()
    assert torch.isfinite(x.grad).all()
