"""Whole windows predicted, of one strand or of both."""

import numpy as np
import pytest
import torch

from enformer_core.errors import InputError
from enformer_core.evaluate.window_predictions import WindowPredictor
from enformer_core.genome.alphabet import encode

CPU = torch.device("cpu")


def network(letters: torch.Tensor, head: str, tracks: torch.Tensor) -> torch.Tensor:
    """Bins of two bases; tracks count A and G, and C and T of the second base of each twice."""
    assert head == "human"
    weights = torch.tensor([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]).T
    counts = letters @ weights
    bins = counts[:, ::2] + 2 * counts[:, 1::2]
    return bins[:, :, tracks]


def predicted(tracks, opposite=None) -> list:
    codes = encode("ACGTAANG")
    return WindowPredictor(network, "human", tracks, CPU, opposite).predict(codes).tolist()


def test_the_forward_strand_is_read_as_it_is():
    # AC GT AA NG; A counts 1, 0, 3, 0 and G 0, 1, 0, 2
    assert predicted((0, 1)) == [[1, 0], [0, 1], [3, 0], [0, 2]]


def test_the_other_strand_is_turned_and_its_tracks_exchanged():
    # backwards it is CN TT AC GT: of A 0, 0, 1, 0, turned 0, 1, 0, 0; of T 0, 3, 0, 2, turned 2, 0, 3, 0
    assert predicted((0,), (0,)) == [[0.5], [0.5], [1.5], [0]]
    assert predicted((0,), (3,)) == [[1.5], [0], [3], [0]]


def test_what_is_no_number_is_refused():
    def broken(letters, head, tracks):
        return network(letters, head, tracks) * float("nan")

    with pytest.raises(InputError, match="no finite number"):
        WindowPredictor(broken, "human", (0,), CPU).predict(encode("ACGT"))


def test_a_window_is_not_changed():
    codes = encode("ACGTAANG")
    before = codes.copy()
    WindowPredictor(network, "human", (0,), CPU, (0,)).predict(codes)
    np.testing.assert_array_equal(codes, before)
