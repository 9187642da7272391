"""Records that name an assembly that is not the genome's."""

import pyarrow as pa
import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.named_assemblies import doubts_of_assembly, of_one_assembly
from enformer_core.variants.source import open_source

NAMED = {
    "id\nNC_000020.10:4:T:G\n": "GRCh37",
    "id\nNC_000020.11:4:T:G\n": None,
    "chr\tpos\tref\talt\nNC_000020.10\t5\tT\tG\n": "GRCh37",
    "chr\tpos\tid\tref\talt\n20\t5\tNC_000020.10:g.5T>G\tT\tG\n": "GRCh37",
    "variant_id\n20_5_T_G_b37\n": "GRCh37",
    "variant_id\n20_5_T_G_hg19\n": "GRCh37",
    "variant_id\n20_5_T_G_b38\n": None,
    "chr\tpos\tref\talt\tgenome_build\n20\t5\tT\tG\tGRCh37.p13\n": "GRCh37",
    "chr\tpos\tref\talt\tbuild\n20\t5\tT\tG\t36\n": "NCBI36",
    "chr\tpos\tref\talt\tbuild\n20\t5\tT\tG\thg38\n": None,
    "chr\tpos\tref\talt\tbuild\n20\t5\tT\tG\tNA\n": None,
}


@pytest.mark.parametrize("text", NAMED)
@pytest.mark.parametrize("genome", [("x.fa", "GRCh38 (hg38)"), ("grch38.chr20.fa.gz", None)])
def test_another_assembly_is_said(tmp_path, text, genome):
    path = tmp_path / "x.tsv"
    path.write_text(text)
    notes = doubts_of_assembly(open_source(path), *genome)
    assert [note.split("records name ")[1].split(" ")[0] for note in notes] == (
        [NAMED[text]] if NAMED[text] else []
    )


def test_a_genome_of_which_nothing_is_known(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("id\nNC_000020.10:4:T:G\n")
    assert not doubts_of_assembly(open_source(path), "x.fa", None)
    path.write_text("id\nNC_000020.10:4:T:G\nNC_000020.11:4:T:G\n")
    assert len(doubts_of_assembly(open_source(path), "x.fa", None)) == 2


CLINVAR = (
    "#AlleleID\tName\tRS# (dbSNP)\tAssembly\tChromosome\tStart\tStop\tReferenceAllele\tAlternateAllele\tVariationID"
    "\tPositionVCF\tReferenceAlleleVCF\tAlternateAlleleVCF\n"
    "15\tNM_1(A):c.1A>G\t-1\tGRCh37\t1\t4\t4\tna\tna\t7\t4\tT\tG\n"
    "15\tNM_1(A):c.1A>G\t-1\tGRCh38\t1\t5\t5\tna\tna\t7\t5\tA\tG\n"
    "16\tNM_1(A):c.1_2insT\t-1\tGRCh38\t1\t5\t6\tna\tna\t8\t5\tA\tAT\n"
    "17\tNM_1(A):c.2del\t-1\tGRCh38\t1\t6\t6\tna\tna\t9\t5\tAC\tA\n"
    "18\tGRCh38 1p36(1-9)x3\t-1\tna\tna\t-1\t-1\tna\tna\t10\t-1\tna\tna\n"
)
"""Of ClinVar's variant_summary.txt: a variant in both assemblies, an insertion, a deletion, and one without a place."""


@pytest.fixture
def genome(tmp_path):
    """A genome whose file's name gives its assembly."""

    def call(name="grch38.fa"):
        path = tmp_path / name
        path.write_text(">chr1\nACGTACGTAC\n")
        return Genome(path)

    return call


def test_clinvars_table_is_read_as_its_vcf_is(tmp_path, genome):
    path = tmp_path / "variant_summary.txt"
    path.write_text(CLINVAR)
    source = of_one_assembly(open_source(path), genome())
    assert source.format == "ClinVar's variant_summary"
    columns = ["input_line", "start", "input_ref", "input_alt", "id", "status"]
    alleles = pa.concat_tables(source.batches()).select(columns)
    assert [tuple(row.values()) for row in alleles.to_pylist()] == [
        (3, 4, "A", "G", "7", None),
        (4, 4, "A", "AT", "8", None),
        (5, 4, "AC", "A", "9", None),
        (6, None, "na", "na", "10", "malformed"),
    ]
    (note,) = source.notes
    assert "those of GRCh38 are read, which grch38.fa is" in note
    assert note.endswith("left out, without rows: 1 record of GRCh37")
    assert not doubts_of_assembly(source, "grch38.fa", None)


MIXED = "chr\tpos\tid\tref\talt\tbuild\n1\t5\trs1\tA\tG\thg38\n1\t4\trs1\tT\tG\thg19\n1\t6\trs2\tC\tG\t\n"


def test_of_any_table_of_several_assemblies_the_genomes_records_are_read(tmp_path, genome):
    path = tmp_path / "x.tsv"
    path.write_text(MIXED)
    source = of_one_assembly(open_source(path), genome())
    lines = [batch["input_line"].to_pylist() for batch in source.batches()]
    assert lines == [[2, 4]]
    names = tmp_path / "names.txt"
    names.write_text("rs1\n")
    looked_up = of_one_assembly(open_source(names, sites=path), genome())
    (row,) = pa.concat_tables(looked_up.batches()).to_pylist()
    assert (row["start"], row["input_ref"]) == (4, "A")
    assert looked_up.notes[0].startswith("x.tsv: has records of several assemblies")


def test_which_of_several_assemblies_is_the_genomes_must_be_known(tmp_path, genome):
    path = tmp_path / "x.tsv"
    path.write_text(MIXED)
    with pytest.raises(
        InputError, match=r"1 record of GRCh37, 1 record of GRCh38; of which my\.fa is, neither"
    ):
        of_one_assembly(open_source(path), genome("my.fa"))
    with pytest.raises(InputError, match=r"none of NCBI36, which hg18\.fa is\. Keep the records"):
        of_one_assembly(open_source(path), genome("hg18.fa"))


def test_a_table_of_one_assembly_is_read_whole(tmp_path, genome):
    """What a column says of all its records alike proves nothing: letters do."""
    path = tmp_path / "x.tsv"
    path.write_text(MIXED.replace("hg38", "hg19"))
    source = open_source(path)
    assert of_one_assembly(source, genome()) is source
