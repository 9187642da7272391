"""Names of variants: every spelling means the same allele, and a wrong one is answered with what the genome has."""

import pytest

from enformer_core.api.variant_names import NamedVariant, from_parts, parse_variant, place_variants
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.scoring.windows import Allele
from tests.support.genomes import write_fasta

#                          1234567890
LETTERS = {"chr20": "GACACTTTGC", "HLA*01:01-2_x": "ACGT"}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(write_fasta(tmp_path_factory.mktemp("genome") / "g.fa", LETTERS))


@pytest.mark.parametrize(
    "name",
    [
        "chr20:4699605:A:G",
        "chr20-4699605-A-G",
        "chr20_4699605_A_G",
        "chr20:4,699,605:A:G",
        "chr20:4699605 A>G",
        "chr20:4699605A>G",
        "chr20:g.4699605A>G",
        "chr20:4699605:A/G",
        "chr20:4699605_A/G",
        " chr20:4699605:A:G\n",
        ("chr20", 4699605, "A", "G"),
    ],
)
def test_every_spelling_is_understood(name):
    named = parse_variant(name)
    assert (named.chrom, named.pos, named.ref, named.alt) == ("chr20", 4_699_605, "A", "G")


@pytest.mark.parametrize("contig", ["HLA*01:01:01:01", "chr1_KI270706v1_random", "a-b", "7", "X"])
@pytest.mark.parametrize("mark", [":", "-", "_"])
def test_a_contig_may_hold_what_separates(contig, mark):
    named = parse_variant(mark.join([contig, "12", "AC", "a"]))
    assert (named.chrom, named.pos, named.ref, named.alt) == (contig, 12, "AC", "a")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rs1234", r"an rsID does not say where it lies. Give chrom:pos:ref:alt"),
        ("chr20:4600000-4796608", r"is no variant. Give chrom:pos:ref:alt, counted from 1"),
        ("chr20", r"is no variant"),
        ("chr20:4:A", r"is no variant"),
        ("chr20:-4:A:G", r"is no variant"),
        ("", r"is no variant"),
        ("chr20:4:C:T,G", r"names several ALTs. Give each by itself, the first as T"),
        (
            "NC_000020.11:4699604:A:G",
            r"from 0, as SPDI does, or from 1. Say it by \('NC_000020.11', 4699604, 'A', 'G'\)",
        ),
    ],
)
def test_what_is_no_name_is_answered_with_one(name, words):
    with pytest.raises(InputError, match=words):
        parse_variant(name)


@pytest.mark.parametrize(
    "parts",
    [
        ("chr20", "4", "C", "T"),
        ("chr20", 4.0, "C", "T"),
        ("chr20", 4, "C"),
        ("chr20", 4, None, "T"),
        ("chr20", 4, b"C", "T"),
        (None, 4, "C", "T"),
    ],
)
def test_parts_that_are_no_variant(parts):
    with pytest.raises(InputError, match=r"Give four parts, the second a whole number"):
        from_parts(parts)


@pytest.mark.parametrize("name", [None, 5, b"chr20:4:C:T", object(), {}])
def test_what_is_neither_text_nor_parts(name):
    with pytest.raises(InputError, match=r"is no variant. Give text, .* or four parts"):
        parse_variant(name)


def test_parts_may_be_a_list_and_a_contig_a_number():
    assert parse_variant(["chr20", 4, "C", "T"]) == from_parts(("chr20", 4, "C", "T"))
    assert from_parts((20, 4, "C", "T")).chrom == "20"


def placed(genome, name, max_allele_bp=5):
    return place_variants([name], genome, max_allele_bp=max_allele_bp)[0]


def test_alleles_are_the_genomes_own(genome):
    assert placed(genome, "20:2:a:g").allele == Allele("chr20", 1, "A", "G")
    # the deletion of an AC, shifted to the left as far as it goes
    assert placed(genome, "chr20:4:ACT:T").allele == Allele("chr20", 0, "GAC", "G")
    assert placed(genome, "HLA*01:01-2_x:2:C:T").allele.contig == "HLA*01:01-2_x"
    assert placed(genome, "chr20:2:A:G").given == "chr20:2:A:G"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("chr20:3:A:G", r"the genome has C here, not A, which is the next base. Positions count"),
        ("chr20:2:T:A", r"the genome has A here, not T. It has ALT: exchange the two"),
        ("chr20:2:T:G", r"the genome has A here, not T. Was it called on another assembly than"),
        ("chr21:3:A:G", r"has no contig 'chr21': .*g.fa has chr20, HLA"),
        ("chr20:11:A:G", r"chr20 of the genome ends at base 10$"),
        ("20:0:A:G", r": there is no base 0: bases count from 1$"),
        ("chr20:10:CA:G", r"REF ends at base 11, and chr20 of the genome at base 10$"),
        (f"chr20:{10**30}:A:G", r"chr20 of the genome ends at base 10$"),
        ("chr20:2:A:<DEL>", r"ALT <DEL> names no sequence"),
        ("chr20:2:A:.", r"there is no ALT"),
        ("chr20:2:A:R", r"ALT has 'R', which is not A, C, G or T"),
        ("chr20:2:A:A", r"ALT is the same as REF"),
        ("chr20:2:A:CCCCCC", r"REF or ALT is longer than 5 bases"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_reason(genome, name, words):
    with pytest.raises(InputError, match=words) as refused:
        placed(genome, name)
    assert str(refused.value).startswith(f"{name}: ")


def test_of_many_refusals_the_first_are_shown(genome):
    with pytest.raises(InputError) as refused:
        place_variants(["chr20:1:T:C"] * 9, genome, max_allele_bp=5)
    lines = str(refused.value).splitlines()
    assert len(lines) == 6
    assert lines[-1] == "and 4 more"


def test_a_name_is_kept_as_given():
    assert parse_variant("chr20-7-T-C") == NamedVariant("chr20-7-T-C", "chr20", 7, "T", "C")
