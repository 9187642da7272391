"""A small genome and VCF, and the command as a user calls it."""

import json
import shutil
from functools import cache

import pytest

from jobs.cli import main
from tests.support.genomes import OTHER, random_letters, write_fasta
from tests.support.vcf import write_vcf

CONTIG_BP = 4_000


@pytest.fixture(scope="session")
def genome(tmp_path_factory):
    """A contig of random letters, much smaller than a window."""
    letters = random_letters(CONTIG_BP)
    path = tmp_path_factory.mktemp("genome") / "small.fa"
    return write_fasta(path, {"chr1": letters, "chr2": letters[::-1]})


@pytest.fixture(scope="session")
def letters(genome):
    """The letters of both contigs by name, as they stand in the file."""
    lines = genome.read_text().split("\n")
    return {"chr1": lines[1], "chr2": lines[3]}


@pytest.fixture
def vcf(tmp_path, letters):
    """Four records, six ALTs: an SNV, a multi-allelic site, a deletion, and a symbolic allele."""
    return write_small(tmp_path, letters)


@pytest.fixture(scope="session")
def _finished(tmp_path_factory, genome, letters):
    """Runs of `score` over the small VCF, each computed once."""
    folder = tmp_path_factory.mktemp("finished")
    given = ["score", str(write_small(folder, letters)), "--genome", str(genome)]

    @cache
    def finished(*options):
        out = tmp_path_factory.mktemp("finished") / "run"
        assert main([*given, "--out", str(out), *options]) == 0
        return out

    return finished


@pytest.fixture
def finished(_finished, tmp_path, capsys):
    """A copy of the small VCF's run by these options: what takes seconds is computed once for all tests."""

    def copy(name, *options):
        out = _finished(*options)
        capsys.readouterr()  # what was said when it was computed
        return shutil.copytree(out, tmp_path / name)

    return copy


def write_small(folder, letters):
    one = letters["chr1"]
    two = letters["chr2"]
    return write_vcf(
        folder / "small.vcf",
        [
            ("chr1", 1000, one[999], OTHER[one[999]]),
            ("chr1", 2000, one[1999], ",".join(sorted(set("ACGT") - {one[1999]}))),
            ("chr2", 500, two[499:503], two[499]),
            ("chr2", 600, two[599], "<DEL>"),
        ],
    )


@pytest.fixture
def run(capsys):
    """Call the command; gives the exit code, stdout and stderr."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def rows(run):
    """The rows of a query on a run."""

    def ask(out, sql="FROM scores SELECT * EXCLUDE (input_file) ORDER BY input_line, alt_index"):
        code, text, error = run("query", out, sql, "--json")
        assert code == 0, error
        return json.loads(text)

    return ask
