"""Basenji2's published weights: Keras HDF5 files to our parameters.

Reads what Keras 2 wrote by `model.save_weights` or `model.save` (the same tree below /model_weights), such as
model_human.h5 and model_mouse.h5 of calico/basenji. Knows that tree and our names. Does not know TensorFlow's
SavedModel directories (`.tf`), nor how a model is run.
"""

import importlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from enformer_core.errors import InputError
from enformer_core.models.basenji2 import Basenji2, Basenji2Config, ConvBlock
from enformer_core.models.weights.check import Reading

PUBLISHED = Basenji2Config(output_tracks={"human": 5313, "mouse": 1643})
"""The published sizes and the heads of which a published file holds one."""

_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_CONV = {"kernel": "weight"}

_DENSE = {"kernel": "weight", "bias": "bias"}


@dataclass(frozen=True)
class _Layer:
    """A layer of the file that owns weights, by the last part of their names, such as kernel or gamma."""

    name: str
    weights: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class _Slot:
    """A place in our model: its name, our name of each Keras weight, and their shapes as PyTorch keeps them."""

    name: str
    ours: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]


def read_keras_basenji2(
    path: str | os.PathLike[str], config: Basenji2Config = PUBLISHED
) -> dict[str, Tensor]:
    """Parameters of a `Basenji2` from a Keras HDF5 file, in float32 and bit for bit.

    The file's `layer_names` give the order, since HDF5 lists groups alphabetically; layers without weights are ignored,
    as their names vary. Kernels are turned from (width, in, out) to (out, in, width), the dense one from (in, out) to
    (out, in). Keras does not count batches, so there is no `num_batches_tracked`.

    Args:
        path: the HDF5 file.
        config: the sizes to expect; the number of outputs tells which one of its heads the file holds.

    Raises:
        InputError: when h5py is absent; when the file is missing, a directory, damaged or not of this kind; when a
            layer is missing, out of order or of another shape.
    """
    return keras_basenji2_reading(path, config).state


def keras_basenji2_reading(
    path: str | os.PathLike[str], config: Basenji2Config = PUBLISHED
) -> Reading:
    """As `read_keras_basenji2`, with the names that Keras gave.

    Raises:
        InputError: As `read_keras_basenji2`.
    """
    file = Path(path)
    layers = _read_layers(file)
    slots = _slots(config, _head(file, layers, config))
    if len(layers) != len(slots):
        raise InputError(
            f"{file}: {len(layers)} layers with weights, but Basenji2 has {len(slots)}: {len(slots) // 2} "
            "convolutions, each followed by its BatchNorm, and a dense layer. Is this a Basenji2 file?"
        )
    state, names = {}, {}
    for layer, slot in zip(layers, slots, strict=True):
        for weight, ours, tensor in _parameters(file, layer, slot):
            state[ours] = tensor
            names[f"{layer.name}/{weight}"] = ours
    return Reading(state, names)


def config_of(state: Mapping[str, Tensor], config: Basenji2Config = PUBLISHED) -> Basenji2Config:
    """The config of the model that `read_keras_basenji2` read with the same `config`: with the file's one head."""
    heads = {
        head: tracks
        for head, tracks in config.output_tracks.items()
        if f"_heads.{head}.0.bias" in state
    }
    return replace(config, output_tracks=heads)


def _slots(config: Basenji2Config, head: str) -> list[_Slot]:
    """The places to fill, in the order of the Keras layers, which is that of our modules."""
    with torch.device("meta"):
        model = Basenji2(config)
    slots = []
    for name, block in model.named_modules():
        if isinstance(block, ConvBlock):
            slots.append(_Slot(f"{name}.conv", _CONV, {"kernel": tuple(block.conv.weight.shape)}))
            slots.append(
                _Slot(f"{name}.norm", _NORM, dict.fromkeys(_NORM, (block.conv.out_channels,)))
            )
    tracks = config.output_tracks[head]
    slots.append(
        _Slot(
            f"_heads.{head}.0",
            _DENSE,
            {"kernel": (tracks, config.final_channels), "bias": (tracks,)},
        )
    )
    return slots


def _head(file: Path, layers: list[_Layer], config: Basenji2Config) -> str:
    """The head whose number of tracks is that of the last layer's outputs."""
    last = layers[-1]
    if set(last.weights) != set(_DENSE):
        raise InputError(
            f"{file}: the last layer, {last.name}, holds {_listed(last.weights)}, expected kernel, bias"
        )
    outputs = last.weights["bias"].size
    for head, tracks in config.output_tracks.items():
        if tracks == outputs:
            return head
    known = " or ".join(f"{tracks} ({head})" for head, tracks in config.output_tracks.items())
    raise InputError(f"{file}: layer {last.name} has {outputs} outputs, expected {known}")


def _parameters(file: Path, layer: _Layer, slot: _Slot) -> Iterator[tuple[str, str, Tensor]]:
    """The layer's weights: their name, ours, and the values as PyTorch keeps them."""
    if set(layer.weights) != set(slot.ours):
        raise InputError(
            f"{file}: layer {layer.name} holds {_listed(layer.weights)}, but {slot.name} in its place has "
            f"{_listed(slot.ours)}"
        )
    for weight, ours in slot.ours.items():
        array = layer.weights[weight]
        expected = slot.shapes[weight][
            ::-1
        ]  # both kernels and vectors: Keras has the axes in reverse
        if array.shape != expected or array.dtype != np.float32:
            raise InputError(
                f"{file}: layer {layer.name}: {weight} is {array.dtype} {array.shape}, "
                f"but {slot.name} in its place has float32 {expected}"
            )
        yield weight, f"{slot.name}.{ours}", torch.from_numpy(np.ascontiguousarray(array.T))


def _read_layers(file: Path) -> list[_Layer]:
    """The layers that own weights, in the order of the model."""
    if file.is_dir():
        raise InputError(
            f"{file}: a directory, perhaps a TensorFlow SavedModel (.tf), which is not read; "
            "give the HDF5 file of the same model, for example model_human.h5"
        )
    if not file.is_file():
        raise InputError(f"{file}: no such weights file")
    h5py = _h5py()
    try:
        with h5py.File(file, "r") as root:
            return _layers_of(file, root.get("model_weights", root))
    except (
        OSError,
        RuntimeError,
        KeyError,
    ) as error:  # h5py raises each of them where bytes are missing or wrong
        raise InputError(
            f"{file}: not a readable HDF5 file, perhaps cut off in transfer: {error}"
        ) from error


def _layers_of(file: Path, tree: Any) -> list[_Layer]:
    if "layer_names" not in tree.attrs:
        raise InputError(
            f"{file}: HDF5 without the attribute layer_names; expected a file that Keras 2 wrote by model.save_weights "
            "or model.save"
        )
    layers = []
    for name in _texts(tree.attrs["layer_names"]):
        group = tree[name]
        weights = {
            _short(weight): np.asarray(group[weight])
            for weight in _texts(group.attrs["weight_names"])
        }
        if weights:
            layers.append(_Layer(name, weights))
    if not layers:
        raise InputError(f"{file}: no layer has weights, expected those of Basenji2")
    return layers


def _h5py() -> Any:
    """The optional h5py, imported when first needed."""
    try:
        return importlib.import_module("h5py")
    except ImportError:
        raise InputError(
            "reading Keras weights needs h5py: pip install 'enformer-ray[keras]'"
        ) from None


def _texts(attribute: Any) -> list[str]:
    """A list of strings as h5py gives it, which depends on the version that wrote it."""
    return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in attribute]


def _short(weight_name: str) -> str:
    """`conv1d_3/kernel:0` to `kernel`."""
    return weight_name.rpartition("/")[2].partition(":")[0]


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(names)
