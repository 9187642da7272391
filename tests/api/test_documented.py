"""The lines of Python in the documents run as they stand, with the demonstration model in Enformer's place."""

import re
from pathlib import Path

import pytest

import enformer_core
from enformer_core import Scorer, open_run
from jobs.cli import main
from tests.support.genomes import write_fasta
from tests.support.vcf import write_vcf

ROOT = Path(__file__).parents[2]

BLOCKS = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

# a site of GATA1 whose fifth base is the one that the documents change
LETTERS = ("N" * 4_699_600 + "AGATAAGA").ljust(4_800_000, "N")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """What the documents name: a genome, and the run of a variant."""
    folder = tmp_path_factory.mktemp("documented")
    genome = write_fasta(folder / "hg38.fa", {"chr20": LETTERS})
    vcf = write_vcf(folder / "a.vcf", [("chr20", 4_699_605, "A", "G")])
    out = folder / "scores"
    words = ["score", vcf, "--genome", genome, "--model", "motif", "--out", out, "--ray", "off"]
    assert main([str(word) for word in words]) == 0
    return genome, out


@pytest.mark.parametrize(("page", "blocks"), [("README.md", 1), ("docs/python.md", 5)])
def test_the_lines_run_and_give_what_is_said(page, blocks, named, tmp_path, monkeypatch):
    # pictures are saved where one stands
    monkeypatch.chdir(tmp_path)
    genome_here, out = named
    models = []

    def scorer(model, *, weights, genome):
        models.append((model, weights, genome))
        return Scorer("motif", genome=genome_here)

    monkeypatch.setattr(enformer_core, "Scorer", scorer, raising=False)
    monkeypatch.setattr(enformer_core, "open_run", lambda uri: open_run(out), raising=False)
    found = BLOCKS.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(found) == blocks
    namespace = {}
    for block in found:
        exec(block, namespace)
    assert models[0] == ("enformer", "pytorch_model.bin", "hg38.fa")
    effect = namespace["effect"]
    assert effect.variant_id == "chr20:4699605:A:G"
    assert effect.ref.shape == (896, 8)
    assert effect.statistics["sad"][1] == pytest.approx(-10, abs=0.1)
    if "prediction" in namespace:
        # as the command has 1-based numbers with both ends, and the page's have one base too many for a window
        prediction = namespace["prediction"]
        assert (prediction.start, prediction.end) == (4_640_960, 4_755_648)
        assert namespace["strongest"].collect()["pos"].to_list() == [4_699_605]
        assert namespace["run"].status.finished


def test_scores_are_put_beside_the_effects_of_a_gwas(tmp_path, monkeypatch):
    genome = write_fasta(tmp_path / "hg38.fa", {"chr20": "C" * 500 + "AGATAAGA".ljust(500, "C")})
    table = tmp_path / "sumstats.tsv"
    rows = ["rs1\tchr20\t505\tG\tA\t0.5", "rs2\tchr20\t506\tA\tG\t0.25"]
    table.write_text("\n".join(["SNP\tchr\tpos\teffect_allele\tother_allele\tBETA", *rows, ""]))
    words = [
        "score",
        table,
        "--genome",
        genome,
        "--model",
        "motif",
        "--tracks",
        "1",
        "--ray",
        "off",
    ]
    words += ["--strands", "forward", "--audit-fraction", "0", "--out", tmp_path / "gwas"]
    assert main([str(word) for word in words]) == 0
    monkeypatch.chdir(tmp_path)
    (block,) = BLOCKS.findall((ROOT / "docs/variants.md").read_text(encoding="utf-8"))
    namespace = {}
    exec(block, namespace)
    beside = {row["SNP"]: row for row in namespace["beside"].to_dicts()}
    # of rs1 the effect allele takes the site away; of rs2 it is the genome's, which has the site
    assert beside["rs1"]["sad_of_effect_allele"] == pytest.approx(-10, abs=0.1)
    assert beside["rs2"]["sad_of_effect_allele"] == pytest.approx(10, abs=0.1)
    assert beside["rs2"]["BETA"] == 0.25
