"""A model that only two files know, its own and that of its rule, as a user would write them; and weights for it."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import torch
from safetensors.torch import save_file

from enformer_core.models import registry

MODEL = '''
"""One halving by the larger of two, then each token with the mean of all: as far from Enformer as the engine allows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from enformer_core.models.base import ModelConfig, Network, linear_heads
from enformer_core.models.blocks import Blocks, MaxPooledLevel, NormedConvolution
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import gelu
from enformer_core.models.registry import register
from enformer_core.models.spec import ModelSpec
from enformer_core.models.tracks.table import HeadLayout
from enformer_core.models.weights.mappings import WeightsMappings
from enformer_core.models.weights.names import NameTable


@dataclass(frozen=True, kw_only=True)
class ToyConfig(ModelConfig):
    geometry: Geometry = Geometry(window_bp=512, bin_bp=2, bins=200)
    output_tracks: Mapping[str, int] = field(default_factory=lambda: {"yeast": 3})
    channels: int = 6


@dataclass(frozen=True)
class MeanTrunk:
    geometry: Geometry
    heads: Mapping[str, nn.Linear]


class Toy(Network):
    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.conv = nn.Conv1d(4, config.channels, 5, padding=2, bias=False)
        self.norm = nn.BatchNorm1d(config.channels)
        self.pool = nn.MaxPool1d(2)
        self.heads = linear_heads(config.channels, config.output_tracks)

    def tokens(self, one_hot):
        return self.pool(self.norm(self.conv(gelu(one_hot.mT)))).mT

    def embed_tokens(self, x):
        crop = self.geometry.crop_tokens
        return (x + x.mean(dim=1, keepdim=True))[:, crop : x.shape[1] - crop]

    def blocks(self) -> Blocks:
        heads = {name: self.head(name) for name in self.heads}
        level = MaxPooledLevel(NormedConvolution(self.conv, self.norm))
        return Blocks(levels=(level,), trunk=MeanTrunk(self.geometry, heads))


SPEC = ModelSpec(
    name="toy",
    config=ToyConfig(),
    network=Toy,
    worker_memory_bytes=2_000_000_000,
    heads={"yeast": HeadLayout(assays=(("CAGE", 2), ("DNASE", 1)))},
    weights=WeightsMappings(
        names=NameTable(rows=(("output.{}.", "heads.{}."),), mark=re.compile("output.yeast"))
    ),
)
register(SPEC)
'''

RULE = '''
"""What happens to differences in the toy's trunk, which is linear up to its softplus."""

import torch
from torch.nn.functional import linear, softplus

from enformer_core.models.layers import head_columns
from enformer_core.scoring.delta.delta_model import trunk_of
from enformer_core.scoring.delta.layer_rules import softplus_difference
from toy_model import MeanTrunk


class DeltaMean:
    def __init__(self, trunk: MeanTrunk, head: str, tracks: torch.Tensor | None) -> None:
        self._crop = trunk.geometry.crop_tokens
        self._weight, self._bias = head_columns(trunk.heads[head], tracks)

    def _mixed(self, x, bins):
        return (x + x.mean(dim=0))[self._crop + bins.start : self._crop + bins.stop]

    def advance(self, x, d, bins):
        logits = linear(self._mixed(x, bins), self._weight, self._bias)
        return softplus(logits), (
            softplus_difference(logits, linear(self._mixed(alt, bins), self._weight)) for alt in d
        )

    propagate = advance


@trunk_of.register(MeanTrunk)
def _mean(block, head, tracks, arithmetic):
    return DeltaMean(block, head, tracks)
'''


def _imported(name: str, text: str, folder: Path) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def known_toy(folder: Path) -> Iterator[ModuleType]:
    """The two files of the new model; forgotten afterwards."""
    model = _imported("toy_model", MODEL, folder)
    _imported("toy_rule", RULE, folder)
    try:
        yield model
    finally:
        del registry.SPECS["toy"], sys.modules["toy_model"], sys.modules["toy_rule"]


def write_weights(toy: ModuleType, path: Path, seed: int = 0, **sizes: object) -> Path:
    """Random parameters in a file under the names that the toy's table says."""
    torch.manual_seed(seed)
    network = toy.Toy(toy.ToyConfig(**sizes))
    for parameter in network.parameters():
        parameter.data.normal_(0.0, 0.7)
    save_file(toy.SPEC.published_state(network.state_dict()), path)
    return path
