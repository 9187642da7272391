"""A small genome and VCF, and the command as a user calls it."""

import json
import random

import pytest

from jobs.cli import main

CONTIG_BP = 4_000


@pytest.fixture(scope="session")
def genome(tmp_path_factory):
    """A contig of random letters, much smaller than a window."""
    path = tmp_path_factory.mktemp("genome") / "small.fa"
    letters = "".join(random.Random(0).choices("ACGT", k=CONTIG_BP))
    path.write_text(f">chr1\n{letters}\n>chr2\n{letters[::-1]}\n")
    return path


@pytest.fixture(scope="session")
def letters(genome):
    """Both contigs as text."""
    lines = genome.read_text().split("\n")
    return {"chr1": lines[1], "chr2": lines[3]}


def write_vcf(path, records):
    """A VCF of (chrom, 1-based pos, ref, alt)."""
    body = "".join(
        f"{chrom}\t{pos}\t.\t{ref}\t{alt}\t.\t.\t.\n" for chrom, pos, ref, alt in records
    )
    path.write_text(f"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n{body}")
    return path


@pytest.fixture
def vcf(tmp_path, letters):
    """Four records, six ALTs: an SNV, a multi-allelic site, a deletion, and a symbolic allele."""
    one, two = letters["chr1"], letters["chr2"]
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}
    return write_vcf(
        tmp_path / "small.vcf",
        [
            ("chr1", 1000, one[999], other[one[999]]),
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
