"""Flashzoi in its published size, and its files told from Borzoi's, whose names they share."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models import registry
from enformer_core.models.borzoi import Borzoi
from enformer_core.models.borzoi_spec import RotarySize
from enformer_core.models.flashzoi_spec import SPEC
from enformer_core.models.registry import ModelSource, recognise
from enformer_core.models.rotary_attention import RotaryAttention
from enformer_core.models.weights.source import open_weights
from tests.models.weights.test_borzoi_names import NARROW, port_state

pytestmark = pytest.mark.usefixtures("one_thread")

ATTENTION = "transformer.{}.0.fn.1.{}"
SMALL = replace(
    SPEC,
    # a token has 14 channels: two heads of queries, each 7 wide, one of keys
    config=replace(NARROW.config, rotary=RotarySize(key_heads=1, rotated_channels=4)),
    operations=None,
)


def small_state() -> dict[str, Tensor]:
    """The port's file of a narrow Borzoi, with Flashzoi's attention."""
    of_distances = ("rel_", "to_q.", "to_k.", "to_v.", "to_rel_k.", "to_out.")
    state = {
        name: tensor
        for name, tensor in port_state().items()
        if not name.partition(".0.fn.1.")[2].startswith(of_distances)
    }
    torch.manual_seed(0)
    for layer in range(2):
        state[ATTENTION.format(layer, "mha.Wqkv.weight")] = torch.randn(28, 14)
        state[ATTENTION.format(layer, "mha.Wqkv.bias")] = torch.randn(28)
        state[ATTENTION.format(layer, "mha.out_proj.weight")] = torch.randn(14, 14)
        state[ATTENTION.format(layer, "mha.out_proj.bias")] = torch.randn(14)
        state[ATTENTION.format(layer, "mha.rotary_emb.inv_freq")] = torch.ones(2)
    return state


def saved(folder: Path, state: dict[str, Tensor]) -> str:
    path = folder / "model.safetensors"
    save_file(state, path)
    return str(path)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.SPECS, "flashzoi", SMALL)
    monkeypatch.setitem(registry.SPECS, "borzoi", NARROW)


def test_the_published_size():
    network = SPEC.empty_network({"human": 7611})
    held = network.state_dict()
    # Borzoi's 185,917,723, and 772,096 more in each layer's attention
    assert sum(tensor.numel() for tensor in held.values() if tensor.ndim) == 192_094_491
    by_name = SPEC.published_state(held)
    shapes = {
        "mha.Wqkv.weight": (3072, 1536),
        "mha.Wqkv.bias": (3072,),
        "mha.out_proj.weight": (1536, 1536),
        "mha.out_proj.bias": (1536,),
    }
    for layer in range(8):
        of_layer = {name for name in by_name if name.startswith(ATTENTION.format(layer, ""))}
        assert of_layer == {ATTENTION.format(layer, name) for name in shapes}
        for name, shape in shapes.items():
            assert by_name[ATTENTION.format(layer, name)].shape == shape
    attention = network.transformer[7].attention
    assert (attention.key_channels, attention.key_heads, attention.rotated_channels) == (
        192,
        4,
        128,
    )
    assert {block.attention_norm.eps for block in network.blocks().trunk.layers} == {1e-3}


def test_a_file_of_the_port_is_told_from_borzois(small, tmp_path):
    path = saved(tmp_path, small_state())
    content = open_weights(path)
    assert recognise(content) == "flashzoi"
    loaded = SMALL.load(content)
    left_out = [name for name, why in loaded.left_out.items() if why == "follows from the sizes"]
    assert left_out == [ATTENTION.format(layer, "mha.rotary_emb.inv_freq") for layer in range(2)]
    network = ModelSource("flashzoi", path).build(torch.device("cpu"))
    assert isinstance(network, Borzoi)
    attention = network.transformer[1].attention
    assert isinstance(attention, RotaryAttention)
    expected = small_state()[ATTENTION.format(1, "mha.Wqkv.weight")]
    assert torch.equal(attention.to_qkv.weight, expected)
    with pytest.raises(InputError, match=r"holds weights of flashzoi .*mha.*asked for is borzoi"):
        ModelSource("borzoi", path).build(torch.device("cpu"))


def test_borzois_file_is_refused_by_name(small, tmp_path):
    path = saved(tmp_path, port_state())
    assert recognise(open_weights(path)) == "borzoi"
    with pytest.raises(InputError, match=r"holds weights of borzoi .* asked for is flashzoi"):
        ModelSource("flashzoi", path).build(torch.device("cpu"))


def test_written_names_are_those_of_the_port(small, tmp_path):
    loaded = SMALL.load(open_weights(saved(tmp_path, small_state())))
    again = SMALL.published_state(loaded.state)
    derived = ("num_batches_tracked", "inv_freq")
    assert set(again) == {name for name in small_state() if not name.endswith(derived)}


@pytest.mark.parametrize(
    ("name", "tensor", "refusal"),
    [
        (
            "mha.Wqkv.weight",
            torch.zeros(42, 14),
            r"has shape \(42, 14\), the model wants \(28, 14\)",
        ),
        ("mha.Wqkv.bias", torch.zeros(28).half(), "is float16, the model wants float32"),
        ("mha.inner", torch.zeros(3), r"has the unknown 1 of its names .*mha\.inner"),
    ],
)
def test_what_does_not_fit_is_refused(small, tmp_path, name, tensor, refusal):
    path = saved(tmp_path, small_state() | {ATTENTION.format(0, name): tensor})
    with pytest.raises(InputError, match=refusal):
        ModelSource("flashzoi", path).build(torch.device("cpu"))


def test_sizes_come_from_no_file(small, tmp_path):
    path = saved(tmp_path, small_state())
    with pytest.raises(InputError, match="model flashzoi has one size; leave out --params"):
        ModelSource("flashzoi", path, params="params.json")
