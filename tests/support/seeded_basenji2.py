"""Basenji2 with pseudo-random weights that follow from a written rule, as Keras and as our parameters.

The rule: weight "<i>/<layer>/<name>", where i counts the layers with weights from 0 in the model's order and <layer>
is Keras' automatic name, is drawn from RandomState(crc32(key) + seed): a moving variance uniformly from [0.5, 1.5),
anything else as offset + scale · normal in float32. Scales: 1.2/√15 for the first kernel, 1.2/√fan-in for the others,
0.15/√fan-in for the dense one, 0.5 (offset −0.5) for its bias, 0.1 for the BatchNorms' (offset 1 for gamma). Shapes are
those of Keras.
"""

import zlib
from math import prod, sqrt
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor

from enformer_core.models.basenji2 import Basenji2, Basenji2Config
from enformer_core.models.weights.check import load_parameters

Arrays = dict[str, np.ndarray]


def numbered(name: str, count: int) -> str:
    """Keras' automatic name of the `count`-th layer of a kind."""
    return f"{name}_{count}" if count else name


def convolutions(config: Basenji2Config) -> list[tuple[str, tuple[int, int, int]]]:
    """Our name and the Keras shape (width, in, out) of each convolution, in order."""
    found = [("stem", (15, 4, config.stem_channels))]
    inputs = config.stem_channels
    for i, outputs in enumerate(config.tower_channels):
        found.append((f"tower.{i}", (5, inputs, outputs)))
        inputs = outputs
    for i in range(len(config.dilations)):
        found.append((f"dilated.{i}.gather", (3, inputs, config.dilated_channels)))
        found.append((f"dilated.{i}.widen", (1, config.dilated_channels, inputs)))
    return [*found, ("final", (1, inputs, config.final_channels))]


def value(key: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """One weight by the rule above, in float32."""
    draw = np.random.RandomState((zlib.crc32(key.encode("ascii")) + seed) % 2**32)
    name = key.rsplit("/", 1)[-1]
    if name == "moving_variance":
        return draw.uniform(0.5, 1.5, shape).astype(np.float32)
    # The dense kernel alone has two axes; the stem counts the letters that it sees, one of four at each place.
    gain = 0.15 if len(shape) == 2 else 1.2
    fan_in = 15 if key == "0/conv1d/kernel" else prod(shape[:-1])
    scales = {"kernel": gain / sqrt(fan_in), "bias": 0.5}
    offsets = {"bias": -0.5, "gamma": 1.0}
    normal = draw.standard_normal(shape).astype(np.float32)
    scale = np.float32(scales.get(name, 0.1))
    offset = np.float32(offsets.get(name, 0.0))
    return offset + scale * normal


def keras_arrays(config: Basenji2Config, seed: int = 0) -> Arrays:
    """Every weight as Keras keeps it, by its key, in order; the config must have one head."""
    (tracks,) = config.output_tracks.values()
    arrays: Arrays = {}
    for i, (_, shape) in enumerate(convolutions(config)):
        key = f"{2 * i}/{numbered('conv1d', i)}/kernel"
        arrays[key] = value(key, shape, seed)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            key = f"{2 * i + 1}/{numbered('batch_normalization', i)}/{name}"
            arrays[key] = value(key, shape[-1:], seed)
    dense = f"{2 * len(convolutions(config))}/dense"
    arrays[f"{dense}/kernel"] = value(f"{dense}/kernel", (config.final_channels, tracks), seed)
    arrays[f"{dense}/bias"] = value(f"{dense}/bias", (tracks,), seed)
    return arrays


def state_dict(config: Basenji2Config, arrays: Arrays) -> dict[str, Tensor]:
    """The same weights under our names, turned one by one."""
    (head,) = config.output_tracks
    state = {}
    names = {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    for i, (ours, _) in enumerate(convolutions(config)):
        kernel = arrays[f"{2 * i}/{numbered('conv1d', i)}/kernel"]
        state[f"{ours}.conv.weight"] = torch.tensor(np.einsum("kio->oik", kernel))
        for keras, name in names.items():
            array = arrays[f"{2 * i + 1}/{numbered('batch_normalization', i)}/{keras}"]
            state[f"{ours}.norm.{name}"] = torch.tensor(array)
    dense = f"{2 * len(convolutions(config))}/dense"
    state[f"heads.{head}.weight"] = torch.tensor(np.einsum("io->oi", arrays[f"{dense}/kernel"]))
    state[f"heads.{head}.bias"] = torch.tensor(arrays[f"{dense}/bias"])
    return state


def layer_names(config: Basenji2Config) -> list[str]:
    """All layers in the order of the Keras model, with those that own no weights."""
    made: dict[str, int] = {}

    def new(*kinds: str) -> list[str]:
        names = []
        for kind in kinds:
            names.append(numbered(kind, made.get(kind, 0)))
            made[kind] = made.get(kind, 0) + 1
        return names

    block = ("sig_gelu", "conv1d", "batch_normalization")
    names = ["sequence"]
    for _ in range(1 + len(config.tower_channels)):
        names += new(*block, "max_pooling1d")
    for _ in config.dilations:
        names += new(*block, *block, "dropout", "add")
    return names + new("cropping1d", *block, "dropout", "sig_gelu", "dense")


def write_hdf5(path: Path, arrays: Arrays, names: list[str], *, whole_model: bool = False) -> None:
    """Write the file of Keras' model.save_weights, or that of model.save (the tree below /model_weights)."""
    with h5py.File(path, "w") as root:
        tree = root.create_group("model_weights") if whole_model else root
        if whole_model:
            root.attrs["model_config"] = "{}"
        root.attrs["backend"] = tree.attrs["backend"] = "tensorflow"
        root.attrs["keras_version"] = tree.attrs["keras_version"] = "2.15.0"
        tree.attrs["layer_names"] = np.array([name.encode() for name in names])
        for name in [*names, "top_level_model_weights"]:
            tree.create_group(name).attrs["weight_names"] = np.array([], dtype="S1")
        for layer in names:
            owned = {
                key.split("/", 1)[1]: array
                for key, array in arrays.items()
                if key.split("/")[1] == layer
            }
            if owned:
                tree[layer].attrs["weight_names"] = np.array(
                    [f"{name}:0".encode() for name in owned]
                )
            for name, array in owned.items():
                tree[layer].create_dataset(f"{name}:0", data=array)


def seeded_model(config: Basenji2Config, seed: int = 0) -> Basenji2:
    """The network with these weights, in float64."""
    with torch.device("meta"):
        model = Basenji2(config)
    load_parameters(model, state_dict(config, keras_arrays(config, seed)), source="seeded")
    return model.eval().double()


def random_one_hot(length_bp: int, *, seed: int = 1) -> Tensor:
    """One sequence of random letters, a fifth of them N, in float64."""
    codes = np.random.default_rng(seed).integers(0, 5, length_bp)
    # The fifth row, of N, is all zeros.
    letters = np.vstack([np.eye(4), np.zeros(4)])
    return torch.from_numpy(letters[codes])[None]
