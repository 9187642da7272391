"""Borzoi's weights in the layout of its PyTorch port, held against the same weights as Keras keeps them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from enformer_core.errors import InputError
from enformer_core.models.borzoi_spec import SPEC, BorzoiConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.registry import recognise
from enformer_core.models.weights.check import load_parameters
from enformer_core.models.weights.source import open_weights
from tests.support.seeded_borzoi import keras_arrays, keras_layers

pytestmark = pytest.mark.usefixtures("one_thread")

NARROW = replace(
    SPEC,
    config=BorzoiConfig(
        geometry=Geometry(1024, 32, 24, 4),
        stem_channels=6,
        tower_channels=(8, 9, 10, 11, 12, 14),
        layers=2,
        heads=2,
        key_channels=3,
        positional_features=8,
        final_channels=10,
        output_tracks={"human": 5},
    ),
)
"""The published graph, narrow."""


def norm(keras: str) -> dict[str, str]:
    names = {"weight": "gamma", "bias": "beta"}
    names |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
    return {f"norm.{ours}": f"{keras}/{theirs}" for ours, theirs in names.items()}


def port_names() -> dict[str, str]:
    """The port's name of each tensor, and Keras' name of what it holds."""
    found = {f"conv_dna.conv_layer.{one}": f"conv1d/{one}" for one in ("weight", "bias")}
    numbers = [f"res_tower.{number}" for number in (0, 2, 4, 6, 8)]
    for level, place in enumerate([*numbers, "unet1.1"]):
        bn = "batch_normalization" + (f"_{level}" if level else "")
        conv = f"conv1d_{level + 1}"
        found |= {f"{place}.{name}": key for name, key in norm(bn).items()}
        found |= {f"{place}.conv_layer.{one}": f"{conv}/{one}" for one in ("weight", "bias")}
    for layer in range(2):
        place = f"transformer.{layer}"
        attention = "multihead_attention" + (f"_{layer}" if layer else "")
        for part in range(2):
            number = 2 * layer + part
            ln = "layer_normalization" + (f"_{number}" if number else "")
            dense = "dense" + (f"_{number}" if number else "")
            found |= {f"{place}.{part}.fn.0.weight": f"{ln}/gamma"}
            found |= {f"{place}.{part}.fn.0.bias": f"{ln}/beta"}
            mlp = f"{place}.1.fn.{(1, 4)[part]}"
            found |= {f"{mlp}.{one}": f"{dense}/{one}" for one in ("weight", "bias")}
        of_attention = {
            "rel_content_bias": "r_w_bias",
            "rel_pos_bias": "r_r_bias",
            "to_q.weight": "q_layer/kernel",
            "to_k.weight": "k_layer/kernel",
            "to_v.weight": "v_layer/kernel",
            "to_out.weight": "embedding_layer/kernel",
            "to_out.bias": "embedding_layer/bias",
            "to_rel_k.weight": "r_k_layer/kernel",
        }
        for ours, theirs in of_attention.items():
            found[f"{place}.0.fn.1.{ours}"] = f"{attention}/{theirs}"
    for doubling, number in ((0, 1), (1, 0)):
        separable = "separable_conv1d" + (f"_{doubling}" if doubling else "")
        for path, place in enumerate((f"upsampling_unet{number}.0", f"horizontal_conv{number}")):
            bn, dense = (
                f"batch_normalization_{6 + 2 * doubling + path}",
                f"dense_{4 + 2 * doubling + path}",
            )
            found |= {f"{place}.{name}": key for name, key in norm(bn).items()}
            found |= {f"{place}.conv_layer.{one}": f"{dense}/{one}" for one in ("weight", "bias")}
        place = f"separable{number}.conv_layer"
        found[f"{place}.0.weight"] = f"{separable}/depthwise_kernel"
        found[f"{place}.1.weight"] = f"{separable}/pointwise_kernel"
        found[f"{place}.1.bias"] = f"{separable}/bias"
    place = "final_joined_convs.0"
    found |= {f"{place}.{name}": key for name, key in norm("batch_normalization_10").items()}
    found |= {f"{place}.conv_layer.{one}": f"conv1d_7/{one}" for one in ("weight", "bias")}
    return found | {f"human_head.{one}": f"dense_8/{one}" for one in ("weight", "bias")}


def port_state() -> dict[str, torch.Tensor]:
    """The seeded weights as the port keeps them: dense layers beside attention are convolutions of width 1."""
    arrays = keras_arrays(NARROW.config)
    state = {}
    for name, key in port_names().items():
        array = arrays[key if key in arrays else key.replace("/weight", "/kernel")]
        if key.endswith("depthwise_kernel"):
            turned = array.transpose(1, 2, 0)
        elif array.ndim == 4:
            turned = array
        else:
            turned = array.T
        as_convolution = "conv_layer.weight" in name or name == "human_head.weight"
        if as_convolution and turned.ndim == 2:
            turned = turned[..., None]
        state[name] = torch.from_numpy(np.ascontiguousarray(turned))
        if name.endswith("running_var"):
            counter = name.replace("running_var", "num_batches_tracked")
            state[counter] = torch.tensor(7)
    return state


@pytest.fixture(scope="module")
def port_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("port") / "model.safetensors"
    save_file(port_state(), path)
    return path


def test_a_file_of_the_port_gives_what_the_keras_file_does(port_file: Path):
    content = open_weights(str(port_file))
    assert recognise(content) == "borzoi"
    by_port = NARROW.load(content)
    assert sum(reason == "counter of batches" for reason in by_port.left_out.values()) == 11
    layers = keras_layers(keras_arrays(NARROW.config))
    heads = NARROW.config.output_tracks
    by_keras = NARROW.weights.keras.load(
        layers, heads, lambda head: NARROW.empty_network({head: heads[head]})
    )
    assert by_port.state.keys() == by_keras.state.keys()
    for name, tensor in by_keras.state.items():
        assert torch.equal(by_port.state[name], tensor), name
    network = NARROW.empty_network(NARROW.held_heads(by_port.state))
    load_parameters(network, by_port.state, source="port")


def test_published_names_are_those_of_the_port(port_file: Path, tmp_path: Path):
    by_port = NARROW.load(open_weights(str(port_file)))
    again = NARROW.published_state(by_port.state)
    stored = {name for name in load_file(port_file) if not name.endswith("num_batches_tracked")}
    assert set(again) == stored
    # read once more, a dense layer without the axis that the port adds
    save_file(
        {name: tensor.contiguous() for name, tensor in again.items()}, tmp_path / "a.safetensors"
    )
    once_more = NARROW.load(open_weights(str(tmp_path / "a.safetensors")))
    for name, tensor in by_port.state.items():
        assert torch.equal(once_more.state[name], tensor), name


def test_a_file_of_the_port_with_other_attention_is_refused(port_file: Path, tmp_path: Path):
    state = {
        name: tensor for name, tensor in load_file(port_file).items() if ".fn.1.to_q" not in name
    }
    state["transformer.0.0.fn.1.mha.Wqkv.weight"] = torch.zeros(3, 3)
    save_file(state, tmp_path / "flash.safetensors")
    loaded = NARROW.load(open_weights(str(tmp_path / "flash.safetensors")))
    with pytest.raises(InputError, match=r"lacks 2 of its names .*mha\.Wqkv"):
        load_parameters(
            NARROW.empty_network(),
            loaded.state,
            source="flash",
            published=NARROW.weights.names.published,
        )
