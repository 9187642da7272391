"""Finished runs as Iceberg tables: what readers find, and what becomes of publishers that are stopped or meet."""

import contextlib
import csv
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections import Counter
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.errors import DatasetError, IncompleteRunError, InputError
from enformer_core.publish.catalogs import open_catalog, shown_catalog
from enformer_core.publish.iceberg import IDENTITY, publish_run
from enformer_core.publish.run_files import RunFile, RunTable, tables_of
from enformer_core.storage.local import LocalStore
from jobs.cli import main
from jobs.publish import NAMESPACE
from tests.support import engine_process, toy_runs
from tests.support.dying_catalog import DyingCatalog, Killed
from tests.support.sql_engines import need_engines_environment
from tests.support.toy_runs import ROWS, begun_toy_run

pytest.importorskip("pyiceberg")

# what third parties warn of is no concern of these tests
pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parents[2]
NAMES = ["1", "22", "X", "HLA*01:01"]
PLACED = [(name, start, "A", "G") for name in NAMES for start in range(3)]
UNPLACED = (None, None, None, None)
TABLES = ["tracks", "effects", "scores"]


def finished(folder, rows=(*PLACED, UNPLACED), names=NAMES, **how):
    """The ledger of a run that is complete."""
    toy = begun_toy_run(LocalStore(folder), rows, dict.fromkeys(names, 1000), **how)
    toy.commit_all()
    toy.ledger.finish(toy.plan)
    return toy.ledger


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("run") / "run", shard_size=2)


@pytest.fixture
def catalog(tmp_path):
    return opened(tmp_path)


def opened(folder):
    return open_catalog(f"sqlite:///{folder}/catalog.db", str(folder / "tables"))


def publish(ledger, catalog):
    """What became of each table, by its own name."""
    done = publish_run(ledger, tables_of(ledger), catalog, NAMESPACE)
    return {each.table.removeprefix(f"{NAMESPACE}."): each.already for each in done}


def table(catalog, name="scores"):
    return catalog.load_table(f"{NAMESPACE}.{name}")


def test_every_row_is_there_as_the_run_has_it(ledger, catalog):
    assert list(publish(ledger, catalog).items()) == [(name, False) for name in TABLES]
    for name in ("scores", "effects"):
        rows = sorted(table(catalog, name).scan().to_arrow().to_pylist(), key=repr)
        expected = []
        for key, chrom in keys(ledger, name):
            stored = pq.read_table(f"{ledger.store.location}/{key}", partitioning=None)
            expected += [
                {"chrom": chrom, **row, "run": ledger.run.digest} for row in stored.to_pylist()
            ]
        assert rows == sorted(expected, key=repr)
    tracks = table(catalog, "tracks").scan().to_arrow()
    assert tracks["index"].to_pylist() == [0, 5, 7]
    assert set(tracks["run"].to_pylist()) == {ledger.run.digest}


def keys(ledger, name):
    for entry in ledger.manifest_objects():
        yield entry.tables[name].key, entry.chrom or "__unplaced__"


def test_contigs_filters_and_null_lists(ledger, catalog):
    publish(ledger, catalog)
    scores = table(catalog)
    rows = scores.scan(selected_fields=("chrom", "sad")).to_arrow()
    assert Counter(rows["chrom"].to_pylist()) == dict.fromkeys(NAMES, 3) | {"__unplaced__": 1}
    assert rows["sad"].null_count == 1
    for name in [*NAMES, "__unplaced__"]:
        found = scores.scan(row_filter=f"chrom = '{name}'")
        assert found.to_arrow().num_rows == (1 if name == "__unplaced__" else 3)
        # files of other contigs are not opened
        assert all(f"chrom={name[:3]}" in task.file.file_path for task in found.plan_files())
    # rows at 0, 1 and 2 are in files of two: that of the third alone holds position 3, counted from 1
    at = scores.scan(row_filter="chrom = 'X' and pos = 3")
    assert at.to_arrow()["pos"].to_pylist() == [3]
    assert len(list(at.plan_files())) == 1


@pytest.mark.parametrize("reader", ["native", "pyiceberg"])
def test_polars_reads_the_same(ledger, catalog, reader):
    publish(ledger, catalog)
    scores = pl.scan_iceberg(table(catalog), reader_override=reader)
    counts = scores.group_by("chrom").len().collect().rows()
    assert dict(counts) == dict.fromkeys(NAMES, 3) | {"__unplaced__": 1}
    placed = scores.filter(chrom="HLA*01:01", pos=3).select("sad", "run").collect()
    assert placed.rows() == [([2.0, -2.5, 1.0], ledger.run.digest)]
    assert scores.select(pl.col("sad").null_count()).collect().item() == 1


def test_clickhouse_reads_the_same(ledger, catalog):
    need_engines_environment()
    publish(ledger, catalog)
    place = table(catalog).location().removeprefix("file://")
    # it reads nothing that does not lie below the folder in which it works
    rows = asked(
        "import os; os.chdir('/'); import chdb; print(chdb.query(TEXT, 'CSV'))", CLICKHOUSE, place
    )
    assert rows == COUNTED


def test_duckdb_reads_the_same(ledger, catalog):
    """By its own reader of Iceberg."""
    need_engines_environment()
    publish(ledger, catalog)
    place = table(catalog).metadata_location.removeprefix("file://")
    assert asked(OPEN_DUCKDB, DUCKDB, place) == COUNTED


CLICKHOUSE = """SELECT chrom, count(), sum(pos) FROM icebergLocal('{}') GROUP BY 1 ORDER BY 1"""

DUCKDB = """SELECT chrom, count(*), sum(pos) FROM iceberg_scan('{}') GROUP BY 1 ORDER BY 1"""

OPEN_DUCKDB = """
import csv, sys, duckdb
from duckdb_extensions import import_extension
connection = duckdb.connect()
for name in ("avro", "iceberg"):
    import_extension(name)
    connection.execute(f"LOAD {name}")
csv.writer(sys.stdout).writerows(connection.execute(TEXT).fetchall())
"""

COUNTED = [
    *(["1", 3, 6], ["22", 3, 6], ["HLA*01:01", 3, 6], ["X", 3, 6]),
    ["__unplaced__", 1, None],
]


def asked(script, sql, place):
    """Contigs, rows and the sum of their positions, as another environment's reader has them."""
    printed = engine_process.run(f"TEXT = {sql.format(place)!r}\n{script}")
    rows = csv.reader(line for line in printed.splitlines() if line)
    return [
        [name, int(count), None if total in ("", r"\N") else int(total)]
        for name, count, total in rows
    ]


def test_files_stay_and_each_table_is_one_snapshot_that_names_the_run(ledger, catalog):
    before = sorted(Path(ledger.store.location).rglob("*"))
    publish(ledger, catalog)
    assert sorted(Path(ledger.store.location).rglob("*")) == before
    for name in TABLES:
        (snapshot,) = table(catalog, name).metadata.snapshots
        assert snapshot.summary[IDENTITY] == ledger.run.digest
        assert snapshot.summary["enformer-ray.location"] == f"file://{ledger.store.location}"
        assert snapshot.summary["enformer-ray.notice"] == "only a test"
    for task in table(catalog).scan().plan_files():
        assert Path(task.file.file_path.removeprefix("file://")).is_file()


def test_adding_files_past_the_program_is_refused(ledger, catalog, capsys):
    """Their contig would be null."""
    publish(ledger, catalog)
    for name in TABLES:
        files = [task.file.file_path for task in table(catalog, name).scan().plan_files()]
        with pytest.raises(ValueError, match="Mismatch in fields"):
            table(catalog, name).add_files(files, check_duplicate_files=False)
    assert publish(ledger, catalog) == dict.fromkeys(TABLES, True)


def test_a_second_time_nothing_is_done(ledger, catalog):
    publish(ledger, catalog)
    places = [table(catalog, name).metadata_location for name in TABLES]
    assert publish(ledger, catalog) == dict.fromkeys(TABLES, True)
    assert [table(catalog, name).metadata_location for name in TABLES] == places


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_who_is_killed_at_any_commit_goes_on(ledger, tmp_path, commits, behind):
    dying = DyingCatalog(opened(tmp_path), commits, behind=behind)
    with pytest.raises(Killed):
        publish(ledger, dying)
    there = commits if behind else commits - 1
    catalog = opened(tmp_path)
    assert len(catalog.list_tables(NAMESPACE)) == there
    assert list(publish(ledger, catalog).values()) == [True] * there + [False] * (3 - there)
    for name in TABLES:
        assert len(table(catalog, name).metadata.snapshots) == 1
    assert table(catalog).scan().to_arrow().num_rows == len(PLACED) + 1


@pytest.fixture
def second(tmp_path_factory, monkeypatch):
    """A run of another identity, on contigs of other names."""
    made = toy_runs.toy_identity
    monkeypatch.setattr(toy_runs, "toy_identity", partial(made, seed=2))
    folder = tmp_path_factory.mktemp("second") / "run"
    return finished(folder, ROWS, ["chr1", "chr2", "chr10"])


def test_another_identity_is_added_to_the_same_tables(ledger, second, catalog):
    publish(ledger, catalog)
    assert publish(second, catalog) == dict.fromkeys(TABLES, False)
    rows = table(catalog).scan(selected_fields=("run", "chrom")).to_arrow()
    assert Counter(rows["run"].to_pylist()) == {
        ledger.run.digest: len(PLACED) + 1,
        second.run.digest: len(ROWS),
    }
    summaries = [each.summary[IDENTITY] for each in table(catalog).metadata.snapshots]
    assert summaries == [ledger.run.digest, second.run.digest]
    for each in (ledger, second):
        assert publish(each, catalog) == dict.fromkeys(TABLES, True)
    of_first = table(catalog).scan(row_filter=f"run = '{ledger.run.digest}'")
    assert of_first.to_arrow().num_rows == len(PLACED) + 1


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_who_is_killed_while_adding_goes_on(ledger, second, tmp_path, commits, behind):
    publish(ledger, opened(tmp_path))
    with pytest.raises(Killed):
        publish(second, DyingCatalog(opened(tmp_path), commits, behind=behind))
    there = commits if behind else commits - 1
    catalog = opened(tmp_path)
    assert list(publish(second, catalog).values()) == [True] * there + [False] * (3 - there)
    assert table(catalog).scan().to_arrow().num_rows == len(PLACED) + 1 + len(ROWS)


def test_columns_of_another_run_are_added_and_null_elsewhere(ledger, second, catalog):
    publish(ledger, catalog)
    list(publish_run(second, [with_column(second, "BETA", 0.5)], catalog, NAMESPACE))
    rows = table(catalog).scan(selected_fields=("run", "BETA")).to_arrow().to_pylist()
    assert {row["BETA"] for row in rows if row["run"] == ledger.run.digest} == {None}
    assert [row["BETA"] for row in rows if row["run"] == second.run.digest] == [0.5]


def test_a_column_of_another_type_is_refused_by_name(ledger, second, catalog):
    list(publish_run(second, [with_column(second, "BETA", "high")], catalog, NAMESPACE))
    with pytest.raises(InputError, match=r"enformer_ray\.scores.*BETA.*--namespace"):
        list(publish_run(ledger, [with_column(ledger, "BETA", 0.5)], catalog, NAMESPACE))
    assert table(catalog).scan().to_arrow()["BETA"].to_pylist() == ["high"]


def with_column(ledger, name, value):
    """A table of scores of one row that has a column more, beside the run's own files."""
    folder = Path(ledger.store.location)
    first = next((folder / "scores").rglob("*.parquet"))
    row = pq.read_table(first, partitioning=None).slice(0, 1)
    file = folder / f"{name}.parquet"
    pq.write_table(row.append_column(name, pa.array([value])), file)
    return RunTable("scores", (RunFile(file.name, "chr1", file.stat().st_size, 1),))


@pytest.mark.parametrize("is_new", [True, False])
def test_of_two_publishers_one_wins_each_table(ledger, second, tmp_path, is_new):
    """Both are held at each commit until the other is there too."""
    catalogs = [opened(tmp_path), opened(tmp_path)]
    if not is_new:
        publish(ledger, catalogs[0])
    barrier = threading.Barrier(2, timeout=3)
    came = [{}, {}]

    def meet(catalog):
        commit = catalog.commit_table

        def together(*given):
            # who comes again, having lost, has nobody to wait for
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait()
            return commit(*given)

        catalog.commit_table = together

    def work(number):
        for each in publish_run(second, tables_of(second), catalogs[number], NAMESPACE):
            came[number][each.table] = each.already

    for catalog in catalogs:
        meet(catalog)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in TABLES:
        full = f"{NAMESPACE}.{name}"
        assert sorted(each[full] for each in came) == [False, True]
        of_run = [
            each
            for each in table(catalogs[0], name).metadata.snapshots
            if each.summary[IDENTITY] == second.run.digest
        ]
        assert len(of_run) == 1
    rows = table(catalogs[0]).scan(row_filter=f"run = '{second.run.digest}'").to_arrow()
    assert rows.num_rows == len(ROWS)


def test_who_was_deleted_is_published_again(ledger, second, catalog):
    publish(ledger, catalog)
    publish(second, catalog)
    table(catalog).delete(f"run = '{second.run.digest}'")
    assert publish(second, catalog) == {"tracks": True, "effects": True, "scores": False}
    assert table(catalog).scan().to_arrow().num_rows == len(PLACED) + 1 + len(ROWS)
    assert Path(second.store.location, "scores").is_dir()


def test_a_run_that_is_not_finished_is_refused(tmp_path, catalog):
    toy = begun_toy_run(LocalStore(tmp_path / "run"))
    toy.commit_all()
    with pytest.raises(IncompleteRunError, match=r"is not finished: 5 of 5 shards"):
        publish(toy.ledger, catalog)


def test_a_run_of_which_something_is_lost_is_refused(tmp_path, catalog):
    ledger = finished(tmp_path / "run")
    next((tmp_path / "run" / "effects").rglob("*.parquet")).unlink()
    with pytest.raises(DatasetError, match=r"effects.*missing.*repair"):
        publish(ledger, catalog)


def test_a_table_that_is_somebody_elses_is_refused(ledger, catalog):
    catalog.create_namespace(NAMESPACE)
    catalog.create_table(f"{NAMESPACE}.scores", schema=pa.schema([("pos", pa.int64())]))
    with pytest.raises(
        InputError, match=r"enformer_ray\.scores: is a table that `publish` did not"
    ):
        publish(ledger, catalog)


def test_a_run_without_scored_rows_has_no_effects(tmp_path, catalog):
    ledger = finished(tmp_path / "run", [UNPLACED], [])
    assert publish(ledger, catalog) == {"tracks": False, "effects": True, "scores": False}
    assert table(catalog).scan().to_arrow()["chrom"].to_pylist() == ["__unplaced__"]


def test_nothing_is_said_of_lists(ledger, catalog, caplog):
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        publish(ledger, catalog)
    assert not [record for record in caplog.records if "statistics" in record.getMessage()]


def test_the_command_says_what_it_did(ledger, tmp_path, capsys):
    words = ["publish", ledger.store.location, "--catalog", f"sqlite:///{tmp_path}/c.db"]
    assert main(words) == 2
    assert "Give --warehouse DIR" in capsys.readouterr().err
    words += ["--warehouse", str(tmp_path / "tables")]
    assert main(words) == 0
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "enformer_ray.tracks: 3 rows in 1 file"
    assert said[-1].startswith("enformer_ray.scores: 13 rows in ")
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "enformer_ray.scores: already: 13 rows" in said
    assert "nothing was changed" in said
    assert main([*words, "--namespace", "mine"]) == 0
    assert opened_default(tmp_path).list_tables("mine")


def opened_default(folder):
    return open_catalog(f"sqlite:///{folder}/c.db", str(folder / "tables"))


def test_a_catalog_by_its_name_in_pyicebergs_configuration(ledger, tmp_path):
    """Its configuration is read when it is loaded: by a process of its own."""
    named = {
        "PYICEBERG_CATALOG__LAB__URI": f"sqlite:///{tmp_path}/lab.db",
        "PYICEBERG_CATALOG__LAB__WAREHOUSE": f"file://{tmp_path}/tables",
    }
    words = ["publish", ledger.store.location, "--catalog", "lab"]
    command = [sys.executable, "-m", "jobs.console", *words]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **named},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "enformer_ray.scores: 13 rows in" in done.stderr
    assert list((tmp_path / "tables").rglob("*.metadata.json"))


def test_a_password_is_not_shown():
    assert shown_catalog("postgresql://me:secret@host/db") == "postgresql://me:…@host/db"
    assert shown_catalog("sqlite:////a/b.db") == "sqlite:////a/b.db"
    with pytest.raises(InputError) as refused:
        open_catalog("postgresql+nothing://me:secret@host/db", "/tmp/tables")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["nowhere", "sqlite:////no/such/folder/c.db"])
def test_a_catalog_that_cannot_be_opened_is_named(name, tmp_path):
    with pytest.raises(InputError, match=f"--catalog {name}: cannot be opened"):
        open_catalog(name, str(tmp_path))
