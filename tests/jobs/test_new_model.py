"""A model that only two files know, its own and that of its rule, is scored, planned and imported as any other."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from enformer_core.genome.alphabet import encode
from enformer_core.models import registry
from enformer_core.models.layers import one_hot
from tests.support.new_model import known_toy, write_weights


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The two files of a new model, as a user would write them; forgotten afterwards."""
    with known_toy(tmp_path_factory.mktemp("toy")) as model:
        yield model


@pytest.fixture(scope="module")
def weights(toy, tmp_path_factory):
    """Random parameters in a file under the names that the toy's table says."""
    return write_weights(toy, tmp_path_factory.mktemp("weights") / "toy.safetensors")


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
