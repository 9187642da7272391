"""Runs of links and insulators that die after any of their objects are continued, by other hardware, to sound runs."""

from dataclasses import dataclass

import numpy as np
import pytest

from enformer_core.analyses.insulator_computation import InsulatorComputation, InsulatorsLoader
from enformer_core.analyses.link_computation import LinkComputation, LinksLoader
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.attribution import Attribution
from jobs.cli import main
from tests.support.dying import deaths, puts_of
from tests.support.genomes import random_letters, write_fasta


@dataclass(frozen=True)
class FakeModel:
    """Values that follow from the letters and, a little, from the hardware; no model."""

    hardware: int

    def attribute(self, codes, bins):
        random = np.random.default_rng(int(codes.sum()))
        gradients = random.normal(size=(2, codes.size, 4)) + 1e-3 * self.hardware
        return Attribution(np.ones(2), gradients, np.full((1, 1536), 1 / 1536))

    def effects(self, alleles, start):
        reference = np.full((896, 2), 1 + 1e-3 * self.hardware, np.float32)
        return [AlleleEffect(reference, -reference / len(each.ref), {}) for each in alleles]

    def maps(self, codes):
        random = np.random.default_rng(int(codes.sum()))
        return random.uniform(1, 2 + 1e-3 * self.hardware, (1, 96, 96)).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    """Two genes and two elements; two boundaries of contigs that are larger than a window."""
    genome = {"chr1": random_letters(230_000), "chr2": random_letters(230_000, 1)}
    write_fasta(tmp_path / "g.fa", genome)
    (tmp_path / "genes.bed").write_text("chr1\t900\t999\ta\t0\t+\nchr2\t900\t1999\tb\t0\t-\n")
    (tmp_path / "elements.bed").write_text("chr1\t2000\t2400\nchr2\t3000\t3400\n")
    (tmp_path / "boundaries.bed").write_text("chr1\t100000\t100100\nchr2\t100000\t100100\n")
    return tmp_path


def link(files, out):
    words = ["links", "--genes", files / "genes.bed", "--candidates", files / "elements.bed"]
    words += ["--group", "a=1", "--group", "b=2", "--shuffles", "1"]
    return main(
        [
            *map(str, words),
            *("--scores", "gradient,attention,mutagenesis,shuffles"),
            *("--genome", str(files / "g.fa"), "--model", "motif", "--ray", "off"),
            *("--out", str(out)),
        ]
    )


def insulate(files, out):
    words = ["insulators", files / "boundaries.bed", "--gc-within", "1", "--apart-bp", "128"]
    words += ["--boundary-bp", "256", "--genome", files / "g.fa", "--model", "motif"]
    return main([*map(str, words), "--ray", "off", "--out", str(out)])


def use(hardware, files, monkeypatch):
    """What the workers of the attempts that follow have for a model."""
    fake, genome = FakeModel(hardware), Genome(files / "g.fa")

    def links(self, resources, planned_contigs):
        tracks = self.inputs.tracks
        return LinkComputation(fake, fake, genome, self.geometry, self.spec, tracks)

    def insulators(self, resources, planned_contigs):
        return InsulatorComputation(fake, genome, self.geometry, self.boundary_tokens)

    monkeypatch.setattr(LinksLoader, "load", links)
    monkeypatch.setattr(InsulatorsLoader, "load", insulators)


@pytest.mark.parametrize(("command", "tables"), [(link, 1), (insulate, 2)])
def test_death_after_any_object_is_survived(command, tables, files, monkeypatch, capsys):
    use(0, files, monkeypatch)
    objects = puts_of(lambda: command(files, files / "whole"), monkeypatch)
    shards = sum(key.startswith("commits/") for key in objects)
    assert shards >= 2
    # the run, and again to see whether the store minds; tracks, plan; tables and a receipt of each shard; manifest
    assert len(objects) == 4 + (tables + 1) * shards + 1
    use(1, files, monkeypatch)
    for last in deaths(lambda at: command(files, files / f"{at}"), len(objects), monkeypatch):
        use(2, files, monkeypatch)
        assert command(files, files / f"{last}") == 0
        assert main(["verify", str(files / f"{last}")]) == 0
        use(1, files, monkeypatch)
    capsys.readouterr()
