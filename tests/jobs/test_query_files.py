"""`query` writes its rows in formats that other programs read, whole or not at all, and reads the user's own tables."""

import csv
import gzip
import json
import math
import shutil
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.models.tracks.table import described_track
from enformer_core.storage.local import LocalStore
from jobs import exit_codes
from jobs.cli import main
from tests.support.toy_runs import TRACKS, begun_toy_run

NAMES = (("cage", "CAGE:liver"), ("dnase", "DNASE:K562"), (None, None))

ODD = """SELECT 'a,"b"' AS text, 'x\ty\nz' AS tab, NULL AS nothing, 0.1::FLOAT AS number, [0.3::FLOAT, NULL] AS list,
    'nan'::DOUBLE AS nan, 1 AS a, 2 AS a, INTERVAL 36 HOUR AS span, sum(3) AS total"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    named = zip(TRACKS, NAMES, strict=True)
    tracks = [described_track(at, *names) for at, names in named]
    run = begun_toy_run(LocalStore(tmp_path_factory.mktemp("made") / "toy"), tracks=tracks)
    run.commit_all()
    return run.store.location


@pytest.fixture
def out(made, tmp_path):
    return str(shutil.copytree(made, tmp_path / "toy"))


@pytest.fixture
def ask(out, capsys):
    def call(sql, *options):
        code = main(["query", out, sql, *map(str, options)])
        said = capsys.readouterr()
        return code, said.out, " ".join(said.err.split())

    return call


def test_commas_and_quotes_are_those_of_csv(ask):
    code, text, _ = ask(ODD, "--format", "csv")
    assert code == exit_codes.DONE
    (row,) = csv.DictReader(text.splitlines(keepends=True))
    assert row == {
        "text": 'a,"b"',
        "tab": "x\ty\nz",
        "nothing": "",
        "number": "0.1",
        "list": "[0.3, NULL]",
        "nan": "nan",
        "a": "1",
        "a_2": "2",
        "span": "36:00:00",
        "total": "3",
    }


def test_a_line_of_tabs_is_one_line_without_quotes(ask):
    head, line = ask(ODD, "--format", "tsv")[1].splitlines()
    cells = dict(zip(head.split("\t"), line.split("\t"), strict=True))
    assert cells["text"] == 'a,"b"'
    assert cells["tab"] == "x\\ty\\nz"
    assert cells["nothing"] == ""


def test_parquet_has_the_types_of_the_rows(ask, tmp_path):
    file = tmp_path / "odd.parquet"
    assert ask(ODD, "--format", "parquet", "--output", file)[:2] == (exit_codes.DONE, "")
    table = pq.read_table(file)
    assert table.schema.field("number").type == pa.float32()
    assert table.schema.field("list").type.value_type == pa.float32()
    (row,) = table.to_pylist()
    assert (row["a"], row["a_2"], row["span"], row["total"]) == (1, 2, "36:00:00", 3)
    assert math.isnan(row["nan"])
    scores = tmp_path / "scores.parquet"
    ask("FROM scores ORDER BY input_line", "--format", "parquet", "--output", scores)
    assert pl.read_parquet(scores)["sad"].to_list()[-1] is None


def test_without_rows_there_are_still_columns(ask, tmp_path):
    for chosen in ("csv", "tsv"):
        assert ask("SELECT pos FROM scores WHERE false", "--format", chosen)[1] == "pos\n"
    file = tmp_path / "none.parquet"
    ask("FROM scores WHERE false", "--format", "parquet", "--output", file)
    assert pq.read_table(file).num_rows == 0


@pytest.mark.parametrize("chosen", ["table", "csv", "tsv", "json"])
def test_a_file_has_what_would_be_printed(ask, tmp_path, chosen):
    sql = "SELECT 'é→…ß' AS ü, * FROM scores ORDER BY input_line"
    printed = ask(sql, "--format", chosen)[1]
    file = tmp_path / "answer"
    assert ask(sql, "--format", chosen, "--output", file)[:2] == (exit_codes.DONE, "")
    assert file.read_text(encoding="utf-8") == printed
    assert ask(sql, "--format", chosen, "--output", "-")[1] == printed


def test_json_by_either_name(ask):
    asked = ask("FROM top", "--format", "json")
    assert asked == ask("FROM top", "--json") == ask("FROM top", "--json", "--format", "json")
    assert ask("FROM top", "--json", "--format", "csv")[0] == exit_codes.BAD_INPUT


def test_parquet_is_not_printed_by_chance(ask):
    code, text, error = ask("FROM top", "--format", "parquet")
    assert (code, text) == (exit_codes.BAD_INPUT, "")
    assert "--output FILE" in error


def test_a_file_is_whole_or_as_it_was(ask, out, tmp_path):
    file = tmp_path / "answer.csv"
    file.write_text("before")
    failing = "SELECT CASE WHEN range > 100000 THEN error('late') END FROM range(200000)"
    code, _, error = ask(failing, "--format", "csv", "--output", file)
    assert code == exit_codes.BAD_INPUT
    assert "late" in error
    assert file.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.csv", "toy"]
    code, _, error = ask("FROM top", "--output", Path(out, "x.csv"))
    assert code == exit_codes.BAD_INPUT
    assert "lies in the run" in error
    code, _, error = ask("FROM top", "--output", tmp_path / "no" / "x.csv")
    assert code == exit_codes.BAD_INPUT
    assert "cannot be written" in error


def test_what_is_known_of_tracks_stands_beside_them(ask):
    rows = json.loads(ask("FROM top", "--json")[1])
    known = {(row["track_index"], row["assay"], row["biosample"]) for row in rows}
    assert known == {(0, "CAGE", "liver"), (5, "DNASE", "K562"), (7, None, None)}


def test_the_view_long_has_every_value_of_every_scored_allele(ask):
    rows = json.loads(ask("FROM long", "--json")[1])
    lists = json.loads(ask("FROM scores WHERE status = 'ok'", "--json")[1])
    expected = {
        (row["input_line"], statistic, track): value
        for row in lists
        for statistic in ("sad", "d1")
        for track, value in zip(TRACKS, row[statistic], strict=True)
    }
    found = {
        (row["input_line"], row["statistic"], row["track_index"]): row["value"] for row in rows
    }
    assert len(rows) == len(found)
    assert found == expected
    (row,) = json.loads(
        ask("FROM long WHERE chrom = 'chr2' AND assay = 'CAGE' AND statistic = 'sad'", "--json")[1]
    )
    assert (row["variant_id"], row["track"], row["value"]) == ("chr2:5:C:CT", "CAGE:liver", 4.0)


SUMSTATS = "#chrom\tpos\tref\talt\tbeta\n1\t5\tA\tG\t0.5\nX\t7\tC\tT\tNA\n"

JOINED = "SELECT * FROM gwas ORDER BY pos"


def content(ending):
    """The same rows in a file of each kind."""
    if ending.endswith("parquet"):
        table = pa.table({"#chrom": [1, 2], "pos": [5, 7], "beta": [0.5, None]})
        stream = pa.BufferOutputStream()
        pq.write_table(table, stream)
        return stream.getvalue().to_pybytes()
    text = SUMSTATS
    if "csv" in ending:
        text = text.replace("\t", ",")
    if "json" in ending:
        text = '{"#chrom": 1, "pos": 5, "beta": 0.5}\n{"#chrom": 2, "pos": 7, "beta": null}\n'
    raw = text.encode()
    return gzip.compress(raw) if ending.endswith(("gz", "bgz")) else raw


@pytest.mark.parametrize(
    "ending", ["tsv", "tsv.gz", "txt", "csv", "csv.bgz", "parquet", "jsonl", "json.gz", "x.parquet"]
)
def test_tables_of_ones_own_are_asked_beside_the_run(ask, tmp_path, ending):
    file = tmp_path / f"it's [a] file*.{ending}"
    file.write_bytes(content(ending))
    code, text, error = ask(JOINED, "--attach", f"gwas={file}", "--json")
    assert code == exit_codes.DONE, error
    rows = json.loads(text)
    # a contig is a text, whatever its first ones look like
    assert rows[0]["#chrom"] == "1"
    assert [(row["pos"], row["beta"]) for row in rows] == [(5, 0.5), (7, None)]


def test_several_tables_are_joined_with_scores(ask, tmp_path):
    one = tmp_path / "one.csv"
    one.write_text("chrom,pos,trait\nchr1,4,height\nchr2,5,weight\n")
    two = tmp_path / "two.csv"
    two.write_text("trait,unit\nheight,cm\n")
    sql = "SELECT s.variant_id, unit FROM one JOIN scores s USING (chrom, pos) JOIN two USING (trait) ORDER BY ALL"
    _, text, _ = ask(sql, "--attach", f"one={one}", "--attach", f"two={two}", "--format", "tsv")
    assert text == "variant_id\tunit\nchr1:4:A:G\tcm\nchr1:4:A:G\tcm\n"


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_csv('{file}')",
        "COPY gwas TO '{file}'",
        "COPY gwas TO '{file}.csv'",
        "FROM read_text('{beside}')",
        "INSTALL httpfs",
    ],
)
def test_the_fence_stays_around_run_and_tables(ask, tmp_path, sql):
    file = tmp_path / "gwas.tsv"
    file.write_text(SUMSTATS)
    beside = tmp_path / "secret"
    beside.write_text("secret")
    asked = sql.format(file=file, beside=beside)
    code, text, error = ask(asked, "--attach", f"gwas={file}")
    assert (code, text) == (exit_codes.BAD_INPUT, "")
    assert "this SQL was refused" in error
    assert "--attach NAME=FILE" in error
    assert file.read_text() == SUMSTATS


@pytest.mark.parametrize(
    ("attached", "said"),
    [
        ("{file}", "give a name of letters"),
        ("a b={file}", "give a name of letters"),
        ("SCORES={file}", "is the run's own"),
        ("long={file}", "is the run's own"),
        ("gwas={file}.gone", "gone"),
        ("gwas={folder}", "is a directory; give one file"),
        ("gwas={empty}", "line 1 is no UTF-8"),
        ("gwas={spaces}", "make spaces between columns tabs"),
    ],
)
def test_what_cannot_be_attached_is_said(ask, tmp_path, attached, said):
    names = {name: tmp_path / name for name in ("file", "empty", "spaces")}
    names["file"].write_text(SUMSTATS)
    names["empty"].write_bytes(b"\x00\xff\xfe" * 30)
    names["spaces"].write_text("chr pos\n1 5\n")
    code, _, error = ask("FROM top", "--attach", attached.format(folder=tmp_path, **names))
    assert code == exit_codes.BAD_INPUT
    assert said in error
    assert "Traceback" not in error


def test_a_name_twice_is_refused(ask, tmp_path):
    file = tmp_path / "gwas.tsv"
    file.write_text(SUMSTATS)
    code, _, error = ask("FROM top", "--attach", f"gwas={file}", "--attach", f"GWAS={file}")
    assert code == exit_codes.BAD_INPUT
    assert "given twice" in error


VCF = """##fileformat=VCFv4.2
##INFO=<ID=X,Number=1,Type=String,Description="a, \\"b\\"">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
1\t5\t.\tA\tG,T\t.\tPASS\tX="c;AF=0.5,0.1
X\t7\trs1\tC\tT\t30.5\t.\tX=d
"""


@pytest.mark.parametrize("remarks", [1, 300])
@pytest.mark.parametrize("ending", ["vcf", "vcf.gz"])
def test_a_vcf_is_read_below_its_header(ask, tmp_path, ending, remarks):
    """However long it is, and though INFO may hold a quote."""
    text = "##fileformat=VCFv4.2\n" * remarks + VCF
    file = tmp_path / f"v.{ending}"
    file.write_bytes(gzip.compress(text.encode()) if ending.endswith("gz") else text.encode())
    code, text, error = ask("FROM v ORDER BY POS", "--attach", f"v={file}", "--json")
    assert code == exit_codes.DONE, error
    first, second = json.loads(text)
    assert (first["#CHROM"], first["POS"], first["ID"], first["ALT"]) == ("1", 5, None, "G,T")
    assert first["INFO"] == 'X="c;AF=0.5,0.1'
    assert (second["#CHROM"], second["QUAL"], second["FILTER"]) == ("X", 30.5, None)


def test_a_bcf_is_refused_with_what_makes_it_text(ask, tmp_path):
    file = tmp_path / "v.bcf"
    file.write_bytes(gzip.compress(b"BCF\x02\x02 and so on"))
    code, _, error = ask("FROM v", "--attach", f"v={file}")
    assert code == exit_codes.BAD_INPUT
    assert "is BCF, no text. Make it a VCF: bcftools view FILE > variants.vcf" in error


def test_a_table_that_is_not_there_is_told_with_those_that_are(ask):
    code, _, error = ask("FROM nosuch")
    assert code == exit_codes.BAD_INPUT
    assert (
        "there is no table nosuch. The run has scores, effects, tracks, top, long and computed_by."
        in error
    )
    assert "scores, effects, tracks, top, long and computed_by: ask" in ask("FROM top_genes")[2]
    error = ask("SELECT P.VALUE FROM scores")[2]
    assert 'A name with a dot in it stands in quotes: "P.VALUE".' in error
