"""REF is what the genome has; the sign turns a score to the input's effect allele."""

import pytest

from enformer_core.genome.fasta import Genome
from enformer_core.variants.harmonise import harmonise_alleles
from tests.support.variants import read_alleles

LETTERS = "ACGTTTGACCA"

FIELDS = ("status", "start", "ref", "alt", "flags", "effect_sign")


@pytest.fixture
def harmonise(tmp_path):
    (tmp_path / "g.fa").write_text(f">1\n{LETTERS}\n")

    def call(text, **how):
        path = tmp_path / "x.txt"
        path.write_text(text)
        how = {"max_allele_bp": 100, **how}
        placed = harmonise_alleles(read_alleles([path]), Genome(tmp_path / "g.fa"), **how)
        return [tuple(row[name] for name in FIELDS) for row in placed.to_pylist()]

    return call


def bim(*records):
    """Records of pos, A1, A2."""
    return "".join(f"1\trs\t0\t{pos}\t{a1}\t{a2}\n" for pos, a1, a2 in records)


def test_order_not_declared(harmonise):
    found = harmonise(
        bim(
            (1, "G", "A"),
            (1, "A", "G"),
            (1, "C", "G"),
            (1, "A", "T"),
            (3, "C", "G"),
            (1, "AT", "A"),
            (1, "A", "AT"),
        )
    )
    assert found == [
        ("ok", 0, "A", "G", [], 1),
        ("ok", 0, "A", "G", ["ref_swapped"], -1),  # the effect allele is the genome's
        ("ref_mismatch", 0, "G", "C", ["strand_ambiguous"], None),
        ("ok", 0, "A", "T", ["ref_swapped", "strand_ambiguous"], -1),
        ("ok", 2, "G", "C", ["strand_ambiguous"], 1),
        ("ok", 0, "A", "AT", [], 1),
        ("ok", 0, "A", "AT", ["ref_swapped"], -1),
    ]


def test_an_indel_of_which_both_alleles_fit(harmonise):
    # at 4 the genome has TTT: T and TT are both there
    assert harmonise(bim((4, "T", "TT"), (4, "TT", "T"))) == [
        ("ok", 2, "GT", "G", ["ambiguous_order"], 1),
        ("ok", 2, "G", "GT", ["ambiguous_order"], 1),
    ]


def test_bounds_and_letters_of_either(harmonise):
    found = harmonise(
        bim(
            (11, "AT", "A"),
            (11, "A", "AT"),
            (12, "A", "C"),
            (1, "<DEL>", "A"),
            (1, "A", "<DEL>"),
            (1, "D", "I"),
        )
    )
    assert [row[0] for row in found] == [
        "ok",
        "ok",
        "out_of_bounds",
        "symbolic",
        "symbolic",
        "bad_allele",
    ]


VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"


def test_declared_order_is_kept_unless_allowed(harmonise):
    text = VCF + "1\t1\t.\tG\tA\n1\t1\t.\tAT\tA\n1\t2\t.\tC\tG\n1\t3\t.\tT\tC\n1\t4\t.\tT\tTT\n"
    assert [row[0] for row in harmonise(text)] == [
        "ref_mismatch",
        "ref_mismatch",
        "ok",
        "ref_mismatch",
        "ok",
    ]
    assert harmonise(text, allow_swapped=True) == [
        ("ok", 0, "A", "G", ["ref_swapped"], -1),
        ("ok", 0, "A", "AT", ["ref_swapped"], -1),
        ("ok", 1, "C", "G", [], None),
        ("ref_mismatch", 2, "T", "C", [], None),
        ("ok", 2, "G", "GT", [], None),
    ]


def test_a_named_effect_allele_beside_ref_and_alt(harmonise):
    text = "chrom\tpos\tref\talt\ta1\n1\t1\tA\tG\tG\n1\t1\tA\tG\ta\n1\t1\tA\tG\tT\n1\t1\tG\tA\tA\n"
    signs = [row[-1] for row in harmonise(text)]
    assert signs == [1, -1, None, None]
    assert [row[-1] for row in harmonise(text, allow_swapped=True)] == [1, -1, None, -1]


def test_length_counts_without_what_both_share(harmonise):
    text = VCF + f"1\t1\t.\t{LETTERS}\tG{LETTERS[1:]}\n1\t1\t.\t{LETTERS}\tA\n"
    assert [row[:4] for row in harmonise(text, max_allele_bp=5)] == [
        ("ok", 0, "A", "G"),
        ("too_long", 0, LETTERS, "A"),
    ]


def test_rows_that_are_not_scored_stay_as_written(harmonise):
    found = harmonise(VCF + "1\t5\t.\tTT\tT,<DEL>,GT\n")
    assert [row[:4] for row in found] == [
        ("ok", 2, "GT", "G"),
        ("symbolic", 4, "TT", "<DEL>"),
        ("ok", 4, "T", "G"),
    ]
