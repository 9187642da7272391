"""Whose effect a row's is: said by the input's own effect allele, whatever else names alleles beside it."""

import pytest

from enformer_core.errors import InputError
from enformer_core.genome.fasta import Genome
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source

#         1234567890
LETTERS = "ACGTTGGAAC"

SITES = {
    "vcf": "#CHROM\tPOS\tID\tREF\tALT\nchr1\t4\trs1\tT\tG\nchr1\t6\trs2\tG\tA,C\nchr1\t8\trs3\tA\tT\n",
    # A1 is the genome's letter or not: the sign is not that of the sites' own effect allele
    "bim": "chr1\trs1\t0\t4\tG\tT\nchr1\trs2\t0\t6\tG\tA\nchr1\trs2\t0\t6\tC\tG\nchr1\trs3\t0\t8\tA\tT\n",
    "tsv": "SNP chr pos effect_allele other_allele\nrs1 chr1 4 T G\nrs2 chr1 6 A G\nrs2 chr1 6 G C\nrs3 chr1 8 T A\n",
}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "ten.fa"
    path.write_text(f">chr1\n{LETTERS}\n")
    return Genome(path)


@pytest.fixture
def placed(tmp_path, genome):
    """Rows on the small genome: identifier, ref, alt, sign, and whether the effect allele is neither."""

    def call(text, *, sites=None, effect_allele=None):
        (tmp_path / "table").write_text(text)
        if sites is not None:
            (tmp_path / "sites").write_text(sites)
        source = open_source(
            tmp_path / "table",
            sites=None if sites is None else tmp_path / "sites",
            columns=GivenColumns(effect_allele=effect_allele),
        )
        tables = [harmonise_alleles(raw, genome, max_allele_bp=5) for raw in source.batches()]
        rows = [row for table in tables for row in table.to_pylist()]
        assert {row["status"] for row in rows} == {"ok"}
        return [
            (
                row["id"],
                f"{row['ref']}>{row['alt']}",
                row["effect_sign"],
                "effect_unmatched" in row["flags"],
            )
            for row in rows
        ]

    return call


@pytest.mark.parametrize("kind", SITES)
@pytest.mark.parametrize("head", ["SNP effect_allele P", "rsID A1 BETA", "chr pos SNP risk_allele"])
def test_one_allele_beside_an_identifier_counts_not_that_of_the_sites(placed, kind, head):
    names = head.replace("risk_allele", "effect_allele").split()
    named = [("rs1", "G"), ("rs1", "T"), ("rs1", "C"), ("rs2", "c"), ("rs3", "A"), ("rs3", ".")]
    lines = []
    for identifier, letter in named:
        cells = {"SNP": identifier, "rsID": identifier, "effect_allele": letter, "A1": letter}
        lines.append(" ".join(cells.get(name, "1") for name in names))
    found = placed("\n".join([" ".join(names), *lines]) + "\n", sites=SITES[kind])
    assert found[:5] == [
        ("rs1", "T>G", 1, False),
        ("rs1", "T>G", -1, False),
        ("rs1", "T>G", None, True),
        ("rs2", "G>C", 1, False),  # of two ALTs the one that is named
        ("rs3", "A>T", -1, False),
    ]
    assert found[5][:2] == ("rs3", "A>T")
    assert not found[5][3]


def test_the_genomes_letter_is_the_effect_allele_of_every_alt(placed):
    found = placed("rsID effect_allele\nrs2 G\n", sites=SITES["vcf"])
    assert found == [("rs2", "G>A", -1, False), ("rs2", "G>C", -1, False)]


def test_the_other_allele_alone_beside_an_identifier(placed):
    found = placed("rsID other_allele\nrs1 G\nrs1 T\nrs1 C\n", sites=SITES["bim"])
    assert [row[2:] for row in found] == [(-1, False), (1, False), (None, True)]


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        (
            "chr pos ref alt effect_allele\nchr1 6 G A C\nchr1 6 G A .\n",
            [(None, True), (None, False)],
        ),
        ("chr pos a1 a2 effect_allele\nchr1 6 G A A\nchr1 6 G A C\n", [(1, False), (None, True)]),
        ("SNP A1 P\n1:6:G:A C 1\n1:6:G:A G 1\n", [(None, True), (-1, False)]),
        ("SNPS\tSTRONGEST SNP-RISK ALLELE\nchr1:6:G:A\trs1-C\nchr1:6:G:A\trs1-?\n", None),
    ],
)
def test_an_effect_allele_that_is_neither_is_flagged(placed, text, signs):
    found = [row[2:] for row in placed(text)]
    assert found == (signs or [(None, True), (None, False)])


BIM = "chr1 rs1 0 4 T G\n"


@pytest.mark.parametrize(("name", "sign"), [("A1", -1), ("a2", 1), ("5", -1), ("6", 1), (None, -1)])
def test_a_file_without_header_has_its_effect_allele_given(placed, name, sign):
    assert placed(BIM, effect_allele=name) == [("rs1", "T>G", sign, False)]


def test_an_interval_has_its_effect_allele_given(placed):
    assert [row[2] for row in placed("chr1 3 4 T G\n", effect_allele="REF")] == [-1]


@pytest.mark.parametrize("text", [BIM, "chr1 3 4 T G\n", "chr1:4:T:G\n"])
@pytest.mark.parametrize("name", ["NONSENSE", "2", "9", "0"])
def test_a_column_that_a_file_without_header_lacks_is_refused(placed, text, name):
    with pytest.raises(InputError, match=f"--effect-allele {name}"):
        placed(text, effect_allele=name)


def test_one_column_is_not_two_things():
    with pytest.raises(InputError, match="ref and alt are both 'A2'"):
        GivenColumns.parse(["ref=A2", "alt=A2"], None)
    assert GivenColumns.parse(["ref=A2", "alt=A1", "effect=A1"], None).roles["effect"] == "A1"
