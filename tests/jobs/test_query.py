"""`query` shows every row and column that there is, of the files that receipts name, wherever it is printed."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from enformer_core.dataset.codec import Footer, to_parquet
from enformer_core.dataset.keys import table_key
from enformer_core.dataset.receipts import AuditedAllele, StatisticError
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.models.tracks.table import described_track
from enformer_core.storage.local import LocalStore
from jobs import exit_codes
from jobs.cli import main
from jobs.output import SafeStream
from jobs.result_rows import unique_names
from jobs.text_columns import TextColumns
from tests.support.toy_runs import ROWS, TRACKS, CountingScorer, begun_toy_run

NAMES = (("cage", "CAGE:liver"), ("dnase", None), (None, None))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run without models, in a directory whose name is a pattern, a quotation, and more."""
    store = LocalStore(tmp_path_factory.mktemp("made") / "it's [a] run* of ü?")
    named = zip(TRACKS, NAMES, strict=True)
    run = begun_toy_run(store, tracks=[described_track(at, *names) for at, names in named])
    run.commit_all()
    return Path(store.location)


@pytest.fixture
def out(made, tmp_path):
    """A copy of it."""
    return str(shutil.copytree(made, tmp_path / made.name))


@pytest.fixture
def ask(out, capsys):
    """The exit code, stdout and stderr of a query."""

    def call(sql, *options):
        code = main(["query", out, sql, *options])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_each_row_is_told_by_what_computed_it(ask, out):
    """Two shards of other machines, as their receipts say, joined to rows of scores."""
    (first, *others) = sorted((Path(out) / "commits").glob("*.json"))
    for path, device in [(first, "A GPU"), *((path, "A CPU") for path in others)]:
        receipt = json.loads(path.read_text())
        receipt["provenance"] |= {"device": device, "cpu_features": ["avx2"], "torch": "2.13.0"}
        path.write_text(json.dumps(receipt))
    code, text, _ = ask(
        "SELECT device, sum(end_row - first_row) AS rows FROM receipts GROUP BY 1 ORDER BY 1",
        "--json",
    )
    shards = [json.loads(path.read_text()) for path in (first, *others)]
    of_cpu = sum(receipt["rows"] for receipt in shards[1:])
    assert (code, json.loads(text)) == (
        0,
        [{"device": "A CPU", "rows": of_cpu}, {"device": "A GPU", "rows": shards[0]["rows"]}],
    )
    sql = """SELECT c.shard, c.device, c.cpu_features, count(*) AS rows, count(s.sad) AS scored
             FROM scores s JOIN computed_by c USING (input_file, input_line, alt_index)
             GROUP BY ALL ORDER BY c.shard"""
    rows = json.loads(ask(sql, "--json")[1])
    assert [row["rows"] for row in rows] == [receipt["rows"] for receipt in shards]
    assert [row["device"] for row in rows] == ["A GPU"] + ["A CPU"] * len(others)
    assert {tuple(row["cpu_features"]) for row in rows} == {("avx2",)}
    names = {row["name"] for row in json.loads(ask("SHOW TABLES", "--json")[1])}
    assert {"scores", "receipts", "computed_by"} <= names


def test_receipts_are_read_where_they_are_asked_for(ask, monkeypatch):
    def refused(*_):
        raise AssertionError("read")

    monkeypatch.setattr("enformer_core.sql.run_connection.create_receipts", refused)
    assert ask("SELECT count(*) FROM scores")[0] == 0
    with pytest.raises(AssertionError, match="read"):
        ask("SELECT count(*) FROM Receipts")


def test_json_says_what_json_can_say(ask):
    sql = """SELECT 'nan'::DOUBLE AS nan, [1.5, '-inf'::DOUBLE] AS nested, 'inf'::FLOAT AS inf,
        DATE '2026-11-26' AS day, TIMESTAMP '2026-11-26 10:00:00.5' AS moment,
        TIMESTAMPTZ '2026-11-26 10:00:00+00' AS zoned, TIME '10:00' AS clock, INTERVAL 36 HOUR AS span,
        1.10::DECIMAL(10, 2) AS money, 0.12345678901234567891::DECIMAL(38, 20) AS digits,
        170141183460469231731687303715884105727::HUGEINT AS huge, sum(3) AS total, 'a\\x00'::BLOB AS bytes,
        MAP {'k': 'nan'::DOUBLE} AS map, {'x': 1, 'y': DATE '2026-01-02'} AS struct, NULL AS nothing,
        uuid() AS uuid, 'é "\n' AS text, true AS yes, 'b'::ENUM('a', 'b') AS kind, '101'::BIT AS bits"""
    code, text, _ = ask(sql, "--json")
    assert code == exit_codes.DONE

    def refuse(constant):
        raise AssertionError(constant)

    (row,) = json.loads(text, parse_constant=refuse)
    assert len(row.pop("uuid")) == 36
    assert row == {
        "nan": None,
        "nested": [1.5, None],
        "inf": None,
        "day": "2026-11-26",
        "moment": "2026-11-26T10:00:00.500000",
        "zoned": "2026-11-26 10:00:00+00",
        "clock": "10:00:00",
        "span": "36:00:00",
        "money": 1.1,
        "digits": "0.12345678901234567891",
        "huge": "170141183460469231731687303715884105727",
        "total": 3,
        "bytes": "6100",
        "map": {"k": None},
        "struct": {"x": 1, "y": "2026-01-02"},
        "nothing": None,
        "text": 'é "\n',
        "yes": True,
        "kind": "b",
        "bits": "101",
    }


def test_equal_and_odd_column_names_are_all_there(ask):
    _, text, _ = ask('SELECT 1 AS a, 2 AS a, 3 AS "we""ird ü", 4 AS a, 5 AS a_2', "--json")
    assert json.loads(text) == [{"a": 1, "a_3": 2, 'we"ird ü': 3, "a_4": 4, "a_2": 5}]
    assert unique_names(["a", "a", "b"]) == ["a", "a_2", "b"]
    _, text, _ = ask("FROM scores s JOIN scores t ON s.input_line = t.input_line LIMIT 1")
    assert text.split("\n")[0].split().count("variant_id") == 2


def test_no_rows_are_an_empty_list(ask):
    assert ask("FROM scores WHERE false", "--json")[1] == "[]\n"
    assert ask("FROM scores SELECT pos WHERE false")[1] == "pos\n---\n(0 rows)\n"


def test_text_has_every_column_and_row_and_no_sign_that_moves_a_cursor(ask, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    code, text, _ = ask("SELECT * FROM scores, range(3000)")
    assert code == exit_codes.DONE
    head, rule, *rows, count = text.splitlines()
    names = head.split()
    assert names[0] == "variant_id"
    assert {"input_file", "max_abs_d1_track", "range"} <= set(names)
    assert len(rule.split()) == len(names)
    assert count == f"({3000 * len(ROWS):,} rows)"
    assert len(rows) == 3000 * len(ROWS)
    _, text, _ = ask("SELECT 'a\tb\x1b[31m\nc' AS \"x\ny\", NULL AS n, 0.1::FLOAT AS f")
    assert text.splitlines()[::2] == [
        "x\\ny             n       f",
        "a\\tb\\x1b[31m\\nc  NULL  0.1",
    ]
    _, text, _ = ask("SELECT range(5313) AS long")
    assert "5,313 values]" in text
    assert max(map(len, text.splitlines())) < 300


def test_a_text_as_long_as_a_window_is_cut_in_columns_and_whole_in_json(ask):
    _, text, _ = ask("SELECT repeat('ACGT', 49152) AS sequence, repeat('x', 1000) AS name")
    assert text.splitlines()[2].split() == ["ACGT" * 50 + "…", "196,608", "letters", "x" * 1000]
    _, text, _ = ask("SELECT repeat('ACGT', 49152) AS sequence", "--json")
    assert json.loads(text) == [{"sequence": "ACGT" * 49152}]


def test_a_slow_query_draws_no_progress_between_its_rows(ask):
    names = "('enable_progress_bar', 'enable_progress_bar_print')"
    _, text, _ = ask(
        f"SELECT value FROM duckdb_settings() WHERE name IN {names} ORDER BY name", "--json"
    )
    assert json.loads(text)[0] == {"value": "false"}


def test_top_is_the_strongest_effects_with_ids_and_tracks(ask, out):
    code, text, _ = ask("FROM top LIMIT 3", "--json")
    assert code == exit_codes.DONE
    rows = json.loads(text)
    values = [abs(row["value"]) for row in rows]
    assert values == sorted(values, reverse=True)
    assert rows[0].keys() == {
        *("variant_id", "id", "track", "statistic", "value", "share", "effect_sign"),
        *("track_index", "identifier", "assay", "biosample"),
    }
    every = json.loads(ask("FROM top", "--json")[1])
    sql = "FROM effects SELECT count(*) AS n WHERE value <> 0"
    assert len(every) == json.loads(ask(sql, "--json")[1])[0]["n"]
    # the first allele's, at base 0, is nothing on the first track and 0.5 of 6.5 on the second
    assert {row["share"] for row in every if row["variant_id"] == "chr1:1:A:G"} == {
        round(0.5 / 6.5, 6),
        round(1.0 / 6.5, 6),
    }
    # a track by its description, else its identifier, else its number
    assert {(row["track_index"], row["track"]) for row in every} <= {
        (0, "CAGE:liver"),
        (5, "dnase"),
        (7, "7"),
    }


def test_tables_and_their_columns_can_be_asked_for(ask):
    tables = {row["name"] for row in json.loads(ask("SHOW TABLES", "--json")[1])}
    assert tables == {
        *("scores", "effects", "tracks", "top", "long"),
        *("receipts", "computed_by"),
    }
    columns = json.loads(ask("DESCRIBE top", "--json")[1])
    assert {"value", "share"} <= {row["column_name"] for row in columns}


class ScorerOfNoise(CountingScorer):
    """Beside values of whole numbers, what rounding leaves of nothing; of one allele nothing else."""

    def score(self, alleles, start):
        scores = [np.array([allele.start, 3e-6, -2e-6]) for allele in alleles]
        return [{"sad": values, "d1": np.abs(values) * 1e-9} for values in scores]


def test_what_rounding_leaves_of_nothing_is_no_hit(tmp_path, capsys):
    """Of each statistic by itself: values of one may be smaller than another's noise."""
    run = begun_toy_run(LocalStore(tmp_path / "noisy"), scorer=ScorerOfNoise())
    run.commit_all()
    assert main(["query", run.store.location, "FROM top", "--json"]) == exit_codes.DONE
    rows = json.loads(capsys.readouterr().out)
    assert {(row["statistic"], row["track_index"]) for row in rows} == {("sad", 0), ("d1", 0)}
    assert max(row["share"] for row in rows) == 1
    assert main(["query", run.store.location, "FROM effects", "--json"]) == exit_codes.DONE
    every = json.loads(capsys.readouterr().out)
    assert len(every) > len(rows)
    assert min(abs(row["value"]) for row in every if row["statistic"] == "sad") < 1e-5


@pytest.fixture
def ask_of(tmp_path, capsys):
    """What a query of a toy run says on stdout and stderr; the run is scored by this, and is whole by default."""

    def call(scorer, sql, *, is_whole=True, auditor=None):
        run = begun_toy_run(LocalStore(tmp_path / "toy"), scorer=scorer, auditor=auditor)
        if is_whole:
            run.commit_all()
            run.ledger.finish(run.plan)
        else:
            run.worker(ShardTask(run.plan.shards[0]))
        assert main(["query", run.store.location, sql]) == exit_codes.DONE
        said = capsys.readouterr()
        return said.out, " ".join(said.err.split())

    return call


def test_of_a_run_that_is_not_complete_it_is_said(ask_of, tmp_path):
    text, said = ask_of(CountingScorer(), "FROM scores SELECT pos", is_whole=False)
    assert "(1 row)" in text
    assert f"note: {tmp_path}/toy: is not complete: " in said
    assert "shards not committed, and not in this answer" in said
    assert "effect" not in said


def test_of_a_complete_run_with_effects_nothing_is_said(ask_of):
    assert ask_of(CountingScorer(), "FROM top")[1] == ""


class ScorerOfSoMuch:
    """One value for every track of every allele."""

    def __init__(self, value):
        self.value = value

    def score(self, alleles, start):
        return [{"sad": np.full(3, self.value), "d1": np.full(3, self.value)} for _ in alleles]


class AuditorWithBound:
    """Finds what it is told to find."""

    def __init__(self, norm, bound):
        self.found = StatisticError(error=0.0, norm=norm, bound=bound, exceeded=False)

    def compare(self, allele, start, scores, drawn):
        return AuditedAllele("chr1:1:A:G", {"sad": self.found})


def test_where_nothing_has_an_effect_it_is_said_why_there_is_nothing_to_see(ask_of):
    text, said = ask_of(ScorerOfSoMuch(0.0), "FROM top")
    assert "(0 rows)" in text
    assert "no allele of this run has an effect: every sad is 0, in every track" in said


@pytest.mark.parametrize(
    ("value", "norm", "bound", "is_noise"),
    [
        (2e-5, 2e-5, 3e-4, True),
        (2e-3, 2e-5, 3e-4, False),  # another allele has an effect
        (2e-5, 1.0, 0.02, False),  # the audited one has
    ],
)
def test_effects_no_larger_than_rounding_are_called_so(ask_of, value, norm, bound, is_noise):
    auditor = AuditorWithBound(norm, bound)
    _, said = ask_of(ScorerOfSoMuch(value), "SELECT * FROM Top LIMIT 5", auditor=auditor)
    noise = "the largest sad of this run is 2e-05, and rounding alone may do 0.0003 beside"
    assert (noise in said) == is_noise


@pytest.mark.parametrize(("norm", "bound", "is_noise"), [(2e-5, 3e-4, True), (1.0, 0.02, False)])
def test_a_report_says_the_same_above_its_tables_of_effects(
    ask_of, tmp_path, norm, bound, is_noise
):
    auditor = AuditorWithBound(norm, bound)
    _, said = ask_of(ScorerOfSoMuch(2e-5), "FROM top", auditor=auditor)
    noise = re.search(r"the largest sad of this run is 2e-05, .*: none of these is an effect", said)
    assert (noise is not None) == is_noise
    page = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "toy"), "--out", str(page)]) == exit_codes.DONE
    (_, effects) = unescape(page.read_text()).split('<section id="effects"', 1)
    above, _, _ = effects.partition("<table")
    assert (noise is not None and noise[0] in above) == is_noise
    assert ("is an effect" in above) == is_noise


class ScorerOfOneEffect(ScorerOfSoMuch):
    """The same beside one track with an effect."""

    def score(self, alleles, start):
        values = np.array([5.0, self.value, 0.0])
        return [{"sad": values, "d1": values} for _ in alleles]


@pytest.mark.parametrize(("value", "is_noise"), [(1e-4, True), (0.01, False)])
def test_rows_no_larger_than_rounding_are_counted_beside_effects(ask_of, value, is_noise):
    auditor = AuditorWithBound(2e-5, 3e-4)
    _, said = ask_of(ScorerOfOneEffect(value), "FROM top", auditor=auditor)
    noise = "rows of top have a sad of at most 0.0003 in size, and rounding alone may do 0.0003"
    assert (noise in said) == is_noise
    assert ("take none of these for an effect" in said) == is_noise


FLOATS = """SELECT 0.3::FLOAT AS one, [0.1::FLOAT, NULL, 'nan'::FLOAT] AS list, 16777216::FLOAT AS whole,
    {'FLOAT': 0.7::FLOAT, 'x FLOAT': [1e-7::FLOAT]} AS struct, MAP {'k': 0.2::FLOAT} AS map, 0.3::FLOAT::DOUBLE AS wide,
    '-inf'::FLOAT AS inf, NULL AS nothing, 'FLOAT'::ENUM('FLOAT') AS kind, [3.4028235e38]::FLOAT[1] AS largest"""


def test_floats_have_the_digits_that_read_back_to_them(ask):
    (row,) = json.loads(ask(FLOATS, "--json")[1])
    assert row == {
        "one": 0.3,
        "list": [0.1, None, None],
        "whole": 16777216,
        "struct": {"FLOAT": 0.7, "x FLOAT": [1e-7]},
        "map": {"k": 0.2},
        "wide": 0.30000001192092896,  # a double that was asked for is one
        "inf": None,
        "nothing": None,
        "kind": "FLOAT",
        "largest": [3.4028235e38],
    }
    text = ask("SELECT 0.3::FLOAT AS one, [0.1::FLOAT] AS list")[1]
    assert text.splitlines()[2].split() == ["0.3", "[0.1]"]
    stored = ask("SELECT max(abs(sad[1])) / 3 AS third FROM scores", "--json")[1]
    third = json.loads(stored)[0]["third"]
    assert len(str(third)) <= 10
    assert np.float32(third) == np.float32(6) / np.float32(3)


@pytest.fixture
def terminal(monkeypatch):
    """Standard output as a terminal of so many columns."""

    def call(columns):
        monkeypatch.setattr(SafeStream, "isatty", lambda stream: True)
        monkeypatch.setenv("COLUMNS", str(columns))

    return call


WIDE = "SELECT 1234567 AS number, repeat('abc', 20) AS text, 'short' AS word, 2.5 AS last"


@pytest.mark.parametrize("columns", [20, 40, 60, 100])
def test_a_terminal_is_given_what_fits_and_told_the_rest(ask, terminal, columns):
    whole = ask(WIDE)[1]
    terminal(columns)
    text = ask(WIDE)[1]
    lines = text.splitlines()
    assert max(map(len, lines[:3])) <= columns
    assert "1234567" in lines[2]  # a number is never cut
    assert (text == whole) == (columns == 100)
    assert ("…" in lines[2]) == (columns in {40, 60})
    left_out = {20: "text, word, last", 40: "last"}.get(columns, "")
    assert lines[0].split() == [
        name for name in ["number", "text", "word", "last"] if name not in left_out
    ]
    if left_out:
        assert f"narrow: {left_out} (" in " ".join(" ".join(lines[4:]).split())
        assert "--json" in text


def test_a_column_that_is_too_wide_by_itself_is_cut(ask, terminal):
    for columns in (30, 20):
        terminal(columns)
        lines = ask("SELECT repeat('x', 100) AS text")[1].splitlines()
        assert lines[2] == "x" * (columns - 1) + "…"
        assert lines[3:] == ["(1 row)"]


def test_what_tells_variants_apart_stands_before_what_is_merely_nice_to_know(ask, terminal):
    terminal(80)
    lines = ask(
        "SELECT 'chr22:19710919:C:A' AS variant_id, repeat('d', 60) AS track, 1.5 AS value, * FROM top"
    )[1]
    assert {line.split()[0] for line in lines.splitlines()[2:5]} == {"chr22:19710919:C:A"}


LONG_NAMES = """SELECT 'chr20:4699605:' || repeat('ACGT', 20) || ':A' AS variant_id, 'rs12345678,rs87654321' AS id,
    'CHIP:H3K27ac:' || repeat('cell ', 20) AS track, 'log_ratio' AS statistic, -0.00012345679 * i AS value,
    0.123457 AS share, NULL AS effect_sign, i AS track_index, 'ENCFF' || i AS identifier FROM range(1, 4) r(i)"""


# the toy has two statistics
@pytest.mark.parametrize(
    ("columns", "first_left_out"), [(70, "statistic"), (80, "share"), (100, "share")]
)
def test_variant_value_and_track_are_shown_however_long_the_names(
    ask, terminal, columns, first_left_out
):
    terminal(columns)
    lines = ask(LONG_NAMES)[1].splitlines()
    assert max(map(len, lines[:5])) <= columns
    assert {"variant_id", "id", "track", "value"} <= set(lines[0].split())
    assert lines[2].startswith("chr20:4699605")
    assert "-0.00012345679" in lines[2]
    said = " ".join(" ".join(lines[6:]).split())
    assert f"name the columns that you want: SELECT variant_id, {first_left_out}, …" in said


@pytest.mark.parametrize("columns", [80, 120])
def test_of_the_table_of_scores_a_terminal_is_given_the_strongest_values(ask, terminal, columns):
    terminal(columns)
    lines = ask("FROM scores LIMIT 3")[1].splitlines()
    assert max(map(len, lines[:5])) <= columns
    names = lines[0].split()
    assert {"variant_id", "max_abs_sad"} <= set(names)


def test_columns_that_say_one_thing_in_every_row_are_left_out_first(ask, terminal):
    sql = "SELECT i AS a, repeat('s', 9) AS same, 100 - i AS b, 10 + i AS c FROM range(3) r(i)"
    terminal(12)
    assert ask(sql)[1].splitlines()[0].split() == ["a", "b", "c"]
    terminal(9)
    assert ask(sql)[1].splitlines()[0].split() == ["a", "b"]


def test_a_name_that_is_kept_twice_is_one_column():
    """Two tables of a run may have a column `values`."""
    names = ["target", "values", "values"]
    columns = TextColumns.fitted(names, [9, 9, 9], [False] * 3, 12, kept=["target", *names])
    assert [columns.names[place] for place in columns.shown] == ["target"]
    assert columns.left_out == ["values", "values"]


def test_only_what_receipts_name_is_read(ask, out):
    store = LocalStore(Path(out))
    before = ask("FROM scores SELECT count(*)")[1]
    stray = to_parquet(pa.table({"x": [1]}), Footer("scores", "0" * 64, None))
    for key in (
        table_key("scores", "chr1", 99),
        "scores/._a.parquet",
        "scores/_temporary/b.parquet",
    ):
        store.put_if_absent(key, stray)
    assert ask("FROM scores SELECT count(*)")[1] == before


def test_a_damaged_file_is_named_and_a_slip_is_not_taken_for_damage(ask, out):
    path = next(Path(out, "scores").rglob("*.parquet"))
    key = str(path.relative_to(out))
    with path.open("r+b") as file:
        file.seek(-20, os.SEEK_END)
        file.write(b"?" * 20)
    code, _, error = ask("FROM scores")
    assert code == exit_codes.BAD_INPUT
    assert key in error
    assert "enformer-ray verify" in error
    code, _, error = ask("FROM tracks SELECT error('mine')")
    assert code == exit_codes.BAD_INPUT
    assert "mine" in error
    assert "damaged" not in error
    path.unlink()
    assert f"{key}: missing, though a receipt names it" in ask("FROM scores")[2]


def test_a_file_of_another_length_is_named_with_both_lengths(ask, out):
    path = next(Path(out, "scores").rglob("*.parquet"))
    key = str(path.relative_to(out))
    content = path.read_bytes()
    for other in (content[:-1], content + b"?", b""):
        path.write_bytes(other)
        code, _, error = ask("FROM scores")
        assert code == exit_codes.BAD_INPUT
        lengths = f"{len(other):,} bytes, its receipt says {len(content):,} bytes"
        assert f"{key}: {lengths}. `enformer-ray verify {out}`" in error


def test_a_damaged_page_in_a_file_of_the_right_length_is_named(ask, out):
    path = max(Path(out, "effects").rglob("*.parquet"), key=lambda each: each.stat().st_size)
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)  # of the first column's page
    path.write_bytes(content)
    code, _, error = ask("FROM effects")
    assert code == exit_codes.BAD_INPUT
    assert str(path.relative_to(out)) in error
    assert "enformer-ray verify" in error


@pytest.fixture
def contents(out):
    """What lies in the run, by name."""

    def read():
        paths = [path for path in Path(out).rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in paths}

    return read


BEYOND = [
    "COPY scores TO '{elsewhere}/x.csv'",
    "COPY (SELECT 1) TO '{first}' (FORMAT parquet, USE_TMP_FILE false)",
    "COPY (SELECT 1) TO 'run://{key}' (FORMAT parquet, USE_TMP_FILE false)",
    "WITH c AS (COPY (SELECT 1) TO 'run://{key}' (FORMAT csv, USE_TMP_FILE false)) FROM c",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'run://{key}' (FORMAT csv, USE_TMP_FILE false)",
    "EXPORT DATABASE '{elsewhere}/e'",
    "EXPORT DATABASE 'run://e'",
    "ATTACH '{elsewhere}/a.db'",
    "ATTACH 'run://a.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "FROM read_text('{elsewhere}/secret')",
    "FROM read_csv('/etc/passwd')",
    "FROM glob('/etc/*')",
    "FROM read_text('run://run.json')",
    "FROM read_text('run://{key}/../../../run.json')",
    "FROM read_blob('run://**')",
    "FROM read_parquet('https://example.org/x.parquet')",
    "FROM 's3://bucket/x.parquet'",
    "CREATE PERSISTENT SECRET s (TYPE s3)",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "PRAGMA enable_profiling",
]


def test_nothing_but_the_tables_of_the_run_is_read_and_nothing_written(
    ask, out, contents, tmp_path
):
    (tmp_path / "secret").write_text("secret")
    first = next(Path(out, "scores").rglob("*.parquet"))
    before = contents()
    key = first.relative_to(out)
    quoted = str(first).replace("'", "''")
    for sql in BEYOND:
        code, text, error = ask(sql.format(elsewhere=tmp_path, first=quoted, key=key))
        assert (code, text) == (exit_codes.BAD_INPUT, ""), sql
        assert "this SQL was refused" in error, sql
        assert "A query reads the tables of its run and nothing else" in error, sql
        assert "Traceback" not in error, sql
        assert contents() == before, sql
    assert {path.name for path in tmp_path.iterdir()} == {"secret", Path(out).name}


def test_a_file_in_the_place_of_a_table_is_told_about_the_fence(ask):
    assert "A query reads the tables of its run" in ask("FROM 'genes.parquet'")[2]


@pytest.mark.parametrize("sql", ["", "  ", ";", " ;; ", "/* nothing */"])
def test_no_question_is_no_answer(ask, sql):
    code, text, error = ask(sql)
    assert (code, text) == (exit_codes.BAD_INPUT, "")
    assert "no question. Give SQL, such as 'FROM top LIMIT 20'" in error


@pytest.mark.parametrize("view", ["scores", "effects", "top", "EFFECTS"])
def test_a_run_without_receipts_says_so(ask, out, view):
    shutil.rmtree(Path(out, "commits"))
    code, _, error = ask(f"FROM {view}")
    assert code == exit_codes.BAD_INPUT
    assert "shards none is committed" in error
    assert f"`enformer-ray status {out}` says how far it is" in error
    assert ask("FROM tracks")[0] == exit_codes.DONE


@pytest.mark.parametrize("view", ["tracks", "top"])
def test_a_run_without_its_tracks_says_so(ask, out, view):
    Path(out, "tracks.parquet").unlink()
    code, _, error = ask(f"FROM {view}")
    assert code == exit_codes.BAD_INPUT
    assert "tracks.parquet is missing" in error
    assert "Run its own command again" in error
    assert ask("FROM scores")[0] == exit_codes.DONE


@pytest.mark.parametrize("name", ["scores", "tracks", "top", "long"])
def test_what_the_sql_itself_has_dropped_is_not_lost(ask, name):
    code, _, error = ask(f"DROP VIEW {name}; FROM {name}")
    assert code == exit_codes.BAD_INPUT
    assert "this SQL was refused" in error
    assert "receipt" not in error
    assert "missing" not in error
    assert "this SQL was refused" in ask(f"FROM elsewhere.{name}")[2]


def test_a_column_may_be_called_as_a_view_that_the_run_has_not(ask, out):
    shutil.rmtree(Path(out, "commits"))
    code, text, error = ask("SELECT 1 AS top, 2 AS top_genes")
    assert (code, text.split()[:2]) == (exit_codes.DONE, ["top", "top_genes"])
    assert "no allele" not in error


def test_a_table_of_another_kind_of_run_is_told_from_one_to_come(ask):
    error = ask("FROM predictions")[2]
    assert "a run of alleles has no table predictions, but scores, effects and tracks" in error
    assert "a run of alleles has no table gene_effects, but scores" in ask("FROM gene_effects")[2]
    assert "a run of alleles has no view top_genes" in ask("FROM top_genes")[2]


@pytest.mark.parametrize(
    "sql",
    ["selec 1", "FROM nowhere", "SELECT nix FROM scores", "SELECT 'a'::INT", "SELECT error('x')"],
)
def test_refused_sql_has_its_reason(ask, sql):
    code, text, error = ask(sql, "--json")
    assert (code, text) == (exit_codes.BAD_INPUT, "")
    assert "this SQL was refused" in error
    assert "Traceback" not in error


def test_statements_without_a_question_are_answered(ask):
    assert ask("CREATE TABLE t AS SELECT 1; FROM t")[0] == exit_codes.DONE
    assert ask("DESCRIBE scores")[0] == exit_codes.DONE
    code, text, _ = ask("EXPLAIN FROM scores SELECT pos")
    assert code == exit_codes.DONE
    assert len(text.splitlines()) > 5


def test_numbers_in_json_are_those_of_the_run(ask):
    rows = json.loads(ask("FROM scores SELECT sad WHERE status = 'ok'", "--json")[1])
    assert rows
    assert all(math.isfinite(value) for row in rows for value in row["sad"])


PRINTING = """
import sys
from html import unescape
from jobs.console import run

sys.argv = ["enformer-ray", "query", sys.argv[1], "SELECT 'é→…ß' AS ü, range FROM range(200000)"]
run()
"""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_reader_that_leaves_and_a_terminal_of_few_letters_end_nothing(out, encoding):
    """`query … | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRINTING, out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    first = process.stdout.readline().decode(encoding)
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), error) == (exit_codes.DONE, b"")
    assert "range" in first


def test_sql_may_begin_with_a_remark(ask):
    for sql in ("-- a=b, of two\nSELECT 7 AS n", "--x\nSELECT 7 AS n"):
        assert ask(sql, "--json")[:2] == (0, '[\n{"n": 7}\n]\n')
    code, _, error = ask("-- nothing")
    assert (code, "no question" in error) == (2, True)
