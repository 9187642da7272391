"""A column that is given for alleles must have some; of the others, those that look like alleles are named."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.source import open_source

TABLE = (
    "SNP\tCHR\tBP\tA1\tA2\tP\nrs1\t1\t5\tA\tC\t0.5\nrs2\t1\t7\tAT\tA\t0\nrs3\t1\t8\tNA\tG\t0.1\n"
)


@pytest.fixture(params=["text", "parquet"])
def table(request, tmp_path):
    path = tmp_path / "x"
    if request.param == "text":
        path.write_text(TABLE)
    else:
        names, *rows = [line.split("\t") for line in TABLE.splitlines()]
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        arrays = {name: pa.array(cells) for name, cells in columns.items()}
        arrays["BP"] = pa.array([int(cell) for cell in columns["BP"]])
        pq.write_table(pa.table(arrays), path)
    return path


@pytest.mark.parametrize("name", ["BP", "bp", "SNP", "P", "CHR"])
def test_a_column_without_alleles_is_no_effect_allele(table, name):
    with pytest.raises(InputError) as refused:
        open_source(table, columns=GivenColumns(effect_allele=name))
    said = str(refused.value)
    assert f"x: --effect-allele {name}: that column has " in said
    assert said.endswith("which are no alleles; A1 and A2 look like alleles")


def test_a_role_of_columns_is_named_as_it_was_given(table):
    given = GivenColumns.parse(["ref=A2", "alt=BP"], None)
    with pytest.raises(InputError, match=r"--columns alt=BP: that column has '5', '7', '8', which"):
        open_source(table, columns=given)


@pytest.mark.parametrize("name", ["A1", "A2", "a2"])
def test_alleles_are_taken(table, name):
    assert open_source(table, columns=GivenColumns(effect_allele=name)).columns.basis == "given"


ODD = [
    "A",
    "c",
    "ACGT",
    "D",
    "I",
    "<DEL>",
    "A,C",
    "['A', 'C']",
    "rs1-A",
    "rs1-?",
    "",
    "NA",
    "-",
    "0",
    ".",
]


@pytest.mark.parametrize("cell", ODD)
def test_however_alleles_are_written(tmp_path, cell):
    path = tmp_path / "x"
    path.write_text(f"CHR\tBP\tREF\tALT\tEFF\n1\t5\tA\tC\t{cell}\n1\t6\tA\tC\t{cell}\n")
    open_source(path, columns=GivenColumns(effect_allele="EFF"))


def test_a_few_odd_cells_of_many_do_not_count(tmp_path):
    path = tmp_path / "x"
    cells = ["A"] * 6 + ["x1", "x2"]
    rows = [f"1\t{at}\tA\tC\t{cell}" for at, cell in enumerate(cells, start=5)]
    path.write_text("\n".join(["CHR\tBP\tREF\tALT\tEFF", *rows, ""]))
    open_source(path, columns=GivenColumns(effect_allele="EFF"))


def test_a_file_without_header_is_given_by_numbers(tmp_path):
    path = tmp_path / "x"
    path.write_text("1\t5\tA\tC\n1\t6\tA\tC\n")
    open_source(path, columns=GivenColumns.parse(["chrom=1", "pos=2", "ref=3", "alt=4"], None))
    swapped = GivenColumns.parse(["chrom=1", "pos=3", "ref=2", "alt=4"], None)
    with pytest.raises(
        InputError, match=r"--columns ref=2: that column has '5', '6', which are no"
    ):
        open_source(path, columns=swapped)
