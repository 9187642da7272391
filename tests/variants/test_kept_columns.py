"""Columns of the input that are kept beside alleles, as they were written."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.variants.kept_columns import are_lost, are_numbers, parse_kept, with_numbers
from enformer_core.variants.source import open_source, open_sources

TABLE = "chrom\tpos\tref\talt\tBETA\tNOTE\nchr1\t5\tA\tC\t0.10\tgood\nchr1\t6\tA\tG\tNA\t\n"

VCF = """##fileformat=VCFv4.2
##INFO=<ID=AF,Number=A,Type=Float,Description="x">
##INFO=<ID=PIP,Number=1,Type=Float,Description="x">
##INFO=<ID=IMPUTED,Number=0,Type=Flag,Description="x">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr1\t5\trs1\tA\tC,G\t30\tPASS\tPIP_OLD=7;AF=0.1,0.2;PIP=0.5;MPIP=9
chr1\t9\trs2\tA\tT\t.\tPASS\tIMPUTED2;MAF=0.3;PIP=;IMPUTED
"""


def kept(source, *names, **how):
    """The kept columns of all alleles of a file."""
    tables = list(source.batches(**how))
    rows = pa.concat_tables(tables)
    return {name: rows[f"keep:{name}"].to_pylist() for name in names}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def vcf(tmp_path):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(gzip.compress(VCF.encode()))
    return path


def test_cells_are_kept_as_written_and_what_is_missing_is_null(table):
    source = open_source(table, keep=["BETA", "NOTE"])
    assert kept(source, "BETA", "NOTE") == {"BETA": ["0.10", None], "NOTE": ["good", None]}
    assert "BETA" not in source.columns.index, "what a column is taken for does not change"


def test_without_names_a_table_of_alleles_is_what_it_was(table):
    (plain,) = open_source(table).batches()
    (more,) = open_source(table, keep=["BETA"]).batches()
    assert plain.equals(more.drop_columns(["keep:BETA"]))
    assert not [name for name in plain.column_names if name.startswith("keep")]


def test_numbers_that_float64_has_as_0_are_counted():
    values = ["1e-400", "-2.5E-999", "1e-300", "0e-400", "0", "1e-05", None, "5e-324"]
    assert are_lost(pa.chunked_array([values])) == 2
    assert are_lost(pa.chunked_array([["late", None]])) == 0


def test_a_column_that_is_taken_for_something_is_kept_too(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(
        "chrom\tpos\teffect_allele\tother_allele\teaf\nchr1\t5\tA\tC\t0.25\nchr1\t5\tA\tC\n"
    )
    source = open_source(path, keep=["eaf"])
    for details in (False, True):
        assert kept(source, "eaf", details=details) == {"eaf": ["0.25", None]}


def test_keys_of_info_a_value_for_each_alt_and_flags(vcf):
    names = ("AF", "PIP", "IMPUTED", "QUAL", "ID")
    source = open_source(vcf, keep=names)
    for details in (False, True):
        assert kept(source, *names, details=details) == {
            "AF": ["0.1", "0.2", None],
            "PIP": ["0.5", "0.5", None],
            "IMPUTED": [None, None, "true"],
            "QUAL": ["30", "30", None],
            "ID": ["rs1", "rs1", "rs2"],
        }


def test_a_vcf_that_declares_nothing_may_have_any_key(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_text("".join(line + "\n" for line in VCF.splitlines() if "##INFO" not in line))
    assert kept(open_source(path, keep=["PIP"]), "PIP") == {"PIP": ["0.5", "0.5", None]}


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    columns = {"chrom": ["chr1"] * 3, "pos": [5, 6, 7], "ref": ["A"] * 3, "alt": ["C"] * 3}
    values = {
        "P": [1e-300, None, float("nan")],
        "N": [10, 20, None],
        "NOTE": ["x", "", "y"],
        "LEAD": [True, None, False],
    }
    pq.write_table(pa.table(columns | values), path)
    assert kept(open_source(path, keep=list(values)), *values) == {
        "P": ["1e-300", None, None],
        "N": ["10", "20", None],
        "NOTE": ["x", None, "y"],
        "LEAD": ["true", None, "false"],
    }


def test_a_folders_name_is_no_column(tmp_path):
    folder = tmp_path / "CHR=1"
    folder.mkdir()
    columns = {"pos": [5], "ref": ["A"], "alt": ["C"], "P": [0.5]}
    pq.write_table(pa.table(columns), folder / "a.parquet")
    assert kept(open_source(folder / "a.parquet", keep=["P"]), "P") == {"P": ["0.5"]}
    with pytest.raises(InputError, match="'CHR' cannot be kept: it is the folder's name"):
        open_source(folder / "a.parquet", keep=["CHR"])


def test_of_several_files_each_gives_what_it_has(table, vcf):
    first, second = open_sources([table, vcf], keep=["BETA", "PIP"])
    assert kept(first, "BETA", "PIP") == {"BETA": ["0.10", None], "PIP": [None, None]}
    assert kept(second, "BETA", "PIP") == {"BETA": [None] * 3, "PIP": ["0.5", "0.5", None]}


def test_a_name_that_no_file_has_is_refused_with_the_nearest(table, vcf):
    with pytest.raises(InputError, match=r"--keep-columns BETTA: no file.*did you mean BETA"):
        open_sources([vcf, table], keep=["PIP", "BETTA"])
    with pytest.raises(InputError, match=r"--keep-columns PIPS: .*did you mean PIP"):
        open_sources([vcf], keep=["PIPS"])
    # as bcftools calls it
    with pytest.raises(InputError, match=r"--keep-columns INFO/PIP: .*did you mean PIP\?"):
        open_sources([vcf], keep=["INFO/PIP"])


def test_beside_identifiers_that_are_looked_up(tmp_path, vcf):
    """rs1 has two ALTs in the sites: both have its columns; what has no site has its own too."""
    path = tmp_path / "a.tsv"
    path.write_text("rsid\tBETA\nrs2\t0.2\nrs1\t0.1\nrs9\t0.9\n")
    source = open_source(path, sites=vcf, keep=["BETA"])
    assert kept(source, "BETA") == {"BETA": ["0.2", "0.1", "0.1", "0.9"]}


def test_of_bcf_nothing_is_kept(tmp_path):
    pysam = pytest.importorskip("pysam")
    path = tmp_path / "a.bcf"
    header = pysam.VariantHeader()
    header.contigs.add("chr1", length=100)
    with pysam.VariantFile(str(path), "wb", header=header) as file:
        file.write(file.new_record(contig="chr1", start=4, alleles=("A", "C")))
    with pytest.raises(InputError, match=r"--keep-columns .* this is BCF.* bcftools view -Oz"):
        open_source(path, keep=["PIP"])


def test_two_columns_of_a_name_are_refused(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("chrom\tpos\tref\talt\tP\tP\nchr1\t5\tA\tC\t1\t2\n")
    with pytest.raises(InputError, match=r"2 columns are called P\. Give each"):
        open_source(path, keep=["P"])


@pytest.mark.parametrize("name", ["pos", "POS", "Chrom", "run"])
def test_a_name_of_our_own_is_refused(name):
    with pytest.raises(InputError, match=f"--keep-columns {name}: the table scores has a column"):
        parse_kept(["BETA", name], ["pos", "chrom", "run"])


def test_names_that_sql_takes_for_one_are_refused():
    with pytest.raises(InputError, match="P and p are one name in SQL"):
        parse_kept(["P", "p"], [])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-0.5", "+3", ".5", "5.", "1e-300", "2E+10", None], True),
        (["0", "0.0", "-0"], True),
        ([None], True),
        (["1", "high"], False),
        (["007"], False),
        (["1234567890123456"], False),
        (["inf"], False),
        (["."], False),
        (["e5"], False),
        (["1,2"], False),
    ],
)
def test_what_a_number_is(texts, expected):
    column = pa.chunked_array([pa.array(texts, pa.string())])
    assert are_numbers(column) is expected
    if expected:
        numbers = with_numbers(pa.table({"keep:X": column}), ["X"])["keep:X"]
        assert numbers.to_pylist() == [None if text is None else float(text) for text in texts]
