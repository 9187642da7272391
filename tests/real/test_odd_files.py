"""Files as people have them: each is read as its README says, or refused by a message that names what is wrong.

Read as `plan` reads them, on the genome that they are of, without a model.
"""

import re

import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.assembly_check import check_assembly
from enformer_core.variants.columns_taken import columns_taken
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source

FIRST = ("chr20", 1000000, "T", "G")
SECOND = ("chr20", 1000002, "G", "A")
BASE = [("ok", FIRST), ("ok", SECOND)]

# 0-based places: what each file's records are, and what is said of its columns
ANSWERS = {
    "annovar.avinput": (
        [*BASE, ("ok", ("chr20", 1000002, "GAA", "G"))],
        "ANNOVAR input.*chrom column 1, pos column 2, end column 3.*as each record's END shows",
    ),
    "base.tsv": (BASE, "ref REF, alt ALT; positions from 1"),
    "chrpos.sumstats": (BASE, "place SNP, effect allele A1.*recognised: LDSC"),
    "commahead.csv": (BASE, "CSV.*chrom CHR, pos BP"),
    "doubletab.vcf": ([("ok", FIRST)], "VCF"),
    "equiv.tsv": ([("ok", SECOND)] * 4 + [("ok", ("chr20", 1000000, "TGG", "CGA"))], "ref ref"),
    "floatchr.tsv": (BASE, "effect allele A1, other allele A2.*ASSUMED"),
    "headtab.txt": (BASE, "chrom CHR"),
    "munged.tsv": ([("ok", FIRST)], "effect allele A1.*ASSUMED.*give --effect-allele A2"),
    "other.tsv": (BASE, "ref REF"),
    "padded.tsv": ([("ok", FIRST)], "chrom CHR"),
    "pgs_rsid.txt": (BASE, "chrom hm_chr, pos hm_pos, effect allele effect_allele"),
    "quoted.tsv": ([("ok", FIRST)], "chrom CHR"),
    "rownames20.tsv": (BASE, "chrom CHR, pos BP, ref REF, alt ALT"),
    "sci.tsv": (
        [("ok", FIRST), ("malformed", None), ("ok", SECOND), ("malformed", None)],
        "effect allele A1",
    ),
}


@pytest.fixture(scope="module")
def odd_genome(data_dir):
    return Genome(data_dir / "reference" / "grch38.chr20_and_21_10M.fa.gz")


@pytest.fixture
def read(data_dir, odd_genome):
    """What is said of a file's columns, and its rows."""

    def call(name, **how):
        source = open_source(data_dir / "odd_files" / name, **how)
        check_assembly(source, odd_genome)
        placed = [
            row
            for batch in source.batches()
            for row in harmonise_alleles(batch, odd_genome, max_allele_bp=100).to_pylist()
        ]
        return str(columns_taken([source])[0]), placed

    return call


def allele(row):
    return (row["chrom"], row["start"], row["ref"], row["alt"])


@pytest.mark.parametrize("name", ANSWERS)
def test_odd_files_are_read(read, name):
    expected, said = ANSWERS[name]
    text, rows = read(name)
    found = [(row["status"], allele(row) if row["status"] == "ok" else None) for row in rows]
    assert found == expected
    assert re.search(said, text), text


def test_annovars_input_counts_from_1(read, data_dir):
    _, rows = read("annovar3.avinput")
    lines = (data_dir / "odd_files" / "annovar3.avinput").read_text().splitlines()
    written = [line.split("\t")[:5] for line in lines]
    assert {row["status"] for row in rows} == {"ok"}
    assert [allele(row) for row in rows] == [
        (f"chr{chrom}", int(start) - 1, ref, alt) for chrom, start, _, ref, alt in written
    ]


def test_the_effect_allele_can_be_said(read):
    _, [assumed] = read("munged.tsv")
    text, [given] = read("munged.tsv", columns=GivenColumns(effect_allele="A2"))
    assert (assumed["effect_sign"], given["effect_sign"]) == (-1, 1)
    assert allele(assumed) == allele(given)
    assert "effect allele A2, other allele A1" in text
    assert "--effect-allele says so" in text


def test_lists_of_python_are_bad_alleles(read):
    _, rows = read("pylist.tsv")
    assert {row["status"] for row in rows} == {"bad_allele"}
    named = [re.match(r"ALT has (.*), which is not", row["reason"])[1] for row in rows]
    assert named == ["'['", "'['", '"\'"']


def test_a_vcf_of_a_spreadsheet_is_refused(read):
    with pytest.raises(InputError, match=r"excel\.vcf: line 2 is quoted"):
        read("excel.vcf")
