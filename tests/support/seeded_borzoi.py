"""Models of Borzoi's family with pseudo-random weights that follow from a written rule, as Keras keeps them.

The rule: a weight's key is its name in a Keras file of a fresh process, such as `conv1d_6/bias`: layers of one class
are numbered as the blocks make them, the first without a number, a doubling's incoming path before its skip. It is
drawn from RandomState(crc32(key) + seed): a moving variance uniformly from [0.5, 1.5), anything else as offset + scale
times normal, in float32. Scales, by the product f of all dimensions but the last: 1/sqrt(width) for the first kernel
and depthwise ones; 1.5/sqrt(f) for other kernels of convolutions and those of queries, keys and relative keys;
1.2/sqrt(f) for dense kernels, 0.5/sqrt(f) for the head's; 1/sqrt(f) for the rest of kernels; 0.5 (offset -0.5) for the
head's bias; 0.1 for all else, gamma and scale with an offset of 1.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from math import prod, sqrt
from pathlib import Path

import numpy as np

from enformer_core.models.borzoi_spec import BorzoiConfig
from enformer_core.models.weights.keras import KerasLayer, KerasLayers

Shape = tuple[int, ...]
Layer = tuple[str, dict[str, Shape]]


def _conv(width: int, inputs: int, outputs: int) -> Layer:
    return "conv1d", {"kernel": (width, inputs, outputs), "bias": (outputs,)}


def _dense(inputs: int, outputs: int) -> Layer:
    return "dense", {"kernel": (inputs, outputs), "bias": (outputs,)}


def _batch_norm(channels: int) -> Layer:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return "batch_normalization", dict.fromkeys(names, (channels,))


def _attention(config: BorzoiConfig) -> Layer:
    channels, bias = config.channels, (1, config.heads, 1, config.key_channels)
    keys = config.heads * config.key_channels
    return "multihead_attention", {
        "r_w_bias": bias,
        "r_r_bias": bias,
        "q_layer/kernel": (channels, keys),
        "k_layer/kernel": (channels, keys),
        "v_layer/kernel": (channels, channels),
        "embedding_layer/kernel": (channels, channels),
        "embedding_layer/bias": (channels,),
        "r_k_layer/kernel": (config.positional_features, keys),
    }


def layers(config: BorzoiConfig, head: str) -> Iterator[Layer]:
    """Class and shapes of each layer with weights, in the order in which the blocks make them."""
    inputs, channels = config.stem_channels, config.channels
    yield _conv(config.stem_width, 4, inputs)
    for outputs in config.tower_channels:
        yield from (_batch_norm(inputs), _conv(config.tower_width, inputs, outputs))
        for _ in range(config.tower_convolutions - 1):
            yield from (_batch_norm(outputs), _conv(1, outputs, outputs))
            yield "scale", {"scale": (outputs,)}
        inputs = outputs
    layer_norm = "layer_normalization", dict.fromkeys(("gamma", "beta"), (channels,))
    for _ in range(config.layers):
        yield from (layer_norm, _attention(config), layer_norm)
        yield from (_dense(channels, 2 * channels), _dense(2 * channels, channels))
    for number, size in enumerate(config.unet):
        # the last level gives the first doubling's skip
        skipped = config.tower_channels[-1 - number]
        yield from (_batch_norm(channels), _batch_norm(skipped))
        if size.dense_incoming:
            yield _dense(channels, channels)
        yield _dense(skipped, channels)
        depthwise = (size.width, channels, 1)
        pointwise = (1, channels, channels)
        yield (
            "separable_conv1d",
            {"depthwise_kernel": depthwise, "pointwise_kernel": pointwise, "bias": (channels,)},
        )
    if config.final_channels is not None:
        yield from (
            _batch_norm(channels),
            _conv(config.final_width, channels, config.final_channels),
        )
    yield _dense(config.embedding, config.output_tracks[head])


def keras_arrays(config: BorzoiConfig, head: str = "human", seed: int = 0) -> dict[str, np.ndarray]:
    """Every weight by its key; for the head that Keras makes first."""
    made: Counter[str] = Counter()
    shapes: dict[str, Shape] = {}
    for kind, weights in layers(config, head):
        name = f"{kind}_{made[kind]}" if made[kind] else kind
        made[kind] += 1
        shapes |= {f"{name}/{weight}": shape for weight, shape in weights.items()}
    # the last layer that is made is the head
    return {key: value(key, shape, seed, head=name) for key, shape in shapes.items()}


def value(key: str, shape: Shape, seed: int, *, head: str) -> np.ndarray:
    """One weight by the rule above."""
    draw = np.random.RandomState((zlib.crc32(key.encode("ascii")) + seed) % 2**32)
    *_, layer, name = key.split("/")
    if name == "moving_variance":
        return draw.uniform(0.5, 1.5, shape).astype(np.float32)
    gain, offset = _gain(key, shape, is_head=layer == head)
    normal = draw.standard_normal(shape).astype(np.float32)
    return np.float32(offset) + np.float32(gain) * normal


def _gain(key: str, shape: Shape, *, is_head: bool) -> tuple[float, float]:
    *_, layer, name = key.split("/")
    if key == "conv1d/kernel" or name == "depthwise_kernel":
        return 1 / sqrt(shape[0]), 0.0
    per_root = defaultdict(lambda: 1.2, q_layer=1.5, k_layer=1.5, r_k_layer=1.5)
    per_root |= {"v_layer": 1.0, "embedding_layer": 1.0}
    root = sqrt(prod(shape[:-1]))
    if name == "kernel":
        of_layer = 1.5 if len(shape) == 3 else per_root[layer]
        return (0.5 if is_head else of_layer) / root, 0.0
    if name == "pointwise_kernel":
        return 1 / root, 0.0
    if is_head:
        return 0.5, -0.5
    return 0.1, 1.0 if name in ("gamma", "scale") else 0.0


def keras_layers(arrays: dict[str, np.ndarray]) -> KerasLayers:
    """The same as a Keras file is read."""
    weights: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for key, array in arrays.items():
        layer, _, name = key.partition("/")
        weights[layer][name] = array
    return KerasLayers(Path("seeded.h5"), tuple(KerasLayer(*layer) for layer in weights.items()))
