"""Tables are read as people keep them, and a cell that cannot be is named with its line."""

import gzip

import numpy as np
import polars as pl
import pytest

from enformer_core.errors import InputError
from enformer_core.links.tables import CHROM, END, START, read_table


@pytest.fixture
def table(tmp_path):
    """The table of a file of this text."""

    def write(text, name="x.tsv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(str(path))

    return write


def places(read):
    """The columns of chromosome, start and end, whatever they are called."""
    chrom = read.texts(read.column(CHROM)).to_list()
    start = read.whole_numbers(read.column(START)).tolist()
    end = read.whole_numbers(read.column(END)).tolist()
    return list(zip(chrom, start, end, strict=True))


ROWS = "chr1\t5\t9\nchr2\t6\t8\n"
READ = [("chr1", 5, 9), ("chr2", 6, 8)]

SAME = {
    "BED": ROWS,
    "BED with blanks": ROWS.replace("\t", "   "),
    "BED with blanks and commas": "chr1 5 9 a,b\nchr2 6 8 c,d\n",
    "BED for a browser": f'browser position chr1\ntrack name="x y"\n# made today\n\n{ROWS}',
    "a header": f"chr\tstart\tend\n{ROWS}",
    "a header of ENCODE's": f"chrom\tchromStart\tchromEnd\n{ROWS}",
    "a header with a hash": f"## made today\n#chr\tstart\tend\n{ROWS}",
    "commas": f"chr\tstart\tend\n{ROWS}".replace("\t", ","),
    "Windows": f"\ufeffchr\tstart\tend\n{ROWS}".replace("\n", "\r\n"),
    "numbers with a point": f"chr\tstart\tend\n{ROWS}".replace("5", "5.0"),
    "no end of line": ROWS.rstrip(),
    "quotes around words": 'chr\tstart\tend\n"chr1"\t5\t9\n"chr2"\t6\t"8"\n',
    "BED with quotes": ROWS.replace("chr1", '"chr1"'),
    "gzip": gzip.compress(ROWS.encode()),
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_rows_are_read_however_they_are_written(table, kind):
    assert places(table(SAME[kind])) == READ


def test_parquet(tmp_path):
    path = tmp_path / "x.parquet"
    frame = pl.DataFrame(
        {"chrom": ["chr1", "chr2"], "start": [5, 6], "end": [9, 8], "x": [0.5, None]}
    )
    frame.write_parquet(path)
    read = read_table(str(path))
    assert places(read) == READ
    assert read.where(1).endswith("row 2")
    np.testing.assert_array_equal(read.numbers("x"), [0.5, np.nan])


def test_columns_without_a_header_are_those_of_bed(table):
    assert table("chr1\t1\t2\tx\t0\t+\t7\n").rows.columns == [
        *("chrom", "start", "end", "name", "score", "strand", "column_7")
    ]
    peak = table("chr1\t1\t2\tx\t0\t.\t7.5\t3\t2\t40\n")
    assert peak.numbers("signalValue").tolist() == [7.5]
    assert not peak.has_header


def test_cells_without_a_value(table):
    read = table(
        "chr\tstart\tend\tx\tname\nchr1\t1\t2\tNaN\t.\nchr1\t2\t3\t\tb\nchr1\t3\t4\t1e-3\tNA\n"
    )
    np.testing.assert_array_equal(read.numbers("x"), [np.nan, np.nan, 1e-3])
    assert read.texts("name").to_list() == [None, "b", None]


def test_two_columns_of_one_name_are_told_apart(table):
    read = table("chr\tstart\tend\tx\tx\nchr1\t1\t2\t3\t4\n")
    assert read.rows.columns == ["chr", "start", "end", "x", "x_2"]


def test_truths(table):
    read = table("chr\tstart\tend\tx\nchr1\t1\t2\tTRUE\nchr1\t2\t3\tfalse\nchr1\t3\t4\t1\n")
    assert read.truths("x").tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        ("\n \n", "an empty file"),
        ("#chr\tstart\tend\n", "has no rows"),
        ("chr\tstart\tend\n", "has no rows"),
        ("# nothing\n", "has no rows"),
        (b"\xff\xfe\x00", "neither text nor Parquet"),
        (b"PAR1 and no more", "cannot be read as Parquet"),
        (gzip.compress(ROWS.encode())[:-12], "cannot be unpacked"),
        ("chr1\t1\t2\n\nchr1\t3\n", "line 3: has 2 columns, the lines above it have 3"),
    ],
)
def test_what_is_no_table_is_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        table(text)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.bed: cannot be read: No such file"):
        read_table(str(tmp_path / "nowhere.bed"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_table(str(tmp_path))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda read: read.whole_numbers("start"), r"x\.tsv, line 4: start '2\.5' is not a whole"),
        (lambda read: read.numbers("x"), r"x\.tsv, line 3: x 'much' is not a number"),
        (lambda read: read.truths("x"), r"x\.tsv, line 3: x 'much' is neither TRUE nor FALSE"),
        (lambda read: read.column(["tss"]), "has no column tss; it has chr, start, end, x"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named_with_its_line(table, ask, message):
    read = table("chr\tstart\tend\tx\n# so\nchr1\t1\t2\tmuch\nchr1\t2.5\t3\t1\n")
    with pytest.raises(InputError, match=message):
        ask(read)


def test_of_two_columns_of_one_name_none_is_taken(table):
    read = table("chr\tstart\tend\tx\tX\ty\tx\nchr1\t1\t2\t3\t4\t5\t6\n")
    assert read.find(["y"]) == "y"
    with pytest.raises(
        InputError, match=r"has several columns x\. Leave one, or rename the others"
    ):
        read.find(["x"])
    # names that are like those given to repeats are names
    assert table("chr\tstart\tend\tx\tx_2\nchr1\t1\t2\t3\t4\n").find(["x"]) == "x"


def test_semicolons_are_named(table):
    read = table("chr;start;end\nchr1;1;2\n")
    with pytest.raises(InputError, match="separated by tabs or commas, not by semicolons"):
        read.column(["chr"])
    with pytest.raises(InputError, match=r"it has chr, start, end$"):
        table("chr\tstart\tend\nchr1\t1\t2\n").column(["x"])


WRONG_WIDTHS = {
    "short": (
        "chr,start,end\nchr1,5,9\nchr2,6\n",
        "line 3: has 2 columns, the lines above it have 3",
    ),
    "long": ("chr,start,end\nchr1,5,9,7\n", "line 2: has 4 columns, the lines above it have 3"),
    "open": ('chr,start,end\n"chr1,5,9\n', "line 2: has a quote that does not end in its line"),
    "old": ("chr,start,end\rchr1,5,9\r", "its lines end with CR alone"),
}


@pytest.mark.parametrize("kind", WRONG_WIDTHS)
def test_lines_that_are_no_rows_are_named(table, kind):
    text, message = WRONG_WIDTHS[kind]
    with pytest.raises(InputError, match=message):
        table(text)
    # within quotes a comma separates nothing
    read = table('chr,start,end,name\nchr1,5,9,"a,b"\n')
    assert read.texts("name").to_list() == ["a,b"]


def test_a_number_beyond_all_integers_is_none(table):
    read = table("chr\tstart\tend\nchr1\t5\t1e30\n")
    with pytest.raises(InputError, match="line 2: end '1e30' is not a whole number"):
        read.whole_numbers("end")


def test_of_parquet_only_columns_that_are_used_must_be_cells(tmp_path):
    path = tmp_path / "x.parquet"
    frame = pl.DataFrame({"chrom": ["chr1"], "start": ["5"], "end": [9], "parts": [[1]]})
    frame.with_columns(pl.col("chrom").cast(pl.Categorical)).write_parquet(path)
    read = read_table(str(path))
    assert places(read) == [("chr1", 5, 9)]
    with pytest.raises(InputError, match=r"column parts is of List\(Int64\), no text or numbers"):
        read.texts("parts")
