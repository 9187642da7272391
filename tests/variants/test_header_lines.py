"""A header among the records: the same again is a record that cannot be read, another ends the reading."""

import pytest

from enformer_core.errors import InputError
from tests.support.variants import read_alleles

FIRST = "chr\tpos\teffect_allele\tother_allele"


@pytest.fixture
def rows(tmp_path):
    def call(*lines):
        path = tmp_path / "x.tsv"
        path.write_text("\n".join(lines) + "\n")
        return read_alleles([path]).to_pylist()

    return call


@pytest.mark.parametrize("again", [FIRST, FIRST.upper(), f"#{FIRST}"])
def test_the_same_again_is_malformed(rows, again):
    found = rows(FIRST, "20\t5\tG\tT", again, "20\t7\tA\tG")
    assert [row["status"] for row in found] == [None, "malformed", None]
    assert "header" in found[1]["reason"]


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (FIRST, "chr\tpos\tother_allele\teffect_allele"),
        (FIRST, "snp\tchr\tpos\tea\toa"),
        ("snp\ta1\ta2", "snp\ta2\ta1"),
    ],
)
def test_another_order_ends_the_reading(rows, first, other):
    record = "20:5:T:G\tG\tT" if first.startswith("snp") else "20\t5\tG\tT"
    with pytest.raises(InputError, match="line 3: names columns again"):
        rows(first, record, other, record)


def test_a_header_in_a_file_without_one(rows):
    with pytest.raises(InputError, match="names columns again"):
        rows("20\t4\t5\tT\tG", "chrom\tstart\tend\talt\tref", "20\t4\t5\tT\tG")
