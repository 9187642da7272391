"""A column STRAND is obeyed where the file does not say which allele is REF, and said where it does."""

import pytest

from enformer_core.genome.fasta import Genome
from enformer_core.variants.columns_taken import columns_taken
from enformer_core.variants.harmonise import harmonise_alleles
from enformer_core.variants.source import open_source

LETTERS = "ACGTTTGACCA"


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "g.fa").write_text(f">1\n{LETTERS}\n")

    def call(text):
        path = tmp_path / "x.txt"
        path.write_text(text)
        source = open_source(path)
        genome = Genome(tmp_path / "g.fa")
        tables = [harmonise_alleles(raw, genome, max_allele_bp=9) for raw in source.batches()]
        (taken,) = columns_taken([source])
        return [row for table in tables for row in table.to_pylist()], taken.columns

    return call


@pytest.mark.parametrize("minus", ["-", "-1", "reverse", "MINUS", "-1.0"])
def test_alleles_of_an_open_order_are_turned(rows, minus):
    found, columns = rows(
        "CHR\tPOS\tSTRAND\tEFFECT_ALLELE\tOTHER_ALLELE\n"
        f"1\t3\t{minus}\tG\tC\n1\t3\t+\tG\tC\n1\t1\t{minus}\tCT\tCGT\n1\t1\t{minus}\tA,C\tT\n"
    )
    assert [(row["ref"], row["alt"], row["effect_sign"]) for row in found[:3]] == [
        ("G", "C", 1),
        ("G", "C", -1),
        ("AC", "A", 1),
    ]
    assert ["minus_strand" in row["flags"] for row in found[:4]] == [True, False, True, True]
    assert found[3]["status"] == "malformed"
    assert "cannot be turned" in found[3]["reason"]
    assert columns["strand"] == "STRAND"


@pytest.mark.parametrize(
    "text",
    [
        "chr1\t2\t3\trs1\t0\t-\tG\tC\n",
        "chrom\tchromStart\tchromEnd\tname\tscore\tstrand\tref\talt\nchr1\t2\t3\trs1\t0\t-\tG\tC\n",
    ],
)
def test_a_declared_ref_stays_and_is_flagged(rows, text):
    (row,), columns = rows(text)
    assert (row["status"], row["ref"], row["alt"]) == ("ok", "G", "C")
    assert row["flags"] == ["minus_strand"]
    assert "strand_only_flagged" in columns


def test_harmonised_alleles_are_on_the_plus_strand(rows):
    names = "hm_chrom hm_pos hm_other_allele hm_effect_allele effect_allele other_allele strand"
    (row,), columns = rows(f"{names}\n1 3 G C G C -\n".replace(" ", "\t"))
    assert (row["ref"], row["alt"], row["flags"]) == ("G", "C", ["strand_ambiguous"])
    assert not any("strand" in meaning for meaning in columns)
