"""Runs of every kind that a report may be of, as users make them; nothing is computed before it is asked for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from enformer_core.dataset.shard_task import ShardTask
from enformer_core.models.tracks.cross2020 import CROSS2020_HEADS
from enformer_core.models.tracks.targets import read_targets
from jobs.cli import main
from tests.jobs.test_hostile_names import World
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf
from tests.support.wide_runs import begun_wide_run, wide_run

CHEAP = (
    *("--model", "motif_core", "--ray", "off", "--strands", "forward"),
    *("--audit-fraction", "0"),
)
SHARED = ("--max-offset-bp", "8192")

_ALLELES = 50_000
_FEW_TRACKS = 3

_BROKEN = "ValueError: planted: this allele breaks the model"

_LOCUS = "chr22:19689000-19731000"

_MANY_TRACKS = 5_313
_PART_COMMITTED = 2
"""Shards, of some sixty, after which the driver is killed."""


class Runs:
    """Makes runs in a folder.

    Args:
        folder: where they lie.
        data: real sequence and variants.
    """

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        self._data = data
        self._letters = random_letters(4_000)
        self._genome = write_fasta(folder / "g.fa", {"chr1": self._letters})

    def demo(self) -> Path:
        """The run of `enformer-ray demo`."""
        place = self.folder / "demo"
        _done("demo", "--ray", "off", "--out", place)
        return place / "gp1bb-scores"

    def cohort(self) -> Path:
        """1,354 records of real calls, many of them multi-allelic."""
        out = self.folder / "cohort"
        _done(*self._cohort_words(out), "--statistics", "sad,js")
        return out

    def none_scorable(self) -> Path:
        """A run whose input has one allele, which names no sequence."""
        return self._of_records("none_scorable", [("chr1", 1_500, "N", "<DEL>")])

    def one_variant(self) -> Path:
        """A run of one SNV."""
        return self._of_records("one_variant", [self._snv(1_000)])

    def all_failed(self) -> Path:
        """A run each of whose alleles is `failed`, as those are that break their worker."""
        out = self.folder / "all_failed"
        run = begun_wide_run(out, np.zeros((6, 2), "f"), shard_size=3)
        for shard in run.plan.shards:
            run.worker(ShardTask(shard).without(dict.fromkeys(range(shard.rows), _BROKEN)))
        run.ledger.finish(run.plan)
        return out

    def under_way(self) -> Path:
        """The cohort's run, whose driver was killed when some of its shards were there."""
        out = self.folder / "under_way"
        words = map(str, self._cohort_words(out))
        command = [sys.executable, "-m", "jobs.console", *words]
        driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while _receipts(out) < _PART_COMMITTED:
                assert driver.poll() is None, "it has ended before anything was committed"
                time.sleep(0.02)
        finally:
            os.kill(driver.pid, signal.SIGKILL)
            driver.wait()
        assert not (out / "manifest.json").exists()
        return out

    def planned_only(self) -> Path:
        """A run of which nothing is committed yet."""
        out = self.folder / "planned_only"
        begun_wide_run(out, np.ones((300, 2), "f"))
        return out

    def many_tracks(self) -> Path:
        """All 5,313 tracks, with their published names."""
        table = self._data / "tracks" / "targets_human.txt"
        named = read_targets(
            str(table), head="human", count=_MANY_TRACKS, layouts=CROSS2020_HEADS
        ).rows
        rng = np.random.default_rng(1)
        values = rng.standard_t(3, size=(200, _MANY_TRACKS)).astype("f")
        out = self.folder / "many_tracks"
        wide_run(out, values, tracks=named)
        return out

    def many_alleles(self) -> Path:
        """As many alleles as a test can wait for."""
        values = np.random.default_rng(2).standard_t(3, size=(_ALLELES, _FEW_TRACKS)).astype("f")
        out = self.folder / "many_alleles"
        wide_run(out, values, shard_size=10_000)
        return out

    def with_locus(self) -> tuple[Path, list[str]]:
        """A study's variants scored and fine-mapped, and the words by which a report shows their locus."""
        study = self.folder / "study"
        _done("demo", "--gwas", study)
        out, pips = self.folder / "with_locus", study / "pips.tsv"
        genome, genes = study / "chr22.fa.gz", study / "genes.bed"
        sumstats = ("--sumstats", study / "gwas.tsv", "--effect-allele", "A1")
        ld = ("--ld", study / "panel.bed")
        read = (study / "gwas.tsv", "--effect-allele", "A1", "--genome", genome)
        _done("score", *read, *CHEAP, *SHARED, "--tracks", "0,1", "--genes", genes, "--out", out)
        prior = ("--prior", out, "--prior-sql", "max_abs_sad")
        _done("finemap", *sumstats, *ld, *prior, "--out", pips)
        words = ("--locus", _LOCUS, *sumstats, *ld, "--pips", pips, "--genes", genes)
        return out, [*map(str, words)]

    def hostile(self) -> Path:
        """Names that are code, of alleles and of contigs."""
        folder = self.folder / "hostile"
        folder.mkdir()
        world = World(folder)
        assert world.score() == 0
        return world.run

    def _cohort_words(self, out: Path) -> list[object]:
        variants = self._data / "variants" / "dv_cohort-chr20_100k.vcf.gz"
        genome = self._data / "reference" / "grch38.chr20_and_21_10M.fa.gz"
        return ["score", variants, "--genome", genome, *CHEAP, *SHARED, "--out", out]

    def _snv(self, pos: int) -> tuple[str, int, str, str]:
        letter = self._letters[pos - 1]
        return "chr1", pos, letter, OTHER[letter]

    def _of_records(self, name: str, records: list) -> Path:
        vcf = write_vcf(self.folder / f"{name}.vcf", records)
        out = self.folder / name
        words = ["score", vcf, "--genome", self._genome, *CHEAP, "--out", out]
        assert main([*map(str, words)]) == 0
        return out


def _done(*words: object) -> None:
    assert main([*map(str, words)]) == 0


def _receipts(out: Path) -> int:
    return len(list((out / "commits").glob("*.json"))) if (out / "commits").is_dir() else 0
