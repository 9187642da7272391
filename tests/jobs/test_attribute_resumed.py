"""A run of contributions that dies after any of its objects is continued, by other hardware, to tables that agree."""

from dataclasses import dataclass

import numpy as np
import pytest

from enformer_core.analyses.contribution_computation import (
    ContributionComputation,
    ContributionsLoader,
)
from enformer_core.api.run_tables import open_run
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.attribution import Attribution
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from tests.support.genomes import random_letters, write_fasta


@dataclass(frozen=True)
class FakeAttributor:
    """Values that follow from the letters and, a little, from the hardware; no model."""

    hardware: int

    def attribute(self, codes, bins):
        random = np.random.default_rng(int(codes.sum()))
        gradients = random.normal(size=(2, codes.size, 4)) + 1e-3 * self.hardware
        return Attribution(np.ones(2), gradients, np.full((1, 1536), 1 / 1536))


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Attribute two targets, one in each shard; `hardware` is what the workers of this attempt have."""
    genome = write_fasta(tmp_path / "g.fa", {"chr1": random_letters(5_000)})
    (tmp_path / "t.bed").write_text("chr1\t1000\t1384\tone\nchr1\t3000\t3384\ttwo\n")
    words = ["attribute", tmp_path / "t.bed", "--genome", genome, "--model", "motif"]
    words += ["--group", "a=1", "--group", "b=2", "--attention", "--ray", "off"]

    def call(out, hardware):
        def load(self, resources, planned_contigs):
            fake = FakeAttributor(hardware)
            return ContributionComputation(fake, Genome(genome), self.geometry, self.spec)

        monkeypatch.setattr(ContributionsLoader, "load", load)
        return main([*map(str, words), "--out", str(out)])

    return call


class DeadError(BaseException):
    """What ends a process at once; nobody catches it."""


def test_death_after_any_object_is_survived(command, tmp_path, monkeypatch, capsys):
    put = LocalStore.put_if_absent
    objects = []
    monkeypatch.setattr(
        LocalStore,
        "put_if_absent",
        lambda self, key, content: _noted(objects, put, self, key, content),
    )
    assert command(tmp_path / "whole", 0) == 0
    keys = [key for key in objects if key.startswith("contribution")]
    assert (
        len(objects) >= 3 + 2 * 4 + 1
    )  # run, tracks, plan; three tables and a receipt each; manifest
    assert len(keys) == 4
    for last in range(1, len(objects)):
        out = tmp_path / f"died-{last}"
        monkeypatch.setattr(LocalStore, "put_if_absent", _dying(put, last))
        with pytest.raises(DeadError):
            command(out, 1)
        monkeypatch.setattr(LocalStore, "put_if_absent", put)
        assert command(out, 2) == 0
        assert main(["verify", str(out)]) == 0
        _check_sums(out)
    capsys.readouterr()


def _noted(objects, put, store, key, content):
    objects.append(key)
    return put(store, key, content)


def _dying(put, last):
    """Puts `last` objects, and dies."""
    done = []

    def dying(self, key, content):
        if len(done) == last:
            raise DeadError
        done.append(key)
        return put(self, key, content)

    return dying


def _check_sums(out):
    """Sums follow from the contributions that are stored, whichever attempt has stored them."""
    run = open_run(out)
    bins = run.table("contribution_bins").collect()
    for row in run.table("contributions").collect().to_dicts():
        sums = np.array(row["values"], np.float64).reshape(1536, 128).sum(axis=1)
        found = bins.filter(target=row["target"], group=row["group"]).sort("start")["value"]
        np.testing.assert_array_equal(found.to_numpy(), sums.astype(np.float32))
