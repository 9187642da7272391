"""A model computes in float64 with its float32 weights, and nothing of that stays."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from enformer_core.models.layers import one_hot
from enformer_core.scoring.float64 import in_float64
from tests.support.small_models import small_basenji2, small_enformer


def letters(length: int) -> Tensor:
    codes = np.random.default_rng(3).integers(0, 4, size=(1, length), dtype=np.uint8)
    return one_hot(torch.from_numpy(codes), torch.float64)


@pytest.mark.parametrize("made", [small_enformer, small_basenji2])
def test_it_is_the_same_as_a_copy_in_float64(made) -> None:
    model = made().float()
    twin = copy.deepcopy(model).double()
    before = dict(model.state_dict(keep_vars=True))
    sequence = letters(model.geometry.window_bp)
    with torch.inference_mode():
        rounded = model(sequence.float(), "human", None)
    with torch.inference_mode(), in_float64(model):
        found = model(sequence, "human", None)
        some = model(sequence, "human", torch.tensor([1]))
    with torch.inference_mode():
        truth = twin(sequence, "human", None)
    assert found.dtype == torch.float64
    assert torch.equal(found, truth)
    assert not torch.equal(found, rounded.double())
    assert torch.allclose(some, truth[..., 1:2], rtol=1e-12)
    after = model.state_dict(keep_vars=True)
    assert all(after[name] is tensor for name, tensor in before.items())  # not even a copy


class Broken(nn.Module):
    """Fails after its layer has run."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        raise ValueError(f"of {self.layer(x).dtype}")


def test_after_an_error_the_weights_are_the_models_own() -> None:
    model = Broken()
    weight = model.layer.weight
    with in_float64(model), pytest.raises(ValueError, match="float64"):
        model(torch.zeros(1, 4, dtype=torch.float64))
    assert model.layer.weight is weight
    with pytest.raises(ValueError, match="float32"):
        model(torch.zeros(1, 4))


class Deep(nn.Module):
    """Counts how many of its layers are of float64 while each runs."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(5))
        self.wide: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


def test_one_layer_at_a_time_is_held_twice() -> None:
    model = Deep()

    def count(*_: object) -> None:
        weights = [block[0].weight for block in model.blocks]
        model.wide.append(sum(weight.dtype == torch.float64 for weight in weights))

    for block in model.blocks:
        block[1].register_forward_hook(count)
    with in_float64(model):
        model(torch.zeros(1, 4, dtype=torch.float64))
    assert model.wide == [1] * 5


def test_a_model_of_float64_is_left_as_it_is() -> None:
    model = nn.Linear(4, 2).double()
    weight = model.weight
    with in_float64(model):
        assert model(torch.zeros(1, 4, dtype=torch.float64)).dtype == torch.float64
        assert model.weight is weight
