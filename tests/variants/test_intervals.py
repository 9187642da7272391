"""An END in a VCF's INFO against POS and REF: it is told where it is another base, and only there."""

import pytest

from enformer_core.genome.fasta import Genome
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source
from enformer_core.variants.table import Flag, has_flag
from tests.support.genomes import write_fasta
from tests.support.vcf import HEADER

#                 1234567890
LETTERS = {"chr1": "ACGTTGGAAC"}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(write_fasta(tmp_path_factory.mktemp("genome") / "ten.fa", LETTERS))


@pytest.fixture
def flagged(tmp_path, genome):
    """Of each ALT of some records (pos, ref, alt, info), whether its END disagrees."""

    def call(records):
        path = tmp_path / "x.vcf"
        lines = [f"chr1\t{pos}\t.\t{ref}\t{alt}\t.\t.\t{info}\n" for pos, ref, alt, info in records]
        path.write_text(HEADER + "".join(lines))
        tables = [
            harmonise_alleles(raw, genome, max_allele_bp=5) for raw in open_source(path).batches()
        ]
        return [
            flag for table in tables for flag in has_flag(table, Flag.END_DISAGREES).to_pylist()
        ]

    return call


@pytest.mark.parametrize(
    ("record", "differs"),
    [
        ((4, "T", "G", "END=4"), False),
        ((4, "TTG", "T", "END=6"), False),
        ((4, "TTG", "T", "SVTYPE=DEL;END=6;AC=1"), False),
        ((4, "TTG", "T", "END=7"), True),
        ((4, "T", "G", "AC=1;END=900"), True),
        ((4, "T", "G", "CIEND=900"), False),
        ((4, "T", "G", "."), False),
        ((4, "T", "G", "END=."), False),
        # of these END is how long they are
        ((4, "T", "<DEL>", "END=900"), False),
        ((4, "T", ".", "END=900"), False),
        ((4, "T", "G,<NON_REF>", "END=900"), False),
        ((4, "T", "T[chr1:9[", "END=900"), False),
    ],
)
def test_an_end_that_is_another_base_is_flagged(flagged, record, differs):
    alts = record[2].count(",") + 1
    assert flagged([record]) == [differs] * alts


def test_every_alt_has_it_and_records_beside_have_not(flagged):
    records = [(4, "T", "G,C", "END=9"), (6, "G", "A", "AC=1"), (8, "A", "C", "END=8")]
    assert flagged(records) == [True, True, False, False]


def test_of_a_bcf_too(tmp_path, genome):
    pysam = pytest.importorskip("pysam")
    definitions = [
        "##contig=<ID=chr1,length=10>",
        '##INFO=<ID=END,Number=1,Type=Integer,Description="end">',
    ]
    records = [
        f"chr1\t4\t.\tT\t{alt}\t.\t.\t{info}"
        for alt, info in (("G", "END=9"), ("G", "END=4"), ("<DEL>", "END=9"), ("G", "."))
    ]
    version, names = HEADER.splitlines()
    text = "\n".join([version, *definitions, names, *records, ""])
    (tmp_path / "x.vcf").write_text(text)
    with (
        pysam.VariantFile(str(tmp_path / "x.vcf")) as read,
        pysam.VariantFile(str(tmp_path / "x.bcf"), "wb", header=read.header) as written,
    ):
        for record in read:
            written.write(record)
    [raw] = open_source(tmp_path / "x.bcf").batches()
    placed = harmonise_alleles(raw, genome, max_allele_bp=5)
    assert has_flag(placed, Flag.END_DISAGREES).to_pylist() == [True, False, False, False]
