"""Keras HDF5 files, and models whose layers stand in them in the order of our modules, such as Basenji2's.

Reads what Keras 2 wrote by `model.save_weights` or `model.save` (the same tree below /model_weights), such as
model_human.h5 and model_mouse.h5 of calico/basenji. Does not know TensorFlow's SavedModel directories (`.tf`).
"""

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from enformer_core.errors import InputError
from enformer_core.models.weights.loaded import LoadedWeights
from enformer_core.words import counted

if TYPE_CHECKING:
    from torch import Tensor, nn
else:
    Tensor = Any  # whoever only plans or reads runs needs no torch

# What Keras calls the weights of a layer, and what PyTorch does.
_NORM: Mapping[str, str] = MappingProxyType(
    {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
)

_CONV: Mapping[str, str] = MappingProxyType({"kernel": "weight"})

_DENSE: Mapping[str, str] = MappingProxyType({"kernel": "weight", "bias": "bias"})


@dataclass(frozen=True)
class KerasLayer:
    """A layer of the file that owns weights, by their names below it, such as kernel or gamma."""

    name: str
    weights: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class KerasLayers:
    """The layers of a file that own weights, in the order of its model."""

    file: Path
    layers: tuple[KerasLayer, ...]

    @property
    def names(self) -> Iterable[str]:
        """Each weight as the layer's name, a slash, and its own."""
        return [f"{layer.name}/{weight}" for layer in self.layers for weight in layer.weights]


@dataclass(frozen=True)
class _Slot:
    """A module of ours that takes a layer: its name, our name of each Keras weight, and their shapes in PyTorch."""

    name: str
    ours: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]


class _Weight(NamedTuple):
    """One weight of a layer: the name in the file, ours, and its values."""

    theirs: str
    ours: str
    tensor: Tensor


@dataclass(frozen=True)
class KerasOrder:
    """A model whose Keras layers stand in the order of our modules: convolutions, BatchNorms, and one dense head last.

    Attributes:
        model: what messages call it.
        mark: what this model's weights are called; layers have the names that Keras numbers them by.
        lacks: what none of them is called: other models have convolutions too, and beside them other classes of layers.
    """

    model: str
    mark: re.Pattern[str] = re.compile(r"conv1d_\d+/kernel")
    lacks: re.Pattern[str] = re.compile(
        r"(multihead_attention|separable_conv1d|layer_normalization)(_\d+)?/"
    )

    def load(
        self,
        content: KerasLayers,
        heads: Mapping[str, int],
        network_of: Callable[[str], "nn.Module"],
    ) -> LoadedWeights:
        """The file's weights in float32 and bit for bit.

        Kernels are turned from (width, in, out) to (out, in, width), the dense one from (in, out) to (out, in). Keras
        does not count batches, so there is no `num_batches_tracked`.

        Args:
            content: what was read.
            heads: number of tracks of each head that the file may hold; the number of its outputs tells which.
            network_of: makes the network with one head, of which only names and shapes are asked.

        Raises:
            InputError: when a layer is missing, out of order or of another shape.
        """
        # Names tell no place: Keras numbers layers as a process makes them. Their order does; each shape is checked.
        head = head_of(content, heads)
        slots = _slots(network_of(head))
        layers = content.layers
        if len(layers) != len(slots):
            raise InputError(
                f"{content.file}: {counted(len(layers), 'layers')} with weights, but {self.model} has {len(slots)}: "
                f"{len(slots) // 2} convolutions, each followed by its BatchNorm, and a dense layer. "
                f"Is this a {self.model} file?"
            )
        state: dict[str, Tensor] = {}
        names: dict[str, str] = {}
        for layer, slot in zip(layers, slots, strict=True):
            for weight in _weights(content.file, layer, slot):
                state[weight.ours] = weight.tensor
                names[f"{layer.name}/{weight.theirs}"] = weight.ours
        return LoadedWeights(state, names)


def _slots(network: "nn.Module") -> list[_Slot]:
    """The modules to fill, in the order in which the network has them."""
    from torch import nn  # noqa: PLC0415

    slots = []
    for name, module in network.named_modules():
        match module:
            case nn.Conv1d():
                slots.append(_Slot(name, _CONV, {"kernel": tuple(module.weight.shape)}))
            case nn.BatchNorm1d():
                slots.append(_Slot(name, _NORM, dict.fromkeys(_NORM, (module.num_features,))))
            case nn.Linear():
                shapes = {"kernel": tuple(module.weight.shape), "bias": tuple(module.bias.shape)}
                slots.append(_Slot(name, _DENSE, shapes))
    return slots


def head_of(content: KerasLayers, heads: Mapping[str, int]) -> str:
    """The head whose number of tracks is that of the last layer's outputs.

    Raises:
        InputError: when the last layer is not dense, or of no head's size.
    """
    last = content.layers[-1]
    if set(last.weights) != set(_DENSE):
        raise InputError(
            f"{content.file}: the last layer, {last.name}, holds {_listed(last.weights)}, expected kernel, bias"
        )
    outputs = last.weights["bias"].size
    for head, tracks in heads.items():
        if tracks == outputs:
            return head
    known = " or ".join(f"{tracks} ({head})" for head, tracks in heads.items())
    raise InputError(f"{content.file}: layer {last.name} has {outputs} outputs, expected {known}")


def _weights(file: Path, layer: KerasLayer, slot: _Slot) -> Iterator[_Weight]:
    """The layer's weights, as the slot wants them."""
    if set(layer.weights) != set(slot.ours):
        raise InputError(
            f"{file}: layer {layer.name} holds {_listed(layer.weights)}, but {slot.name} in its place has "
            f"{_listed(slot.ours)}"
        )
    import torch  # noqa: PLC0415

    for theirs, ours in slot.ours.items():
        array = layer.weights[theirs]
        # Keras has the axes in reverse: (width, in, out) for (out, in, width), (in, out) for (out, in).
        expected = slot.shapes[theirs][::-1]
        if array.shape != expected or array.dtype != np.float32:
            raise InputError(
                f"{file}: layer {layer.name}: {theirs} is {array.dtype} {array.shape}, "
                f"but {slot.name} in its place has float32 {expected}"
            )
        tensor = torch.from_numpy(np.ascontiguousarray(array.T))
        yield _Weight(theirs, f"{slot.name}.{ours}", tensor)


def read_keras(file: Path) -> KerasLayers:
    """Read the layers that own weights.

    The file's `layer_names` give the order, since HDF5 lists groups alphabetically; layers without weights are ignored,
    as their names vary.

    Raises:
        InputError: when h5py is absent; when the file is missing, a directory, damaged or not of this kind.
    """
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
            # model.save has the tree of layers below /model_weights, save_weights at the root
            return KerasLayers(file, _layers(file, root.get("model_weights", root)))
    except (OSError, RuntimeError, KeyError) as error:
        # h5py raises each of these where bytes are missing or wrong.
        raise InputError(
            f"{file}: not a readable HDF5 file, perhaps cut off in transfer: {error}"
        ) from error


def _layers(file: Path, tree: Any) -> tuple[KerasLayer, ...]:
    if "layer_names" not in tree.attrs:
        raise InputError(
            f"{file}: HDF5 without the attribute layer_names; expected a file that Keras 2 wrote by model.save_weights "
            "or model.save"
        )
    layers = []
    for name in _texts(tree.attrs["layer_names"]):
        group = tree[name]
        # Read into memory at once: the arrays of h5py end with their file.
        weights = {
            _short(name, weight): np.asarray(group[weight])
            for weight in _texts(group.attrs["weight_names"])
        }
        if weights:
            layers.append(KerasLayer(name, weights))
    if not layers:
        raise InputError(f"{file}: no layer has weights, expected those of a network")
    return tuple(layers)


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


def _short(layer: str, weight_name: str) -> str:
    """A weight's name below its layer, without its number: `conv1d_3/kernel:0` is `kernel`.

    A layer made of others has theirs: `multihead_attention/q_layer/kernel:0` is `q_layer/kernel`.
    """
    path = weight_name.partition(":")[0]
    _, found, below = f"/{path}".rpartition(f"/{layer}/")
    return below if found else path.rpartition("/")[2]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
