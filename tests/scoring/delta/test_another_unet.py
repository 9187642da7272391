"""A model with a skip that one file knows, of another architecture than the published: scored by differences as it is.

Its levels pool by attention, as Enformer's do, it has one doubling.
"""

import importlib.util
import sys

import numpy as np
import pytest
import torch

from enformer_core.genome.fasta import Genome
from enformer_core.scoring.conventions import INDEL_RULES
from tests.scoring.delta.test_engine import KINDS, allele, assert_same, both, conventions_of
from tests.support.small_models import randomised, write_genome

MODEL = '''
"""Levels that pool by attention, a transformer, one doubling that reads the last level before its pooling."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from enformer_core.models.attention import Attention
from enformer_core.models.base import HeadedNetwork, linear_heads
from enformer_core.models.blocks import AttentionPooledLevel, Blocks, Doubling, UNetTrunk
from enformer_core.models.config import ModelConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.layers import NormGeluConv, SeparableConv, SoftmaxPool, tanh_gelu
from enformer_core.models.transformer import TransformerLayer


@dataclass(frozen=True, kw_only=True)
class ToyConfig(ModelConfig):
    # of 128 bins of 8 bp, two to a token, 13 are cropped at either end: no whole tokens
    geometry: Geometry = Geometry(window_bp=1024, bin_bp=8, bins=102, bins_per_token=2)
    output_tracks: Mapping[str, int] = field(default_factory=lambda: {"human": 5})
    widths: tuple[int, ...] = (6, 8, 10, 12)


class Level(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv = NormGeluConv(inputs, outputs, width=3)
        self.pointwise = NormGeluConv(outputs, outputs, width=1)
        self.pool = SoftmaxPool(outputs)

    def before_pooling(self, x):
        x = self.conv(x)
        return x + self.pointwise(x)


class Toy(HeadedNetwork):
    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        first, *widths = config.widths
        self.stem = nn.Conv1d(4, first, 5, padding=2)
        self.stem_pointwise = NormGeluConv(first, first, width=1)
        self.stem_pool = SoftmaxPool(first)
        pairs = zip(config.widths, widths, strict=False)
        self.levels = nn.ModuleList(Level(*pair) for pair in pairs)
        channels = widths[-1]
        attention = Attention(channels, heads=3, key_channels=4, positional_features=6)
        self.layers = nn.ModuleList([TransformerLayer(channels, attention)])
        self.incoming_norm = nn.BatchNorm1d(channels)
        self.skip_norm = nn.BatchNorm1d(channels)
        self.skip_dense = nn.Linear(channels, channels)
        self.separable = SeparableConv(channels, width=5)
        self.heads = linear_heads(channels, config.output_tracks)

    def _read(self, one_hot):
        x = self.stem(one_hot.mT)
        x = self.stem_pool(x + self.stem_pointwise(x))
        for level in self.levels:
            skip = level.before_pooling(x)
            x = level.pool(skip)
        return x, skip

    def tokens(self, one_hot):
        return self._read(one_hot)[0].mT

    def embed(self, one_hot):
        x, skip = self._read(one_hot)
        x = x.mT
        for layer in self.layers:
            x = layer(x)
        doubled = tanh_gelu(self.incoming_norm(x.mT)).repeat_interleave(2, dim=-1)
        added = self.skip_dense(tanh_gelu(self.skip_norm(skip)).mT).mT
        x = self.separable(doubled + added)
        crop = self.geometry.crop_bins
        return tanh_gelu(x[..., crop : x.shape[-1] - crop]).mT

    def blocks(self):
        stem = AttentionPooledLevel(None, self.stem, self.stem_pointwise, self.stem_pool)
        levels = [
            AttentionPooledLevel(level.conv.norm, level.conv.conv, level.pointwise, level.pool)
            for level in self.levels
        ]
        doubling = Doubling(
            self.incoming_norm, None, self.skip_norm, self.skip_dense, self.separable
        )
        trunk = UNetTrunk(
            geometry=self.geometry,
            layers=tuple(layer.block() for layer in self.layers),
            doublings=(doubling,),
            final_norm=None,
            final_conv=None,
            heads={name: self.head(name) for name in self.heads},
        )
        return Blocks(levels=(stem, *levels), trunk=trunk, skip_levels=(len(levels),))
'''

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy_unet.py"
    path.write_text(MODEL)
    spec = importlib.util.spec_from_file_location("toy_unet", path)
    module = sys.modules["toy_unet"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield randomised(module.Toy(module.ToyConfig()))
    del sys.modules["toy_unet"]


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(str(write_genome(tmp_path_factory.mktemp("genome") / "g.fa")))


@pytest.mark.parametrize("kind", KINDS)
def test_differences_are_those_of_two_passes(model, genome, kind):
    conventions = conventions_of(model, shifts=(0, 3))
    assert_same(*both(model, genome, conventions, [allele(genome, 9_000, kind)]))


@pytest.mark.parametrize("rule", INDEL_RULES)
@pytest.mark.parametrize("start", [1, 12_345, 29_990])
def test_indels_and_the_ends_of_a_contig(model, genome, rule, start):
    conventions = conventions_of(model, indel_rule=rule)
    alleles = [allele(genome, start, kind) for kind in ("snv", "insertion", "deletion")]
    pairs = (2, 1, 0, 4, 3)
    assert_same(*both(model, genome, conventions, alleles, pairs=pairs), may_be_nothing=True)


def test_shared_windows_equal_windows_of_their_own(model, genome):
    conventions = conventions_of(model, max_offset_bp=40, central_bins=20)
    centre = 9_040 + conventions.centre_index
    kinds = ("snv", "insertion", "deletion", "mnv")
    alleles = [
        allele(genome, centre + offset, kind) for kind in kinds for offset in (-40, -7, 0, 39)
    ]
    assert_same(*both(model, genome, conventions, alleles))


def test_a_base_changes_what_the_doubling_adds(model, genome):
    letters = torch.zeros(1, 1024, 4, dtype=torch.float64)
    letters[..., 0] = 1
    other = letters.clone()
    other[0, 500] = torch.tensor([0.0, 0, 1, 0])
    with torch.no_grad():
        moved = (model._read(other)[1] - model._read(letters)[1]).abs().amax(dim=1)[0]
    assert 0 < np.count_nonzero(moved.numpy()) < 20
