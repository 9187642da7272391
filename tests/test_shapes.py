"""The shape checker is on: a wrong shape fails in tests, wherever it would pass silently otherwise."""

import pytest
import torch
from jaxtyping import TypeCheckError

from enformer_core.scoring.statistics import compute


def test_a_wrong_shape_is_caught():
    with pytest.raises(TypeCheckError):
        compute(torch.ones(4, 3), torch.ones(4, 2), ["sad"])
