"""Parquet in folders as Hive and Spark lay them out: the contig is in the folder's name."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.variants.formats.parquet import Partition
from enformer_core.variants.source import open_source
from tests.support.variants import read_alleles

COLUMNS = {"pos": [5, 6], "ref": ["A", "C"], "alt": ["G", "T"]}


@pytest.fixture
def write(tmp_path):
    def call(folder, columns):
        path = tmp_path / folder / "part.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)
        return path

    return call


def chroms(path):
    table = read_alleles([path])
    assert table["status"].null_count == table.num_rows, table["reason"].to_pylist()
    return table["input_chrom"].to_pylist()


def test_the_contig_of_a_partition_is_text(write, tmp_path):
    for folder in ("chrom=01", "CHR=X", "chrom=HLA%2A01%3A01/study=7"):
        write(folder, COLUMNS)
    assert chroms(tmp_path) == ["X", "X", "01", "01", "HLA*01:01", "HLA*01:01"]


def test_a_column_inside_may_say_the_same(write):
    # as the last column it stands where the partition's would
    assert chroms(write("chrom=20", {**COLUMNS, "chrom": ["chr20", "20"]})) == ["chr20", "20"]
    assert chroms(write("chrom=21", {"chr": [21, None], **COLUMNS})) == ["21", "21"]


@pytest.mark.parametrize("inside", [["20", "21"], ["21", "21"], [21, 21]])
def test_a_contradiction_is_named(write, inside):
    path = write("chrom=20", {**COLUMNS, "chrom": inside})
    with pytest.raises(InputError, match=r"part\.parquet: lies in chrom=20.*'chrom' is '21'"):
        read_alleles([path])


def test_a_row_without_a_partition_has_no_contig(write):
    path = write("chrom=__HIVE_DEFAULT_PARTITION__", COLUMNS)
    assert read_alleles([path])["reason"].to_pylist() == ["CHROM is missing"] * 2


def test_other_folders_say_nothing(write):
    with pytest.raises(InputError, match="needs the columns chrom, pos"):
        read_alleles([write("chrom=20/inner", COLUMNS)])
    with pytest.raises(InputError, match="needs the columns chrom, pos"):
        read_alleles([write("study=20", COLUMNS)])


def test_the_address_of_a_copy_counts(write):
    path = write("copies", COLUMNS)
    source = open_source(path, given="s3://bucket/data/chrom=20/part.parquet")
    tables = [table["input_chrom"].to_pylist() for table in source.batches()]
    assert tables == [["20", "20"]]
    assert Partition.of("s3://bucket/chrom=20/x/part.parquet") is None
