"""`enformer-ray sql` prints what opens a run in an engine, and runs it where the engine is installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest

from enformer_core.sql import opening
from enformer_core.sql.dialects import DIALECTS
from enformer_core.sql.opening import tables_of
from enformer_core.storage.local import LocalStore
from jobs import exit_codes
from jobs.finished_run import open_ledger
from jobs.sql import Engine
from tests.support.toy_runs import begun_toy_run


@pytest.fixture
def out(tmp_path):
    run = begun_toy_run(LocalStore(tmp_path / "toy"))
    run.commit_all()
    return run.store.location


def test_the_engines_of_the_option_are_those_of_the_table():
    assert get_args(Engine) == tuple(DIALECTS)


@pytest.mark.parametrize("engine", DIALECTS)
def test_every_engine_has_its_text_and_the_same_as_json(run, out, engine):
    code, text, error = run("sql", out, "--engine", engine)
    assert (code, error) == (exit_codes.DONE, "")
    said = json.loads(run("sql", out, "--engine", engine, "--json")[1])
    assert said["engine"] == engine
    for part in (*said["opening"], *said["notes"], said["question"]):
        assert part in text


def test_the_text_of_polars_is_a_program_and_that_of_duckdb_a_script(run, out):
    program = run("sql", out, "--engine", "polars")[1]
    answered = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "chr1:7:A:G" in answered.stdout
    import duckdb  # noqa: PLC0415

    with duckdb.connect() as connection:
        rows = connection.sql(run("sql", out)[1]).fetchall()
    assert rows[0][:2] == ("chr1", "chr1:7:A:G")


@pytest.mark.parametrize("engine", ["duckdb", "polars", "datafusion"])
def test_it_is_run_where_the_engine_is_installed(run, rows, out, engine):
    code, text, _ = run("sql", out, "--engine", engine, "--run", "--json")
    assert code == exit_codes.DONE
    asked = json.loads(text)
    top = rows(
        out, "FROM effects WHERE statistic = 'sad' ORDER BY abs(value) DESC, variant_id, track"
    )
    expected = [(row["chrom"], row["variant_id"], row["value"]) for row in top]
    assert [(row["chrom"], row["variant_id"], row["value"]) for row in asked] == expected
    assert "(16 rows)" in run("sql", out, "--engine", engine, "--run")[1]


def test_of_a_run_under_way_it_is_said(run, tmp_path):
    location = begun_toy_run(LocalStore(tmp_path / "begun")).store.location
    assert "-- The run is not complete: 0 of 5 shards committed." in run("sql", location)[1]
    code, text, error = run("sql", location, "--run")
    assert (code, text.splitlines()[-1]) == (exit_codes.DONE, "(0 rows)")
    assert "The run is not complete" in " ".join(error.split())


@pytest.mark.parametrize("engine", ["trino", "athena", "bigquery"])
def test_a_service_does_not_run_here(run, out, engine):
    code, text, error = run("sql", out, "--engine", engine, "--run")
    assert (code, text) == (exit_codes.BAD_INPUT, "")
    assert "without --run" in " ".join(error.split())


def test_an_engine_that_is_not_installed_is_named_with_its_package(run, out, monkeypatch):
    monkeypatch.setitem(sys.modules, "datafusion", None)
    code, _, error = run("sql", out, "--engine", "datafusion", "--run")
    assert code == exit_codes.BAD_INPUT
    assert "pip install datafusion" in " ".join(error.split())


def test_what_an_engine_says_of_a_damaged_file_is_handed_on(run, out):
    path = next(Path(out, "effects").rglob("*.parquet"))
    path.write_bytes(b"nothing")
    code, _, error = run("sql", out, "--run")
    assert code == exit_codes.BAD_INPUT
    assert "DuckDB refused this text" in " ".join(error.split())


def test_where_there_is_no_run_it_is_said(run, tmp_path):
    assert run("sql", tmp_path)[0] == exit_codes.BAD_INPUT


def test_of_a_file_that_is_missing_another_says_the_columns(run, out, monkeypatch):
    # as of a run with columns of its input
    monkeypatch.setattr(opening, "_known_schema", lambda *_: None)
    files = sorted(Path(out, "scores").rglob("*.parquet"))
    expected = pq.ParquetFile(files[-1]).schema_arrow.names
    files[0].unlink()
    (scores, *_) = tables_of(open_ledger(out))
    assert (scores.name, scores.schema.names) == ("scores", expected)
    for file in files[1:]:
        file.write_bytes(b"nothing")
    code, _, error = run("sql", out)
    said = " ".join(error.split())
    assert code == exit_codes.BAD_INPUT
    assert f"{out}: every file of scores is missing or damaged" in said
    assert f"`enformer-ray verify {out}`" in said
