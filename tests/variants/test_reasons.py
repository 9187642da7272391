"""Each allele that has no scores says why, in the same words for tables and from Python."""

import pytest

from enformer_core.api.variant_names import place_variants
from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants import harmonise
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.reasons import IT_HAS_ALT
from enformer_core.variants.table import Status
from tests.support.genomes import write_fasta
from tests.support.variants import read_alleles

LONG = "ACGT" * 5
#         1234567890
LETTERS = {"chr1": "GACACTTTGC", "chr2": f"TT{LONG}GGA"}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    return Genome(write_fasta(tmp_path_factory.mktemp("genome") / "g.fa", LETTERS))


@pytest.fixture
def reasons(genome, tmp_path):
    """Reasons of records given as (chrom, pos, ref, alt) under a header."""

    def call(records, header="#CHROM\tPOS\tREF\tALT", **settings):
        path = tmp_path / "x.tsv"
        lines = ["\t".join(map(str, record)) for record in records]
        path.write_text("\n".join([header, *lines]) + "\n")
        placed = harmonise_alleles(read_alleles([path]), genome, max_allele_bp=99, **settings)
        return placed["reason"].to_pylist()

    return call


def test_mismatches_of_contigs_in_turns_and_of_long_alleles(reasons):
    found = reasons(
        [
            ("chr2", 1, "A", "C"),
            ("chr1", 1, "T", "C"),
            ("chr2", 3, "A", "C"),  # the genome has it
            ("chr2", 2, "A" * 24, "C"),
            ("chr1", 2, "TC", "G"),
            ("chr2", 3, "C", "A"),
        ]
    )
    assert found == [
        "the genome has T here, not A",
        "the genome has G here, not T",
        None,
        f"the genome has TACGTACGTACGTACGTACG… (24 bp) here, not {'A' * 20}… (24 bp)",
        "the genome has AC here, not TC",
        f"the genome has A here, not C{IT_HAS_ALT}",
    ]


def test_where_either_may_be_the_genomes_both_are_named(reasons):
    of_pairs = reasons([("chr1", 1, "A", "TC")], header="chrom\tpos\tA1\tA2")
    assert of_pairs == ["the genome has GA here, neither TC nor A"]
    swapped = reasons([("chr1", 10, "A", "TC")], allow_swapped=True)
    # the contig ends there
    assert swapped == ["the genome has C here, neither A nor TC"]


def test_a_batch_without_faults_asks_for_no_reason(reasons, monkeypatch):
    def refuse(*_arguments, **_settings):
        raise AssertionError

    monkeypatch.setattr(harmonise, "reasons_of", refuse)
    assert reasons([("chr1", 1, "G", "C"), ("chr1", 2, "A", "C")]) == [None, None]


@pytest.mark.parametrize(
    ("chrom", "pos", "ref", "alt"),
    [
        ("chr1", 2, "T", "G"),
        ("chr1", 2, "T", "A"),
        ("chr3", 2, "T", "A"),
        ("chr1", 11, "T", "A"),
        ("chr1", 10, "CT", "A"),
        ("chr1", 2, "A", "<DEL>"),
        ("chr1", 2, "A", "R"),
        ("chr1", 2, "A", "C" * 100),
        ("chr1", 2, "A", "."),
    ],
)
def test_tables_and_python_say_the_same(reasons, genome, chrom, pos, ref, alt):
    [reason] = reasons([(chrom, pos, ref, alt)])
    with pytest.raises(InputError) as refused:
        place_variants([(chrom, pos, ref, alt)], genome, max_allele_bp=99)
    assert str(refused.value).startswith(f"{chrom}:{pos}:{ref}:{alt}: {reason}")


def test_every_status_but_ok_has_a_reason(reasons):
    """No status comes from here without one; `failed` and those of readers have theirs from elsewhere."""
    records = [
        ("chr1", 2, "T", "G"),
        ("chr3", 2, "T", "A"),
        ("chr1", 11, "T", "A"),
        ("chr1", 2, "A", "<DEL>"),
        ("chr1", 2, "A", "R"),
        ("chr1", 2, "A", "C" * 100),
        ("chr1", 2, "A", "."),
        ("chr1", "x", "A", "C"),
    ]
    assert None not in reasons(records)
    elsewhere = {Status.OK, Status.FAILED, Status.NOT_FOUND}
    assert len(records) == len(set(Status) - elsewhere)
