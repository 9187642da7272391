"""Each allele has one status, and the genome decides it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.genome.contig_names import reconcile_contigs
from enformer_core.genome.fasta import Genome
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.table import PLACED_SCHEMA, RAW_SCHEMA, Status
from tests.support.variants import read_alleles

INPUT_COLUMNS = [name for name in RAW_SCHEMA.names if name in PLACED_SCHEMA.names]

LETTERS = {"chr1": "ACGTNacgtACGTTTTT", "chrM": "GATTACA"}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "toy.fa"
    path.write_text("".join(f">{name} toy\n{letters}\n" for name, letters in LETTERS.items()))
    return Genome(path)


@pytest.fixture
def harmonise(genome, tmp_path):
    """Harmonise records given as (chrom, pos, ref, alt)."""

    def call(*records):
        body = "".join(
            "\t".join(map(str, (chrom, pos, ".", ref, alt))) + "\n"
            for chrom, pos, ref, alt in records
        )
        path = tmp_path / "x.vcf"
        path.write_text(f"#CHROM\tPOS\tID\tREF\tALT\n{body}")
        raw = read_alleles([path])
        placed = harmonise_alleles(raw, genome, max_allele_bp=6)
        assert placed.schema == PLACED_SCHEMA
        kept = [name for name in INPUT_COLUMNS if name not in {"start", "status", "reason"}]
        assert placed.select(kept) == raw.select(kept)
        return placed.to_pylist()

    return call


CASES = [
    # chrom, pos, ref, alt: status, chrom, ref, alt, reason
    (("chr1", 2, "C", "T"), ("ok", "chr1", "C", "T", None)),
    (("1", 2, "c", "t"), ("ok", "chr1", "C", "T", None)),
    (("MT", 1, "GATTAC", "g"), ("ok", "chrM", "GATTAC", "G", None)),
    (("chr1", 6, "ACGT", "A"), ("ok", "chr1", "ACGT", "A", None)),  # soft-masked in the genome
    (("chr1", 17, "T", "TACGTA"), ("ok", "chr1", "T", "TACGTA", None)),
    (("chr1", 2, "A", "T"), ("ref_mismatch", "chr1", "A", "T", "the genome has C here, not A")),
    (
        ("chr1", 1, "ACT", "A"),
        ("ref_mismatch", "chr1", "ACT", "A", "the genome has ACG here, not ACT"),
    ),
    (
        ("chr1", 5, "A", "T"),
        ("ref_mismatch", "chr1", "A", "T", "the genome has N here, not A"),
    ),  # the genome has N
    (("chr2", 2, "C", "T"), ("unknown_contig", None, "C", "T", "the genome has no contig 'chr2'")),
    (
        ("chr2", 0, "C", "<del>"),
        ("unknown_contig", None, "C", "<del>", "the genome has no contig 'chr2'"),
    ),
    (("chr2", 1, "C", "."), ("unknown_contig", None, "C", None, "the genome has no contig 'chr2'")),
    (
        ("chr1", 0, "C", "T"),
        ("out_of_bounds", None, "C", "T", "there is no base 0: bases count from 1"),
    ),
    (
        ("chr1", 18, "T", "C"),
        ("out_of_bounds", None, "T", "C", "chr1 of the genome ends at base 17"),
    ),
    (
        ("chr1", 17, "TT", "T"),
        (
            "out_of_bounds",
            None,
            "TT",
            "T",
            "REF ends at base 18, and chr1 of the genome at base 17",
        ),
    ),
    (
        ("chr1", 18, "T", "<DEL>"),
        ("out_of_bounds", None, "T", "<DEL>", "chr1 of the genome ends at base 17"),
    ),
    (("chrM", 7, "A", "."), ("no_alt", "chrM", "A", None, "there is no ALT")),
    (("chr1", 2, "N", "."), ("no_alt", "chr1", "N", None, "there is no ALT")),
    (("chr1", 2, "C", "<del>"), ("symbolic", "chr1", "C", "<del>", "ALT <del> names no sequence")),
    (
        ("chr1", 2, "G", "*"),
        ("symbolic", "chr1", "G", "*", "ALT * names no sequence"),
    ),  # before REF is looked at
    (
        ("chr1", 2, "C", "C]chr1:9]"),
        ("symbolic", "chr1", "C", "C]chr1:9]", "ALT C]chr1:9] names no sequence"),
    ),
    (("chr1", 2, "C", ".A"), ("symbolic", "chr1", "C", ".A", "ALT .A names no sequence")),
    (("chr1", 2, "C", "A."), ("symbolic", "chr1", "C", "A.", "ALT A. names no sequence")),
    (
        ("chr1", 2, "C", "R"),
        ("bad_allele", "chr1", "C", "R", "ALT has 'R', which is not A, C, G or T"),
    ),
    (
        ("chr1", 5, "N", "A"),
        ("bad_allele", "chr1", "N", "A", "REF has 'N', which is not A, C, G or T"),
    ),
    (
        ("chr1", 2, "C", "-"),
        ("bad_allele", "chr1", "C", "-", "ALT has '-', which is not A, C, G or T"),
    ),
    (("chr1", 2, "C", ""), ("bad_allele", "chr1", "C", "", "ALT is empty")),
    (("chr1", 2, "C", "c"), ("bad_allele", "chr1", "C", "C", "ALT is the same as REF")),
    (
        ("chr1", 2, "C", "CCCCCCC"),
        ("too_long", "chr1", "C", "CCCCCCC", "REF or ALT is longer than 6 bases (--max-allele-bp)"),
    ),
    (
        ("chr1", 2, "AAAAAAA", "C"),
        ("too_long", "chr1", "AAAAAAA", "C", "REF or ALT is longer than 6 bases (--max-allele-bp)"),
    ),  # before REF is looked at
    (("chr2", "x", "C", "T"), ("malformed", None, None, None, "POS is not a whole number: 'x'")),
]


@pytest.mark.parametrize(("record", "expected"), CASES)
def test_statuses(harmonise, record, expected):
    [row] = harmonise(record)
    assert tuple(row[name] for name in ("status", "chrom", "ref", "alt", "reason")) == expected
    assert row["flags"] == []
    assert row["effect_sign"] is None


def test_rows_keep_their_order_and_do_not_touch_one_another(harmonise):
    together = harmonise(*[record for record, _ in CASES])
    assert [row["status"] for row in together] == [expected[0] for _, expected in CASES]
    assert [row["input_line"] for row in together] == list(range(2, 2 + len(CASES)))


@given(st.data())
def test_a_ref_is_ok_exactly_if_the_genome_has_it(genome, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("made") / "x.vcf"
    records = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(["chr1", "MT"]),
                st.integers(1, 17),
                st.text("ACGT", min_size=1, max_size=2),
            )
        )
    )
    body = "".join(
        f"{chrom}\t{pos}\t.\t{ref}\tGGG\n" for chrom, pos, ref in [("1", 1, "A"), *records]
    )
    path.write_text(f"#CHROM\tPOS\tID\tREF\tALT\n{body}")
    for row in harmonise_alleles(read_alleles([path]), genome, max_allele_bp=6).to_pylist():
        letters = LETTERS["chrM" if row["input_chrom"] == "MT" else "chr1"]
        end = row["start"] + len(row["ref"])
        there = letters[row["start"] : end].upper() == row["ref"]
        assert row["status"] == (
            "out_of_bounds" if end > len(letters) else "ok" if there else "ref_mismatch"
        )


def test_statuses_of_the_reader_stay(genome, tmp_path):
    path = tmp_path / "x.vcf"
    path.write_text("#CHROM\tPOS\tID\tREF\tALT\nchr1\t1\t.\tA\tG\nchr1\t2\n")
    raw = read_alleles([path])
    looked_up = raw.set_column(
        raw.schema.get_field_index("status"), "status", [["not_found", None]]
    )
    placed = harmonise_alleles(looked_up, genome, max_allele_bp=6)
    assert placed["status"][0].as_py() == Status.NOT_FOUND
    assert placed["chrom"][0].as_py() is None


def test_a_file_of_malformed_lines_only_is_answered(harmonise):
    assert [row["status"] for row in harmonise(("chr9", "x", "A", "C"))] == ["malformed"]
    assert harmonise() == []


def test_contigs_that_take_turns(genome, tmp_path):
    """The same rows, in any order of contigs, become the same alleles."""
    records = [
        ("1", 2, "C", "T"),
        ("M", 3, "T", "TT"),
        ("1", 14, "T", "TT"),
        ("M", 1, "GA", "G"),
        ("1", 2, "G", "T"),
    ]
    path = tmp_path / "x.vcf"
    found = []
    for order in ([0, 1, 2, 3, 4], [3, 0, 4, 1, 2], [4, 2, 0, 3, 1], [1, 3, 0, 2, 4]):
        lines = [
            "\t".join(map(str, (chrom, pos, ".", ref, alt))) for chrom, pos, ref, alt in records
        ]
        path.write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(f"{lines[row]}\n" for row in order))
        placed = harmonise_alleles(read_alleles([path]), genome, max_allele_bp=6).to_pylist()
        rows = [
            (row["status"], row["chrom"], row["start"], row["ref"], row["alt"]) for row in placed
        ]
        found.append([rows[order.index(row)] for row in range(len(records))])
    assert found == [found[0]] * 4
    assert found[0] == [
        ("ok", "chr1", 1, "C", "T"),
        ("ok", "chrM", 1, "A", "AT"),
        ("ok", "chr1", 11, "G", "GT"),
        ("ok", "chrM", 0, "GA", "G"),
        ("ref_mismatch", "chr1", 1, "G", "T"),
    ]


def test_a_file_of_another_genome_is_answered_row_by_row(harmonise):
    """Refusing such a file is the assembly check's; here each row has its status."""
    assert [row["status"] for row in harmonise(("scaffold_1", 5, "A", "G"))] == ["unknown_contig"]
    found = harmonise(
        ("1", 2, "A", "C"),
        ("MT", 1, "CAT", "C"),
        ("chr1", 3, "G", "<DEL>"),
        ("chrM", 2, "AT", "R"),
    )
    assert [row["status"] for row in found] == [
        "ref_mismatch",
        "ref_mismatch",
        "symbolic",
        "bad_allele",
    ]


def contigs(*names):
    return dict.fromkeys(names, 1)


def test_names_of_contigs():
    plain, prefixed = (
        contigs("1", "X", "MT", "GL000191.1"),
        contigs("chr1", "chrX", "chrM", "chrUn_KI270302v1"),
    )
    assert reconcile_contigs(["chr1", "chrX", "chrM", "M", "chr2"], plain) == {
        "chr1": "1",
        "chrX": "X",
        "chrM": "MT",
        "M": "MT",
    }
    assert reconcile_contigs(["1", "x", "MT", "M", "CHR1", "chr1"], prefixed) == {
        "1": "chr1",
        "x": "chrX",
        "MT": "chrM",
        "M": "chrM",
        "CHR1": "chr1",
        "chr1": "chr1",
    }
    assert reconcile_contigs(["10", "chr", "", "un_ki270302v1"], prefixed) == {}


def test_a_leading_zero_does_not_count():
    assert reconcile_contigs(["01", "chr01", "10", "0"], contigs("chr1", "chrX")) == {
        "01": "chr1",
        "chr01": "chr1",
    }
    assert reconcile_contigs(["01"], contigs("01", "1")) == {"01": "01"}


def test_plinks_codes():
    found = {
        "23": "chrX",
        "chr23": "chrX",
        "24": "chrY",
        "25": "chrX",
        "XY": "chrX",
        "PAR1": "chrX",
        "26": "chrM",
    }
    human = contigs("chr1", "chr22", "chrX", "chrY", "chrM")
    assert reconcile_contigs([*found, "27", "0"], human) == found
    assert reconcile_contigs(["23", "26"], contigs("chrM")) == {"26": "chrM"}


def test_other_species_have_other_codes():
    cattle, mouse = contigs("1", "23", "29", "X"), contigs("chr1", "chr19", "chrX", "chrM")
    assert reconcile_contigs(["23", "24", "26"], cattle) == {"23": "23"}
    assert reconcile_contigs(["20", "23", "26"], mouse) == {}


def test_the_same_name_comes_first():
    both = contigs("1", "chr1")
    assert reconcile_contigs(["1", "chr1"], both) == {"1": "1", "chr1": "chr1"}
    assert reconcile_contigs(["CHR1", "NC_000001.11"], both) == {}  # could be either


def test_genbank_accessions_and_the_complete_genome():
    names = [
        "CM000663.1",
        "CM000663.2",
        "CM000685.2",
        "J01415.2",
        "CP068277.2",
        "NC_060947.1",
        "CP068255.2",
    ]
    found = dict(zip(names, ["chr1", "chr1", "chrX", "chrM", "chr1", "chrX", "chrX"], strict=True))
    assert (
        reconcile_contigs([*names, "CM000663.3", "CP068254.2"], contigs("chr1", "chrX", "chrM"))
        == found
    )
    assert reconcile_contigs(["CP086569.2", "CP068256.2"], contigs("22", "X", "Y")) == {
        "CP086569.2": "Y",
        "CP068256.2": "22",
    }


def test_two_accessions_of_one_sequence_and_accessions_of_two():
    same = {"NC_000001.11": "CM000663.2", "NC_012920.1": "J01415.2"}
    other = ["NC_000001.10", "CM000663.1", "NC_060925.1", "CP068254.1"]
    assert reconcile_contigs([*same, *other], contigs(*same.values())) == same
    assert reconcile_contigs(["CM000663.1"], contigs("CM000663.2", "chr2")) == {}


def test_refseq_accessions():
    names = [
        "NC_000001.10",
        "NC_000001.11",
        "NC_000023.11",
        "NC_012920.1",
        "NC_000001.9",
        "NC_000077.7",
    ]
    found = {
        "NC_000001.10": "chr1",
        "NC_000001.11": "chr1",
        "NC_000023.11": "chrX",
        "NC_012920.1": "chrM",
    }
    assert reconcile_contigs(names, contigs("chr1", "chrX", "chrM")) == found
    assert reconcile_contigs(["chr1", "1", "NC_000001.10"], contigs("NC_000001.11")) == {
        "chr1": "NC_000001.11",
        "1": "NC_000001.11",
    }
