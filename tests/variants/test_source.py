"""Each line of a variant file answers with its rows; each file that cannot be used is refused by name."""

import gzip
import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import InputError
from enformer_core.variants.formats import compression
from enformer_core.variants.input_files import input_digests
from enformer_core.variants.table import RAW_SCHEMA
from tests.support.bgzf import write_bgzf
from tests.support.variants import count_records, read_alleles

HEADER = "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"

FIRST_LINE = 4

SHORT = (
    "input_line",
    "alt_index",
    "input_chrom",
    "start",
    "id",
    "input_ref",
    "input_alt",
    "reason",
)


def short_rows(path):
    """Rows as tuples of SHORT; each must be malformed exactly if it has a reason."""
    table = read_alleles([path])
    assert table.schema == RAW_SCHEMA
    rows = table.to_pylist()
    assert all(row["status"] == ("malformed" if row["reason"] else None) for row in rows)
    return [tuple(row[name] for name in SHORT) for row in rows]


@pytest.fixture
def write(tmp_path):
    """Write text or bytes, give the path."""

    def call(content, name="x.vcf"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return call


def test_one_row_for_each_alt(write):
    path = write(HEADER + "chr1\t10\trs1\tA\tG\t.\t.\t.\n2\t11\t.\tac\tG,a,<DEL>\t.\t.\t.\n")
    assert short_rows(path) == [
        (4, 1, "chr1", 9, "rs1", "A", "G", None),
        (5, 1, "2", 10, None, "ac", "G", None),
        (5, 2, "2", 10, None, "ac", "a", None),
        (5, 3, "2", 10, None, "ac", "<DEL>", None),
    ]
    assert read_alleles([path])["input_file"].to_pylist() == ["x.vcf"] * 4


def test_line_numbers_are_those_of_the_file(write):
    lines = [*HEADER.splitlines(), "", "1\t5\t.\tA\tC", "", "", "1\t6\t.\tA\tC\t.\t.\t.", "", ""]
    for end in ("\n", "\r\n"):
        rows = short_rows(write(end.join(lines)))
        assert rows == [(5, 1, "1", 4, None, "A", "C", None), (8, 1, "1", 5, None, "A", "C", None)]
    assert short_rows(write(HEADER + "1\t5\t.\tA\tC"))[0][-2] == "C"  # the last line has no end
    assert short_rows(write("\ufeff" + HEADER + "1\t5\t.\tA\tC"))[0][0] == FIRST_LINE


def test_blocks_join_without_a_seam(write, monkeypatch):
    body = "".join(
        f"chr{i % 3}\t{i}\trs{i}\t{'ACGT'[i % 4] * (i % 40 + 1)}\tG,T\r\n" for i in range(1, 90)
    )
    for content in (HEADER + body, HEADER + body.replace("\r\n", "\n")[:-1]):
        path = write(content)
        whole = read_alleles([path])
        for block_bytes in (1, 50, 700):
            monkeypatch.setattr(compression, "BLOCK_BYTES", block_bytes)
            assert read_alleles([path]).combine_chunks() == whole.combine_chunks()
        monkeypatch.undo()
        assert whole["input_line"].to_pylist() == [3 + i for i in range(1, 90) for _ in range(2)]


MALFORMED = {
    "1\t5\t.\tA": "too few columns, separated by tabs: 4 of 5",
    "1 5 . A C": "too few columns, separated by tabs: 1 of 5",
    "   ": "too few columns, separated by tabs: 1 of 5",
    "1\t.\t.\tA\tC": "POS is missing",
    "1\t\t.\tA\tC": "POS is missing",
    "1\t-1\t.\tA\tC": "POS is not a whole number: '-1'",
    "1\t1e6\t.\tA\tC": "POS is not a whole number: '1e6'",
    "1\t 5\t.\tA\tC": "POS is not a whole number: ' 5'",
    "1\t9999999999999999999\t.\tA\tC": "POS is not a whole number: '9999999999999999999'",
    "\t5\t.\tA\tC": "CHROM is missing",
    "1\t5\t.\t\tC": "REF is missing",
    "1\t5\t.\t.\tC": "REF is missing",
    "#CHROM\tPOS\tID\tREF\tALT": "a header line among the records",
    "##source=again": "a header line among the records",
}


@pytest.mark.parametrize("alt", [",C", "C,", "C,,G", "C, ,G"])
def test_of_a_list_with_a_gap_no_allele_is_taken(write, alt):
    # a letter is lost: ,C may have been TC
    for row in read_alleles([write(f"{HEADER}1\t5\t.\tA\t{alt}\n")]).to_pylist():
        assert row["status"] == "malformed"
        assert row["reason"] == f"ALT has an empty allele in its list: '{alt}'"


@pytest.mark.parametrize("line", MALFORMED)
def test_an_unreadable_line_is_one_row_with_its_reason(write, line):
    good = "1\t5\t.\tA\tC"
    rows = short_rows(write(f"{HEADER}{good}\n{line}\n{good}\n"))
    assert [row[0] for row in rows] == [FIRST_LINE, FIRST_LINE + 1, FIRST_LINE + 2]
    assert [row[-1] for row in rows] == [None, MALFORMED[line], None]
    assert rows[1][1] == 1


def test_what_can_be_read_of_a_malformed_line_is_kept(write):
    rows = short_rows(write(HEADER + "1\t7\trs3\nchr1\tx\trs4\tA\tC,G\n"))
    assert rows[0] == (
        4,
        1,
        "1",
        6,
        "rs3",
        None,
        None,
        "too few columns, separated by tabs: 3 of 5",
    )
    assert [row[:7] for row in rows[1:]] == [
        (5, 1, "chr1", None, "rs4", "A", "C"),
        (5, 2, "chr1", None, "rs4", "A", "G"),
    ]


def test_position_zero_is_before_the_contig_and_missing_alts_are_kept_as_written(write):
    rows = short_rows(
        write(HEADER + "1\t0\t.\tA\tC\n1\t1\t.\tA\t.\n1\t2\t.\tA\t\n1\t3\t.\tA\tC,,G\n")
    )
    assert [(row[1], row[3], row[6]) for row in rows] == [
        (1, -1, "C"),
        (1, 0, "."),
        (1, 1, ""),
        (1, 2, "C"),
        (2, 2, ""),
        (3, 2, "G"),
    ]


def test_text_that_is_not_utf8_stays_readable(write):
    path = write(HEADER.encode() + b"1\t5\tcaf\xe9\tA\tC\n1\t6\trs2\tA\tC\n")
    assert [row[4] for row in short_rows(path)] == ["caf\\xe9", "rs2"]
    assert short_rows(write(HEADER + "1\t5\tcafé\tA\tC\n"))[0][4] == "café"


@pytest.mark.parametrize(
    "header",
    ["chrom\tpos\tref\talt\trsid", "#CHROM\tPosition\tREF\tALT\tID", "Chr\tPOS\tRef\tAlt\tSNP"],
)
def test_tab_separated_text_by_the_names_of_its_columns(write, header):
    path = write(f"# made by hand\n{header}\n1\t5\tA\tC,G\trs1\n1\t6\tA\tC\n", "x.tsv")
    assert short_rows(path) == [
        (3, 1, "1", 4, "rs1", "A", "C", None),
        (3, 2, "1", 4, "rs1", "A", "G", None),
        (4, 1, "1", 5, None, "A", "C", "4 cells, where the header names 5"),
    ]


def test_columns_in_any_order_among_others(write):
    path = write("alt\tbeta\tref\tpos\tchrom\nC\t0.1\tA\t5\tX\nC\t0.1\tA\t5\n", "x.txt")
    reason = "too few columns, separated by tabs: 4 of 5"
    assert short_rows(path) == [
        (2, 1, "X", 4, None, "A", "C", None),
        (3, 1, None, 4, None, "A", "C", reason),
    ]


def test_a_vcf_without_column_names_has_those_of_the_specification(write):
    path = write("##fileformat=VCFv4.2\nchr1\t5\trs1\tA\tC\t.\t.\n")
    assert short_rows(path) == [(2, 1, "chr1", 4, "rs1", "A", "C", None)]


def test_compressions_give_the_same(write, tmp_path):
    text = HEADER + "".join(f"1\t{i}\t.\tA\tC\n" for i in range(1, 20_000))
    plain = short_rows(write(text))
    half = len(text) // 2
    members = gzip.compress(text[:half].encode()) + gzip.compress(text[half:].encode())
    assert short_rows(write(members, "two.vcf.gz")) == plain
    assert short_rows(write(members, "misnamed.vcf")) == plain
    write_bgzf(tmp_path / "b.vcf.gz", text.encode())
    assert short_rows(tmp_path / "b.vcf.gz") == plain


def test_parquet(tmp_path):
    columns = {
        "Chrom": pa.array(["1", "1", None, "X", "1"]).dictionary_encode(),
        "POS": pa.array([5, 0, 7, None, -3], pa.int32()),
        "REF": pa.array(["A", "ac", "A", "A", "A"], pa.large_string()),
        "ALT": ["C,G", None, "C", "C", "C"],
        "rsid": ["rs1", ".", None, "", "rs5"],
        "beta": [0.1] * 5,
    }
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), path, row_group_size=2)
    expected = [
        (1, 1, "1", 4, "rs1", "A", "C", None),
        (1, 2, "1", 4, "rs1", "A", "G", None),
        (2, 1, "1", -1, None, "ac", None, None),
        (3, 1, None, 6, None, "A", "C", "CHROM is missing"),
        (4, 1, "X", None, None, "A", "C", "POS is missing"),
        (5, 1, "1", None, "rs5", "A", "C", "POS is not a whole number: '-3'"),
    ]
    assert short_rows(path) == expected
    pq.write_table(pa.table(columns | {"ALT": [["C", "G"], None, ["C"], ["C"], ["C"]]}), path)
    assert short_rows(path) == expected


def test_parquet_that_does_not_fit(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"chrom": ["1"], "pos": [1], "a1": ["C"]}), path)
    with pytest.raises(InputError, match=r"x\.parquet.*chrom, pos, ref, alt.*'a1'"):
        read_alleles([path])
    pq.write_table(pa.table({"chrom": ["1"], "pos": [1.5], "ref": ["C"], "alt": ["A"]}), path)
    with pytest.raises(InputError, match="'pos' is of type double"):
        read_alleles([path])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"x\.parquet: this Parquet file cannot be read"):
        read_alleles([path])


REFUSED = {
    "": "empty file",
    ">chr1\nACGT\n": "FASTA",
    "Dear reader,\nthis is a letter.\n": "chrom, pos, ref, alt.*'Dear', 'reader,'",
    "chrom;pos;ref;alt\n1;5;A;C\n": "Line 1 has semicolons between its columns",
    "1\t5\trs1\tA\tC\n": "it has '1', '5', 'rs1'",
    "chrom\tchr\tpos\tref\talt\n1\t1\t5\tA\tC\n": "'chrom' and 'chr' could both be chrom",
    "##fileformat=VCFv4.2\n": "no header line",
    "##fileformat=VCFv4.2\n1 5 . A C\n": "line 2 comes before any #CHROM line",
    "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\n1\t5\t.\tA\tC\n": "line 3 comes before any #CHROM line with POS, REF",
    "\n\n": "no header line",
    "\0\1\2\3\n": "binary",
    "BCF\2\2more": "bcftools view",
}


@pytest.mark.parametrize("content", REFUSED)
@pytest.mark.parametrize("zipped", [False, True])
def test_files_that_are_no_variants(write, content, zipped):
    path = write(gzip.compress(content.encode()) if zipped and content else content, "odd.vcf")
    with pytest.raises(InputError, match=rf"(?s)odd\.vcf.*{REFUSED[content]}"):
        read_alleles([path])


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none\.vcf: no such"):
        read_alleles([tmp_path / "none.vcf"])
    with pytest.raises(InputError, match="a directory without Parquet"):
        input_digests([tmp_path])


def test_damaged_gzip(write, tmp_path):
    text = HEADER + "".join(f"1\t{i}\t.\tA\tC\n" for i in range(1, 50_000))
    whole = gzip.compress(text.encode())
    for size in (6, 11, len(whole) // 2, len(whole) - 4):
        with pytest.raises(InputError, match=r"cut\.vcf\.gz: this gzip file is cut short"):
            read_alleles([write(whole[:size], "cut.vcf.gz")])
    middle = len(whole) // 2
    with pytest.raises(InputError, match=r"bad\.vcf\.gz: this gzip file is damaged"):
        read_alleles([write(whole[:middle] + bytes(50) + whole[middle + 50 :], "bad.vcf.gz")])
    write_bgzf(tmp_path / "b.vcf.gz", text.encode())
    between_blocks = (tmp_path / "b.vcf.gz").read_bytes()[:-28]
    assert (
        gzip.decompress(between_blocks).decode() == text
    )  # valid gzip, so nothing else would tell
    with pytest.raises(InputError, match="end marker is missing"):
        read_alleles([write(between_blocks, "b.vcf.gz")])


def test_files_with_one_name_keep_their_paths(tmp_path):
    paths = [tmp_path / "a" / "x.vcf", tmp_path / "b" / "x.vcf", tmp_path / "y.vcf"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEADER + "1\t5\t.\tA\tC,G\n1\t6\t.\tA\n")
    names = [str(paths[0]), str(paths[1]), "y.vcf"]
    table = read_alleles(paths)
    assert table["input_file"].to_pylist() == [name for name in names for _ in range(3)]
    sha256 = hashlib.sha256(paths[0].read_bytes()).hexdigest()
    size = paths[0].stat().st_size
    expected = [{"name": name, "sha256": sha256, "bytes": size} for name in names]
    assert input_digests(paths) == expected
    assert count_records(table) == dict.fromkeys(names, 2)
    with pytest.raises(InputError, match="given twice"):
        read_alleles([paths[0], paths[0]])


def test_no_records_are_no_rows(write):
    path = write(HEADER)
    assert read_alleles([path]).num_rows == 0


alt = st.one_of(
    st.text("ACGTN", min_size=1, max_size=5),
    st.sampled_from(["<DEL>", "*", ".", "G]17:198982]", ""]),
)

record = st.tuples(
    st.sampled_from(["1", "chrX", "HLA-A*01:01"]),
    st.integers(0, 10**9),
    st.sampled_from([None, "rs1", "rs1;rs2"]),
    st.text("ACGTacgtN", min_size=1, max_size=30),
    st.lists(alt, min_size=1, max_size=4),
    st.integers(0, 2),  # empty lines after it
)


@given(
    st.lists(record, max_size=30),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\t.\tPASS\tAC=1\tGT\t0|1"]),
)
def test_what_is_written_is_read(tmp_path_factory, records, end, rest):
    lines, expected = HEADER.splitlines(), []
    for chrom, pos, name, ref, alts, gap in records:
        written = ",".join(alts)
        lines.append(f"{chrom}\t{pos}\t{name or '.'}\t{ref}\t{written}{rest}")
        has_gap = len(alts) > 1 and "" in alts
        reason = f"ALT has an empty allele in its list: '{written}'" if has_gap else None
        expected += [
            (len(lines), i, chrom, pos - 1, name, ref, one, reason)
            for i, one in enumerate(alts, start=1)
        ]
        lines += [""] * gap
    path = tmp_path_factory.mktemp("made") / "x.vcf"
    path.write_bytes((end.join(lines) + end).encode())
    assert short_rows(path) == expected
