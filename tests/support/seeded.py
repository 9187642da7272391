"""Pseudo-random weights by the written rule of the golden outputs: a function of key, shape and seed alone.

Written from that rule, not from the program that made the goldens; `tests/models/weights/test_huggingface.py` holds
both together.
The published size takes some seconds and a gigabyte: ask the session-wide fixture, not this module.
"""

import math
import re
import zlib

import numpy as np
import torch
from torch import Tensor

from enformer_core.models.enformer import Enformer
from enformer_core.models.enformer_spec import EnformerConfig
from enformer_core.models.weights.huggingface import ENFORMER_NAMES

# Gain by name of a weight with a fan-in: its scale is gain / sqrt(fan-in). The first that matches holds.
_GAINS = (
    (r"stem\.0\.weight", None),
    (r"conv_tower\.\d+\.0\.2\.weight", 1.5),
    (r"(stem|conv_tower\.\d+)\.1\.fn\.2\.weight", 0.6),
    (r".*\.to_attn_logits\.weight", 3.0),
    (r".*\.to_[qk]\.weight", 1.5),
    (r".*\.to_v\.weight", 1.3),
    (r".*\.to_out\.weight", 1.0),
    (r".*\.to_rel_k\.weight", 3.0),
    (r"transformer\.\d+\.1\.fn\.1\.weight", 1.4),
    (r"transformer\.\d+\.1\.fn\.4\.weight", 1.0),
    (r"final_pointwise\.1\.2\.weight", 2.0),
    (r"_heads\.\w+\.0\.weight", 0.5),
)


def our_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of our attributes, from those under the published names."""
    return {ENFORMER_NAMES.ours(key): tensor for key, tensor in state.items()}


def shapes(config: EnformerConfig | None = None) -> dict[str, tuple[int, ...]]:
    """Shapes of all of a model's parameters and buffers by their published names, without making them."""
    with torch.device("meta"):
        state = Enformer(config).state_dict()
    return {ENFORMER_NAMES.published(name): tuple(tensor.shape) for name, tensor in state.items()}


def scale_and_offset(key: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Standard deviation and mean of the normal values of a key."""
    if re.fullmatch(r".*\.rel_(content|pos)_bias", key):
        return 0.3, 0.0
    if re.fullmatch(r"_heads\.\w+\.0\.bias", key):
        return 0.5, -0.5
    if key.endswith((".bias", ".running_mean")):
        return 0.1, 0.0
    if len(shape) == 1:
        return 0.1, 1.0  # BatchNorm and LayerNorm
    gain = next(gain for pattern, gain in _GAINS if re.fullmatch(pattern, key))
    if gain is None:
        return 1.0 / math.sqrt(15.0), 0.0
    return gain / math.sqrt(math.prod(shape[1:])), 0.0


def seeded_tensor(key: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """One tensor; float32, but int64 zero for `num_batches_tracked`."""
    if key.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    random = np.random.RandomState((zlib.crc32(key.encode("ascii")) + seed) % 2**32)
    if key.endswith("running_var"):
        return torch.from_numpy(random.uniform(0.5, 1.5, shape).astype(np.float32))
    scale, offset = scale_and_offset(key, shape)
    values = random.standard_normal(shape).astype(np.float32)
    values *= np.float32(scale)
    values += np.float32(offset)
    return torch.from_numpy(values)


def seeded_state(seed: int = 0, config: EnformerConfig | None = None) -> dict[str, Tensor]:
    """All tensors of an Enformer, under the published names, which the rule draws by."""
    return {key: seeded_tensor(key, shape, seed) for key, shape in shapes(config).items()}


def tiny_config(**changes: object) -> EnformerConfig:
    """An Enformer of the published depth of pooling and few channels, for tests of everything but numbers."""
    sizes: dict[str, object] = {
        "stem_channels": 8,
        "tower_channels": (8, 8, 8, 8, 12, 16),
        "layers": 1,
        "heads": 2,
        "key_channels": 4,
        "positional_features": 12,
        "output_tracks": {"human": 3, "mouse": 2},
    }
    return EnformerConfig(**{**sizes, **changes})  # type: ignore[arg-type]
