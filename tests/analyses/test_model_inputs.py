"""A node whose files are others than those of the plan computes nothing: the real loaders of both kinds of run."""

import platform

import pytest

import jobs.job
from enformer_core.analyses.base import WorkerFactory, WorkerResources
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.analyses.tiles import TilesLoader
from enformer_core.analyses.variant_effects import VariantEffectsLoader
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.models.registry import ModelSource
from jobs.cli import main
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.toy_runs import CONVENTIONS, score_spec
from tests.support.vcf import write_vcf

RESOURCES = WorkerResources("cpu", 1, 0, 1 << 30)
LETTERS = random_letters(2_000)


@pytest.fixture
def genome(tmp_path):
    """A FASTA of two contigs, and a third that no run reads."""
    contigs = {"chr1": LETTERS, "chr2": LETTERS[::-1], "chr3": "ACGT"}
    return write_fasta(tmp_path / "small.fa", contigs)


def loaders(genome, weights_sha256):
    inputs = ModelInputs("motif", None, weights_sha256, "human", (0, 1), str(genome))
    return [VariantEffectsLoader(inputs, score_spec(CONVENTIONS)), TilesLoader(inputs, "both")]


@pytest.fixture
def planned(genome):
    """What `run.json` says of both contigs."""
    return {name: Genome(genome).sha256(name) for name in ("chr1", "chr2")}


@pytest.mark.parametrize("kind", [0, 1], ids=["score", "tiles"])
@pytest.mark.parametrize(
    ("contigs", "contig", "found"),
    [
        ({"chr1": LETTERS, "chr2": LETTERS}, "chr2", None),
        ({"chr1": LETTERS.lower() + "A", "chr2": LETTERS[::-1]}, "chr1", None),
        ({"chr1": LETTERS}, "chr2", "of no such contig"),
    ],
    ids=["other letters", "another length", "missing"],
)
def test_another_genome_on_a_node_is_refused(kind, contigs, contig, found, genome, planned):
    weights_sha256 = ModelSource("motif", None).weights_sha256()
    write_fasta(genome, contigs)
    here = found or Genome(genome).sha256(contig)
    with pytest.raises(InputError) as refused:
        loaders(genome, weights_sha256)[kind].load(RESOURCES, planned)
    assert str(refused.value) == (
        f"{genome}: contig {contig}: sha256 is {here} on {platform.node()}, and {planned[contig]} "
        "where the run was planned. Give every node the same file."
    )


@pytest.mark.parametrize("kind", [0, 1], ids=["score", "tiles"])
def test_other_weights_on_a_node_are_refused(kind, genome, planned):
    here = ModelSource("motif", None).weights_sha256()
    with pytest.raises(InputError) as refused:
        loaders(genome, "0" * 64)[kind].load(RESOURCES, planned)
    said = str(refused.value)
    assert f"sha256 is {here} on {platform.node()}, and {'0' * 64} where the run" in said
    assert "Give every node the same file." in said


def test_the_same_letters_in_another_file_are_the_same_genome(genome, planned):
    letters = LETTERS.lower()
    genome.write_text(
        f">chr2 of\r\n{LETTERS[::-1]}\r\n>chr1\r\n{letters[:60]}\r\n{letters[60:]}\r\n"
    )
    loader = loaders(genome, ModelSource("motif", None).weights_sha256())[0]
    loader.load(RESOURCES, planned)


def test_a_genome_that_changes_after_planning_stops_the_run(tmp_path, genome, monkeypatch, capsys):
    """As where one machine of a cluster has another file: between plan and worker it is exchanged."""
    vcf = write_vcf(tmp_path / "a.vcf", [("chr1", 1000, LETTERS[999], OTHER[LETTERS[999]])])
    make_pool = jobs.job.make_pool

    def exchange(settings, workers, factory, unit, control):
        assert isinstance(factory, WorkerFactory)
        write_fasta(genome, {"chr1": LETTERS[::-1], "chr2": LETTERS})
        return make_pool(settings, workers, factory, unit, control)

    monkeypatch.setattr(jobs.job, "make_pool", exchange)
    out = tmp_path / "run"
    where = ["score", str(vcf), "--genome", str(genome), "--out", str(out)]
    assert main([*where, "--model", "motif", "--tracks", "0", "--ray", "off"]) == 2
    said = capsys.readouterr().err
    assert f"{genome}: contig chr1: sha256 is " in said
    assert "Give every node the same file." in said
    assert not (out / "commits").exists()
