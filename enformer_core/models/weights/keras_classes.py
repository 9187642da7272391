"""Keras HDF5 files whose layers are told by their class and number, such as those of calico/baskerville.

Keras numbers the layers of a class as they are made, from wherever a process stands: `conv1d_8` may be the first. The
order of the numbers within a class is that in which our modules of this kind stand; each shape is checked.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from enformer_core.errors import InputError
from enformer_core.models.weights.keras import KerasLayer, KerasLayers, head_of
from enformer_core.models.weights.loaded import LoadedWeights
from enformer_core.words import counted

if TYPE_CHECKING:
    from torch import Tensor, nn
else:
    Tensor = Any  # whoever only plans or reads runs needs no torch

_AS_IT_IS = (0, 1, 2, 3)

_REMEDY = "Do the sizes (--params) and the weights belong together?"


@dataclass(frozen=True)
class _Ours:
    """Our name of a weight within its module, and which of Keras' axes become ours; None turns their order around."""

    name: str
    axes: tuple[int, ...] | None = None


_Weights = Mapping[str, _Ours]

_CLASSES: Mapping[str, _Weights] = MappingProxyType(
    {
        "conv1d": {"kernel": _Ours("weight"), "bias": _Ours("bias")},
        "dense": {"kernel": _Ours("weight"), "bias": _Ours("bias")},
        "batch_normalization": {
            "gamma": _Ours("weight"),
            "beta": _Ours("bias"),
            "moving_mean": _Ours("running_mean"),
            "moving_variance": _Ours("running_var"),
        },
        "layer_normalization": {"gamma": _Ours("weight"), "beta": _Ours("bias")},
        "scale": {"scale": _Ours("factor")},
        "separable_conv1d": {
            # (width, channels, 1) becomes (channels, 1, width)
            "depthwise_kernel": _Ours("depthwise.weight", (1, 2, 0)),
            "pointwise_kernel": _Ours("pointwise.weight"),
            "bias": _Ours("pointwise.bias"),
        },
        "multihead_attention": {
            "r_w_bias": _Ours("rel_content_bias", _AS_IT_IS),
            "r_r_bias": _Ours("rel_pos_bias", _AS_IT_IS),
            "q_layer/kernel": _Ours("to_q.weight"),
            "k_layer/kernel": _Ours("to_k.weight"),
            "v_layer/kernel": _Ours("to_v.weight"),
            "embedding_layer/kernel": _Ours("to_out.weight"),
            "embedding_layer/bias": _Ours("to_out.bias"),
            "r_k_layer/kernel": _Ours("to_rel_k.weight"),
        },
    }
)
"""What each class of Keras layers owns, and where that is in our modules."""


@dataclass(frozen=True)
class _Slot:
    """A module of ours that takes a layer: its name, and the shapes of its parameters by their names within it."""

    name: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class KerasClasses:
    """A model whose Keras layers have the classes of our modules, and are numbered in their order.

    Attributes:
        model: what messages call it.
        mark: what only this model's weights are called.
        lacks: what none of them is called; None where the mark tells enough.
    """

    model: str
    mark: re.Pattern[str] = re.compile(r"multihead_attention(_\d+)?/|separable_conv1d(_\d+)?/")
    lacks: re.Pattern[str] | None = None

    def load(
        self,
        content: KerasLayers,
        heads: Mapping[str, int],
        network_of: Callable[[str], "nn.Module"],
    ) -> LoadedWeights:
        """The file's weights in float32 and bit for bit, their axes in our order.

        Args:
            content: what was read.
            heads: number of tracks of each head that the file may hold; the number of its outputs tells which.
            network_of: makes the network with one head, of which only names and shapes are asked.

        Raises:
            InputError: when a layer is missing, of an unknown class or of another shape.
        """
        try:
            head = head_of(content, heads)
        except InputError as error:
            raise InputError(f"{error}. {_REMEDY}") from error
        slots = _slots(network_of(head))
        layers = _by_class(content)
        for kind in sorted({*slots, *layers}):
            wanted, given = len(slots.get(kind, ())), len(layers.get(kind, ()))
            if wanted != given:
                raise InputError(
                    f"{content.file}: {counted(given, 'layers')} {kind} with weights, but {self.model} of these sizes "
                    f"has {wanted}. {_REMEDY}"
                )
        state: dict[str, Tensor] = {}
        names: dict[str, str] = {}
        for kind, of_kind in layers.items():
            for layer, slot in zip(of_kind, slots[kind], strict=True):
                for theirs, ours, tensor in _tensors(content.file, kind, layer, slot):
                    state[ours] = tensor
                    names[f"{layer.name}/{theirs}"] = ours
        return LoadedWeights(state, names)


def _by_class(content: KerasLayers) -> dict[str, list[KerasLayer]]:
    """The file's layers of each class in the order of their numbers; the first made in a process has none."""
    numbered: dict[str, list[tuple[int, KerasLayer]]] = defaultdict(list)
    for layer in content.layers:
        # batch_normalization_10 is number 10 of batch_normalization; the 1d of conv1d is no number
        kind, underscore, number = layer.name.rpartition("_")
        if underscore and number.isdigit():
            numbered[kind].append((int(number), layer))
        else:
            numbered[layer.name].append((0, layer))
    return {
        kind: [layer for _, layer in sorted(of_kind, key=lambda one: one[0])]
        for kind, of_kind in numbered.items()
    }


def _slots(network: "nn.Module") -> dict[str, list[_Slot]]:
    """The modules to fill by the class of their layers, in the order in which the network has them."""
    from torch import nn  # noqa: PLC0415

    from enformer_core.models.attention import Attention  # noqa: PLC0415
    from enformer_core.models.layers import Scale, SeparableConv  # noqa: PLC0415

    classes: Sequence[tuple[type[nn.Module], str]] = (
        # those made of others first
        (Attention, "multihead_attention"),
        (SeparableConv, "separable_conv1d"),
        (Scale, "scale"),
        (nn.Conv1d, "conv1d"),
        (nn.Linear, "dense"),
        (nn.BatchNorm1d, "batch_normalization"),
        (nn.LayerNorm, "layer_normalization"),
    )
    slots: dict[str, list[_Slot]] = defaultdict(list)
    inside: tuple[str, ...] = ()
    for name, module in network.named_modules():
        if inside and name.startswith(inside):
            continue
        for kind, layer_class in ((named, one) for one, named in classes):
            if isinstance(module, layer_class):
                slots[kind].append(_Slot(name, _shapes(module)))
                inside = (*inside, f"{name}.")
                break
    return slots


def _shapes(module: "nn.Module") -> dict[str, tuple[int, ...]]:
    """Shapes of what a module owns, but for its counter of batches, which Keras has not."""
    return {
        name: tuple(tensor.shape) for name, tensor in module.state_dict().items() if tensor.ndim
    }


def _tensors(
    file: Path, kind: str, layer: KerasLayer, slot: _Slot
) -> Iterator[tuple[str, str, Tensor]]:
    """Each weight of a layer: its name in the file, ours, and its values."""
    import torch  # noqa: PLC0415

    # a convolution in front of a norm has no bias
    known = {theirs: ours for theirs, ours in _CLASSES[kind].items() if ours.name in slot.shapes}
    if set(layer.weights) != set(known):
        raise InputError(
            f"{file}: layer {layer.name} holds {', '.join(layer.weights)}, but {slot.name} in its place has "
            f"{', '.join(known)}"
        )
    for theirs, ours in known.items():
        array = layer.weights[theirs]
        turned = array.transpose(ours.axes) if _fits(array, ours) else array
        wanted = slot.shapes[ours.name]
        if turned.shape != wanted or array.dtype != np.float32:
            raise InputError(
                f"{file}: layer {layer.name}: {theirs} is {array.dtype} {array.shape}, which for {slot.name} in its "
                f"place is not float32 {wanted} with its axes in our order"
            )
        yield theirs, f"{slot.name}.{ours.name}", torch.from_numpy(np.ascontiguousarray(turned))


def _fits(array: np.ndarray, ours: _Ours) -> bool:
    """Whether the array has as many axes as are turned."""
    return ours.axes is None or len(ours.axes) == array.ndim
