"""Files that are refused say what they look like, and a remedy that can be followed."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from enformer_core.variants.formats import compression
from enformer_core.variants.formats.given import GivenColumns
from enformer_core.variants.source import open_source

REFUSED = {
    "chr\tpos\trisk\tother\n20\t5\tT\tG\n": "--columns chrom=…,pos=…,ref=…,alt=…",
    "SNP\trisk_allele\nrs1\tT\n": "by --sites.*--columns chrom=…,pos=…,ref=…,alt=…",
    # of UCSC, where chromStart counts from 0 and is found; of ClinVar
    "chrom\tchromStart\tchromEnd\tname\talts\n20\t4\t5\trs1\tG\n": "--columns ref=…,alt=….*by --sites",
    "RS\tChrom38\tPositionVCF\tReferenceAlleleVCF\n1\t20\t5\tT\n": "--columns chrom=…,pos=….*by --sites",
    "##fileformat=VCFv4.2\n#CHROM POS ID REF ALT\n20 5 . T G\n": "line 2 has spaces between",
    "chr\tpos\tref\talt\r20\t5\tT\tG\r": "end with CR alone",
    "chr;pos;ref;alt\n20;5;T;G\n": "semicolons between its columns",
    "Gene name\tTarget gene\tEffect size\nTP53\tMDM2\t0.5\n": "it has 'Gene name', 'Target gene', 'Effect size'",
    "Chromosome name\tPosition bp\tRef base\tAlt base\n20\t5\tT\tG\n": "it has 'Chromosome name', 'Position bp', ",
    "chr\tPOS\tpos\tref\talt\n20\t5\t5\tT\tG\n": r"'POS' \(column 2\) and 'pos' \(column 3\)",
}


@pytest.fixture
def rows(tmp_path):
    def call(text, *columns):
        path = tmp_path / "x"
        path.write_bytes(text.encode())
        source = open_source(path, columns=GivenColumns.parse(columns, None))
        names = ("input_chrom", "start", "input_ref", "input_alt")
        return [
            tuple(row[name] for name in names)
            for raw in source.batches()
            for row in raw.to_pylist()
        ]

    return call


@pytest.mark.parametrize("text", REFUSED)
def test_what_a_file_looks_like_is_said(rows, text):
    with pytest.raises(InputError, match=REFUSED[text]):
        rows(text)


GIVEN = {
    ("20\trs1\t0\t5\tT\tG\n", "effect=6"): "does not number chrom, pos, ref, alt",
    ("20\t4\t5\tT\n", "chrom=1,pos=3,ref=4"): "does not number alt",
    ("chr\tpos\tA1\tA2\n20\t5\tT\tG\n", "ref=A2,alt=a2"): "'A2' is named for both alleles",
}


@pytest.mark.parametrize("given", [GivenColumns({"ref": "A"}), GivenColumns({}, "ALT")])
def test_a_vcf_without_names_has_none_to_give(tmp_path, given):
    (tmp_path / "x").write_text("##fileformat=VCFv4.2\n20\t5\t.\tT\tG\n")
    with pytest.raises(InputError, match=r"x: a VCF without a line #CHROM .* Leave them out"):
        open_source(tmp_path / "x", columns=given)
    assert open_source(tmp_path / "x").format == "VCF"


@pytest.mark.parametrize(("text", "columns"), GIVEN)
def test_what_given_columns_lack_is_said(rows, text, columns):
    with pytest.raises(InputError, match=GIVEN[text, columns]):
        rows(text, *columns.split(","))


def test_names_with_blanks_are_given_as_they_are(rows):
    text = "Chromosome name\tPosition bp\tRef base\tAlt base\n20\t5\tT\tG\n"
    given = ("chrom=Chromosome name", "pos=Position bp", "ref=Ref base", "alt=Alt base")
    assert rows(text, *given) == [("20", 4, "T", "G")]


def test_a_header_whose_columns_are_parted_by_tabs_and_by_blanks_is_one(rows):
    assert rows("CHR SNP\tBP A1 A2\n20 rs1\t5 G T\n") == [("20", 4, "T", "G")]


def test_columns_of_one_name_are_given_by_number(rows):
    text = "chr\tpos\tref\tref\talt\n20\t5\tT\tC\tG\n"
    assert rows(text, "ref=3", "alt=5") == [("20", 4, "T", "G")]


@pytest.mark.parametrize(
    "text",
    [
        "variantId\tchromosome\tposition\treferenceAllele\talternateAllele\nx\t20\t5\tT\tG\n",
        "variantId\tbeta\n20_5_T_G\t1\n",
        'locus.contig\tlocus.position\talleles\n20\t5\t["T","G"]\n',
        "chr20:g.5T>G\n",
    ],
)
def test_names_of_programs(rows, text):
    ((chrom, *others),) = rows(text)
    assert chrom.removeprefix("chr") == "20"
    assert others == [4, "T", "G"]


def test_parquet_is_told_of_columns(tmp_path):
    pq.write_table(pa.table({"a": ["20"], "b": [5]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="--columns chrom=…"):
        open_source(tmp_path / "x.parquet")


@pytest.mark.parametrize("packed", [False, True])
def test_a_line_that_does_not_end_stops_with_its_number(tmp_path, monkeypatch, packed):
    """Before it fills the memory; a line of as many bytes as there may be is a line."""
    monkeypatch.setattr(compression, "LONGEST_LINE_BYTES", 5_000)
    path = tmp_path / "x"
    for length in (4_000, 6_000):
        text = f"chr\tpos\tref\talt\n20\t5\tT\tG\n20\t6\tT\t{'G' * length}".encode()
        path.write_bytes(gzip.compress(text) if packed else text)
        if length < 5_000:
            assert sum(batch.num_rows for batch in open_source(path).batches()) == 2
            continue
        with pytest.raises(
            InputError, match=r"x: line 3 has more than 5,000 bytes\. Is it a table"
        ):
            list(open_source(path).batches())
