"""A small genome and VCF, and the command as a user calls it."""

import json

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
    one = letters["chr1"]
    two = letters["chr2"]
    return write_vcf(
        tmp_path / "small.vcf",
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
