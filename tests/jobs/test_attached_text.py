"""Text that is attached to a query: every line is a row, or the file is refused by its line."""

import gzip

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import InputError
from jobs import attached_text
from jobs.query_attached import Attached, attach


@pytest.fixture
def table(tmp_path):
    """The rows of a file, and the types of its columns."""

    def read(content, name="t.csv"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        with duckdb.connect() as connection:
            attach(connection, [Attached("own", file)])
            types = connection.execute("DESCRIBE own").fetchall()
            rows = connection.execute("FROM own").fetchall()
            return {column[0]: column[1] for column in types}, rows

    return read


LOST = {
    "a title before": ("Supplementary Table 1\nid,p\nrs1,0\n", "line 1 has no tabs, commas"),
    "semicolons after": ("id\nrs1\nrs2;1\n", "row 2 has more columns than the line"),
    "commas after": ("id\nrs1;0\nrs3,1\n", "line 3 has 2 columns by commas"),
    "decimal commas": ("id,p\nrs1,0,1\nrs2,0.2\n", "line 2 has 3 columns by commas, and line 1"),
    "of R": ("snp\tp\n1\trs1\t0.1\n", "of R: write.table(..., row.names = FALSE)"),
    "no header": ("rs1\nrs2\nrs3\n", "line 1 names no columns, but has a row's rs1"),
    "no header either": ("gene,0.5\nother,1\n", "line 1 names no columns, but has a row's 0.5"),
    "a longer row": ("id\tp\nrs1\t0.1\nrs2\t0.2\tjunk\n", "line 3 has 3 columns by tabs"),
    "a shorter row": ("id\tp\nrs1\t0.1\n\nrs2\n", "line 4 has 1 column"),
    "a quote": ('id,t\n1,"a\n2,b"\n3,c\n', "line 2 has a quote that is not closed"),
    "letters behind a quote": ('id,t\n1,"a\n2,b" c\n', "line 2 has a quote that is not closed"),
    "a quoted line's end": ('id,t\n1,"a\nb"\n', "line 2 has a quote that is not closed"),
    "lines of another system": ("id,p\rrs1,1\rrs2,2\r", ""),
    "a remark among rows": ("id,p\n# a remark\nrs1,1\n", "line 2 has 1 column"),
    "latin1": ("id,t\n1,é\n".encode("latin1"), "line 2 is no UTF-8. Write it so, as by iconv"),
    "UTF-16": ("id,t\n".encode("utf-16"), "text in UTF-16"),
    "nothing": ("\n##x\n", "no line that names columns"),
}


@pytest.mark.parametrize(("content", "said"), LOST.values(), ids=LOST.keys())
def test_what_would_lose_a_row_is_refused_by_its_line(content, said, table):
    with pytest.raises(InputError, match=r"^--attach own=.*t\.csv: ") as refused:
        table(content)
    assert said in str(refused.value)


def test_the_header_is_the_first_line_whatever_looks_like_it(table):
    types, rows = table(
        "##remark, of two\n\n#chrom\tpos\tp\tid\n1\t5\t1e-3\t007\r\n\r\n2\t7\tNA\t."
    )
    assert types == {"#chrom": "VARCHAR", "pos": "BIGINT", "p": "DOUBLE", "id": "VARCHAR"}
    assert rows == [("1", 5, 0.001, "007"), ("2", 7, None, None)]


def test_a_quote_is_a_letter_of_a_vcf(table):
    record = '1\t5\tx\tA\tG\t.\t.\tNOTE="5, a; b\n'
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    types, rows = table(head + record + record)
    assert types["INFO"] == "VARCHAR"
    assert [row[7] for row in rows] == ['NOTE="5, a; b'] * 2
    with pytest.raises(InputError, match="is BCF, no text"):
        table(gzip.compress(b"BCF\x02\x02"))


def test_types_are_those_of_all_values_and_not_of_the_first(table):
    lines = "".join(f"{at},{at}\n" for at in range(50_000))
    types, rows = table(f"a,b\n{lines}x,0.5\n")
    assert types == {"a": "VARCHAR", "b": "DOUBLE"}
    assert len(rows) == 50_001
    assert rows[-1] == ("x", 0.5)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("12", "BIGINT"),
        ("-0", "BIGINT"),
        ("9" * 18, "BIGINT"),
        ("-9223372036854775808", "BIGINT"),
        ("9" * 19, "HUGEINT"),
        ("9" * 39, "DOUBLE"),
        ("1_000", "VARCHAR"),
        ("01", "VARCHAR"),
        ("1.", "DOUBLE"),
        (".5E-7", "DOUBLE"),
        ("NaN", "DOUBLE"),
        ("true", "BOOLEAN"),
        ("2026-11-27", "DATE"),
        ("2026-13-27", "VARCHAR"),
        ("0x10", "VARCHAR"),
        ("=1+1", "VARCHAR"),
    ],
)
def test_a_type_loses_nothing_of_a_value(value, kind, table):
    types, ((read, _),) = table(f"v,w\n{value},\n")
    assert types == {"v": kind, "w": "VARCHAR"}
    assert kind != "VARCHAR" or read == value


def test_columns_of_one_name_and_without_one_are_told_apart(table):
    types, _ = table('"",p,P,"a ""b"", c"\nx,1,2,3\n')
    assert list(types) == ["column0", "p", "P_1", 'a "b", c']


def test_lines_are_counted_over_blocks_and_in_packed_files(table, monkeypatch):
    monkeypatch.setattr(attached_text, "_BLOCK_BYTES", 64)
    lines = "".join(f"name{at},{at}\r\n\r\n" for at in range(200)).encode()
    content = b"\xef\xbb\xbfid,n\r\n" + lines
    for packed in (content, gzip.compress(content[:900]) + gzip.compress(content[900:])):
        types, rows = table(packed)
        assert types == {"id": "VARCHAR", "n": "BIGINT"}
        assert rows == [(f"name{at}", at) for at in range(200)]
    with pytest.raises(InputError, match="cannot be read as a table"):
        table(gzip.compress(content)[:-20])


NOTED = {
    "one cell that is no number": (
        "a\n9\n10\nbad\n\n",
        "a is text, in whose order 9 is above 10: 2 of its 3 cells are numbers, and the first that is none is 'bad'",
    ),
    "a second name": ("p,P\n1,2\n", "its column P is called P_1 here"),
    "too small": (
        "a\n0\n1e-400\n0e1\n",
        "a: 1 value nearer to 0 than a 64-bit float can be is 0 here",
    ),
    "too large": (
        "a\ninf\n1e400\n-1e400\n",
        "a: 2 values beyond a 64-bit float are infinite here, null in JSON",
    ),
    "long integers": (
        "a\n0.5\n9007199254740993\n9007199254740992\n",
        "a: 1 integer has more digits than",
    ),
}


@pytest.mark.parametrize(("content", "said"), NOTED.values(), ids=NOTED.keys())
def test_what_became_of_cells_is_said(content, said, table, capsys):
    table(content)
    (note,) = capsys.readouterr().err.splitlines()
    assert note.startswith("note: --attach own=")
    assert said in note


def test_of_json_and_parquet_too(table, tmp_path, capsys):
    table('[{"p": 1e-400, "P": 1}, {"q_1 (": 0.5, "P": 2}]', "t.json")
    renamed, below = capsys.readouterr().err.splitlines()
    assert "its column P is called P_1 here" in renamed
    assert "p: 1 value nearer to 0" in below
    file = tmp_path / "made.parquet"
    pq.write_table(pa.table({"p": [1], "P": [2], "p_2": [3]}), file)
    table(file.read_bytes(), "t.parquet")
    assert "its column P is called P_1 here" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content", ["a,b\n1,x\n,y\n", "a_1,p\n007,0.0\n008,-inf\n", "chr\n1\n2\nX\n"]
)
def test_of_what_is_as_it_was_written_nothing_is_said(content, table, capsys):
    table(content)
    assert not capsys.readouterr().err
