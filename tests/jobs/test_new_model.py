"""A model that only two files know, its own and that of its rule, is scored, planned and imported as any other."""

import importlib.util
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from enformer_core.genome.alphabet import encode
from enformer_core.models import registry
from enformer_core.models.layers import one_hot

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


def imported(name, text, folder):
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The two files of a new model, as a user would write them; forgotten afterwards."""
    folder = tmp_path_factory.mktemp("toy")
    model = imported("toy_model", MODEL, folder)
    imported("toy_rule", RULE, folder)
    yield model
    del registry.SPECS["toy"], sys.modules["toy_model"], sys.modules["toy_rule"]


@pytest.fixture(scope="module")
def weights(toy, tmp_path_factory):
    """Random parameters in a file under the names that the toy's table says."""
    torch.manual_seed(0)
    network = toy.Toy(toy.SPEC.config)
    for parameter in network.parameters():
        parameter.data.normal_(0.0, 0.7)
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    save_file(toy.SPEC.published_state(network.state_dict()), path)
    return path


@pytest.fixture
def score(run, rows, vcf, genome, weights, tmp_path):
    """Rows of the small VCF, scored with the toy by one engine."""

    def call(engine):
        out = tmp_path / engine
        code, _, error = run(
            *("score", vcf, "--genome", genome, "--out", out, "--engine", engine),
            *("--model", "toy", "--weights", weights, "--head", "yeast", "--tracks", "assay=CAGE"),
            *("--strands", "forward", "--ray", "off", "--mantissa-bits", "23"),
        )
        assert code == 0, error
        return rows(out)

    return call


def expected_sad(toy, weights, letters, row):
    """Σ alt − ref over all bins of the first two tracks, from the network alone."""
    network = registry.ModelSource("toy", str(weights)).build(torch.device("cpu")).double()
    start = row["pos"] - 1 - (512 // 2 - 1)
    sequence = letters[row["chrom"]]
    reference = encode(sequence[start : start + 512])
    alternate = encode(sequence[start : row["pos"] - 1] + row["alt"] + sequence[row["pos"] :])[:512]
    codes = torch.from_numpy(np.stack([reference, alternate]))
    with torch.inference_mode():
        ref, alt = network(one_hot(codes, torch.float64), "yeast", torch.tensor([0, 1]))
    return (alt - ref).sum(dim=0).numpy()


def test_a_new_model_is_scored_by_both_engines(toy, weights, score, letters):
    direct, delta = score("direct"), score("delta")
    scored = [row for row in direct if row["status"] == "ok"]
    assert len(scored) == 5
    for one, other in zip(direct, delta, strict=True):
        assert (one["variant_id"], one["status"]) == (other["variant_id"], other["status"])
        if one["status"] == "ok":
            np.testing.assert_allclose(other["sad"], one["sad"], rtol=1e-4, atol=1e-5)
    for row in scored:
        if len(row["ref"]) == len(row["alt"]) == 1:
            expected = expected_sad(toy, weights, letters, row)
            np.testing.assert_allclose(row["sad"], expected, rtol=1e-4, atol=1e-5)


def test_a_new_model_is_planned(toy, run, vcf, genome):
    settings = ("--genome", genome, "--model", "toy", "--head", "yeast", "--ray", "off")
    code, text, error = run("plan", vcf, *settings)
    assert code == 0, error
    assert "5 distinct alleles" in text


def test_weights_of_a_new_model_are_told_by_their_names(toy, weights, run, tmp_path):
    out = tmp_path / "imported.safetensors"
    code, text, error = run("weights", "import", weights, out, "--list")
    assert code == 0, error
    assert ": toy, yeast (3 tracks)" in text
    assert "output.yeast.bias -> output.yeast.bias" in text
    assert set(load_file(out)) < set(load_file(weights))  # all but the counter of batches


def test_a_name_cannot_be_taken_twice(toy):
    with pytest.raises(ValueError, match="there is a model toy already"):
        registry.register(toy.SPEC)
