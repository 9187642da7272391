"""Small random networks with the graphs of the published ones, in float64, and a genome for them."""

from dataclasses import replace

import numpy as np
import torch

from enformer_core.models.attention import Attention
from enformer_core.models.basenji2 import Basenji2, Basenji2Config
from enformer_core.models.borzoi import Borzoi
from enformer_core.models.borzoi_spec import BorzoiConfig, RotarySize
from enformer_core.models.enformer import Enformer, EnformerConfig
from enformer_core.models.geometry import Geometry

ENFORMER = EnformerConfig(
    geometry=Geometry(window_bp=128 * 48, bin_bp=128, bins=20),
    stem_channels=12,
    tower_channels=(12, 12, 16, 16, 16, 24),
    layers=3,
    heads=2,
    key_channels=4,
    positional_features=12,
    output_tracks={"human": 5, "mouse": 3},
)

BASENJI2 = Basenji2Config(
    geometry=Geometry(window_bp=64 * 48, bin_bp=64, bins=20),
    stem_channels=6,
    tower_channels=(7, 8, 9, 10, 11),
    dilated_channels=5,
    dilations=(1, 2, 3, 5),
    final_channels=12,
    output_tracks={"human": 5, "mouse": 3},
)


BORZOI = BorzoiConfig(
    # 55 bins of 32 bp are cropped at either end, which are no whole tokens of 128 bp
    geometry=Geometry(window_bp=128 * 48, bin_bp=32, bins=82, bins_per_token=4),
    stem_channels=8,
    stem_width=7,
    tower_channels=(9, 10, 12, 14, 16, 24),
    layers=3,
    heads=2,
    key_channels=4,
    positional_features=8,
    final_channels=20,
    output_tracks={"human": 5, "mouse": 3},
)


def randomised(model, seed=0):
    """Parameters and running statistics of a scale at which every layer matters."""
    torch.manual_seed(seed)
    model = model.double().eval().requires_grad_(False)
    for name, value in model.named_parameters():
        fan_in = value[0].numel() if value.ndim > 1 else 1
        value.data.normal_(0.0, 1.5 / fan_in**0.5 if value.ndim > 1 else 0.2)
        if value.ndim == 1 and name.endswith("weight"):
            value.data.add_(1.0)
    for name, value in model.named_buffers():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            value.normal_(0.0, 0.2)
    return model


def attention_of(config):
    """The attention of a layer of an Enformer with these sizes."""
    return Attention(
        config.channels,
        heads=config.heads,
        key_channels=config.key_channels,
        positional_features=config.positional_features,
    )


def small_enformer(seed=0):
    return randomised(Enformer(ENFORMER), seed)


def small_basenji2(seed=0):
    return randomised(Basenji2(BASENJI2), seed)


def small_borzoi(seed=0, **sizes):
    model = randomised(Borzoi(replace(BORZOI, **sizes)), seed)
    for head in model.heads.values():
        # beyond 20, torch's softplus is what it reads itself, which is off by 2e-9
        head.weight.mul_(0.03)
    return model


def small_flashzoi(seed=0):
    return small_borzoi(seed, rotary=RotarySize(key_heads=1, rotated_channels=8, base=100.0))


def write_genome(path, length_bp=30_000, seed=0):
    """A contig of random letters, some of them N or in lower case."""
    letters = np.random.default_rng(seed).choice(
        list("ACGTacgtN"), length_bp, p=[0.12] * 8 + [0.04]
    )
    path.write_text(">c\n" + "".join(letters) + "\n")
    return path
