"""A table beside a finished run: there or not, made once, seen by every reader, found damaged where it is."""

import io
import json
import os
from contextlib import redirect_stdout

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core import open_run
from enformer_core.dataset.absent_tables import why_absent
from enformer_core.dataset.finished import IncompleteRunError
from enformer_core.dataset.keys import SUMMARIES, table_key
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.dataset.summary_tables import summary_receipts, unfinished_summaries
from enformer_core.dataset.verify import verify_run
from enformer_core.errors import DatasetError, InputError, StorageError
from enformer_core.export.tsv import export_tsv
from enformer_core.storage.local import LocalStore
from enformer_core.summaries import write_summary
from enformer_core.summaries.processes import Processes
from enformer_core.variants.table import Status
from jobs.compact import CompactSettings, compact
from jobs.query import run_query
from jobs.repair import RepairSettings, repair
from jobs.status import StatusSettings, status
from tests.support.dying import deaths, puts_of
from tests.support.summaries import Killed, Times, finished_toy_run
from tests.support.toy_runs import begun_toy_run

COLUMNS = ["max_abs_sad"]


@pytest.fixture
def run(tmp_path):
    return finished_toy_run(tmp_path / "run")


def write(run, factor=2.0, name="doubled", **options):
    return write_summary(
        run.ledger, name, {"factor": factor}, Times(factor), columns=COLUMNS, **options
    )


def place_of(run):
    return run.store.root


def names(run):
    return sorted(str(path.relative_to(place_of(run))) for path in place_of(run).rglob("*.*"))


def test_its_rows_are_those_of_scores_with_what_was_made_of_them(run):
    receipt = write(run)
    tables = open_run(place_of(run))
    keys = ["input_file", "input_line", "alt_index"]
    both = tables.scores.join(tables.table("doubled"), on=keys, suffix="_made").collect()
    assert len(both) == receipt.rows == 10
    assert both["status"].to_list() == both["status_made"].to_list()
    assert both["variant_id"].to_list() == both["variant_id_made"].to_list()
    assert both["times"].to_list() == (both["max_abs_sad"] * 2).to_list()
    assert both["times"].null_count() == 1
    made = tables.table("doubled").collect()
    assert made.drop("times", "process").columns == [
        *("chrom", "variant_id", "pos", "id", "ref", "alt"),
        *keys,
        "status",
    ]
    assert made.drop("times", "process").equals(
        tables.scores.select(made.drop("times", "process").columns).collect()
    )


def test_the_receipt_says_what_it_is_of_and_which_files_there_are(run):
    receipt = write(run)
    assert receipt.begun.identity == {"factor": 2.0, "run": run.run.digest}
    assert [file.shard for file in receipt.files] == [shard.number for shard in run.plan.shards]
    for file in receipt.files:
        path = place_of(run) / file.key
        assert file.key == table_key("doubled", file.chrom, file.shard)
        assert path.stat().st_size == file.bytes
        assert pq.read_metadata(path).num_rows == file.rows
    assert summary_receipts(run.ledger) == {"doubled": receipt}


def test_the_same_command_again_does_nothing(run, monkeypatch):
    first = write(run)
    before = names(run)
    assert puts_of(lambda: write(run), monkeypatch) == [f"{SUMMARIES}/doubled/begun.json"]
    assert write(run) == first
    assert names(run) == before


def test_another_identity_is_refused_with_both_sides_also_while_the_first_is_not_complete(run):
    write(run)
    (place_of(run) / SUMMARIES / "doubled" / "receipt.json").unlink()
    with pytest.raises(InputError, match=r"factor: there 2\.0, now 3\.0(.|\n)*--name"):
        write(run, factor=3.0)
    with pytest.raises(InputError, match=r"table: there \"doubled\", now \"other\""):
        write(run, kind="other")
    write(run, factor=3.0, name="tripled")
    write(run)
    assert list(summary_receipts(run.ledger)) == ["doubled", "tripled"]


def test_who_dies_at_any_moment_leaves_nothing_that_is_read_and_is_continued(tmp_path, monkeypatch):
    whole = finished_toy_run(tmp_path / "whole")
    keys = puts_of(lambda: write(whole), monkeypatch)
    assert keys[0].endswith("begun.json")
    assert keys[-1].endswith("receipt.json")
    expected = open_run(place_of(whole)).table("doubled").collect().drop("process")
    runs = [finished_toy_run(tmp_path / f"dead-{last}") for last in range(len(keys))]
    for last in deaths(lambda last: write(runs[last]), len(keys), monkeypatch):
        run = runs[last]
        assert summary_receipts(run.ledger) == {}
        assert unfinished_summaries(run.ledger) == ["doubled"]
        with pytest.raises(InputError, match="doubled is not complete: give its command again"):
            open_run(place_of(run)).table("doubled")
        verdict = verify_run(run.ledger)
        assert not verdict.problems
        assert "doubled: is not complete" in verdict.notes[0]
        # what was put before stays as it is
        left = puts_of(lambda run=run: write(run), monkeypatch)
        assert len(left) == len(keys) - last + 1
        assert open_run(place_of(run)).table("doubled").collect().drop("process").equals(expected)


def test_several_processes_make_the_same(tmp_path):
    alone, together = (finished_toy_run(tmp_path / name) for name in ("alone", "together"))
    told = []
    write(alone)
    write(together, spread=Processes(2), report=lambda *counts: told.append(counts))
    one, two = (open_run(place_of(run)).table("doubled").collect() for run in (alone, together))
    assert one.drop("process").equals(two.drop("process"))
    assert set(one["process"]) == {os.getpid()}
    assert os.getpid() not in two["process"]
    assert told == [(done, 5) for done in range(1, 6)]
    # whichever was done first
    assert [file.shard for file in summary_receipts(together.ledger)["doubled"].files] == [
        *range(5)
    ]


def test_of_several_processes_one_that_is_killed_leaves_what_can_be_continued(run):
    with pytest.raises(StorageError, match=r"was killed(.|\n)*Give fewer --processes"):
        write_summary(
            run.ledger,
            "doubled",
            {"factor": 2.0},
            Killed(2.0),
            columns=COLUMNS,
            spread=Processes(2),
        )
    assert unfinished_summaries(run.ledger) == ["doubled"]
    assert write(run).rows == 10


def test_what_goes_wrong_in_a_process_is_told_by_the_command(run):
    flip_a_bit(place_of(run) / run.ledger.receipt(4).tables["scores"].key)
    with pytest.raises(DatasetError, match=r"is not what its receipt names.*repair"):
        write(run, spread=Processes(2))
    assert unfinished_summaries(run.ledger) == ["doubled"]


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_reader_knows_it(run, tmp_path, capsys):
    write(run)
    out = str(place_of(run))
    asked = run_query(out, "SELECT chrom, pos, times FROM doubled WHERE pos = 3 ORDER BY chrom")
    assert asked == [("chr1", 3, 5.0)]
    assert ("doubled",) in run_query(out, "SHOW TABLES")
    file = tmp_path / "doubled.tsv"
    assert export_tsv(run.ledger, file, table="doubled") == 10
    lines = pl.read_csv(file, separator="\t", schema_overrides={"times": pl.Float32})
    assert lines["times"].to_list() == open_run(out).table("doubled").collect()["times"].to_list()
    assert "doubled" in repr(open_run(out))
    status(StatusSettings(out))
    assert "beside   doubled\n" in capsys.readouterr().out
    with redirect_stdout(io.StringIO()) as said:
        status(StatusSettings(out, json=True))
    assert json.loads(said.getvalue())["beside"] == {"doubled": True}


def test_a_table_that_is_not_there_is_told_with_those_that_are(run, tmp_path):
    write(run)
    with pytest.raises(InputError, match=r"has no table .tripled. to write; it has .*doubled"):
        export_tsv(run.ledger, tmp_path / "a.tsv", table="tripled")
    assert "has no table tripled" in why_absent(run.ledger, "tripled", "run")


def test_a_query_says_that_the_table_is_not_complete(run):
    write(run)
    (place_of(run) / SUMMARIES / "doubled" / "receipt.json").unlink()
    with pytest.raises(InputError, match="the table doubled is not complete"):
        run_query(str(place_of(run)), "FROM doubled")


def damage_sha256(run, receipt):
    flip_a_bit(place_of(run) / receipt.files[1].key)


def remove_file(run, receipt):
    (place_of(run) / receipt.files[1].key).unlink()


def forget_file(run, receipt):
    path = place_of(run) / SUMMARIES / receipt.name / "receipt.json"
    said = json.loads(path.read_text())
    del said["files"][1]
    path.write_text(json.dumps(said))


def made_of_other_scores(run, receipt):
    path = place_of(run) / SUMMARIES / receipt.name / "receipt.json"
    said = json.loads(path.read_text())
    said["files"][1]["source"] = "0" * 64
    path.write_text(json.dumps(said))


def no_json(run, receipt):
    (place_of(run) / SUMMARIES / receipt.name / "receipt.json").write_text("{")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (damage_sha256, "sha256 is"),
        (remove_file, "missing, though its receipt names it"),
        (forget_file, "names no file for shard 1"),
        (made_of_other_scores, "made of other scores than shard 1 has now"),
        (no_json, "damaged"),
    ],
)
def test_damage_is_found_and_mended_by_repair_and_the_same_command(run, harm, told, capsys):
    first = write(run)
    assert not verify_run(run.ledger).problems
    harm(run, first)
    verdict = verify_run(run.ledger)
    assert [told in problem for problem in verdict.problems] == [True]
    assert repair(RepairSettings(str(place_of(run)))) == 0
    assert "the run is complete without them" in capsys.readouterr().out
    assert run.ledger.manifest() is not None
    again = write(run)
    assert not verify_run(run.ledger).problems
    # but for the process that has made them, which is this one both times
    assert [file.sha256 for file in again.files] == [file.sha256 for file in first.files]


def test_nothing_is_made_of_damaged_scores(run):
    flip_a_bit(place_of(run) / run.ledger.receipt(1).tables["scores"].key)
    with pytest.raises(DatasetError, match=r"is not what its receipt names.*repair"):
        write(run)


def test_a_file_of_other_scores_that_was_left_is_refused(run, tmp_path):
    first = write(run)
    key = first.files[1].key
    content = (place_of(run) / first.files[0].key).read_bytes()
    (place_of(run) / SUMMARIES / "doubled" / "receipt.json").unlink()
    (place_of(run) / key).write_bytes(content)
    with pytest.raises(DatasetError, match=r"was made of another table scores(.|\n)*Remove"):
        write(run)


def test_a_receipt_of_another_run_is_refused(run, tmp_path):
    write(run)
    path = place_of(run) / SUMMARIES / "doubled" / "receipt.json"
    said = json.loads(path.read_text())
    said["begun"]["identity"]["run"] = "1" * 64
    path.write_text(json.dumps(said))
    with pytest.raises(DatasetError, match="of the table doubled of run 1111"):
        open_run(place_of(run))


def test_a_run_under_way_has_none(tmp_path):
    begun = begun_toy_run(LocalStore(tmp_path / "run"))
    begun.worker(ShardTask(begun.plan.shards[0]))
    with pytest.raises(IncompleteRunError, match=r"is not complete.*then make doubled of it"):
        write(begun)
    assert unfinished_summaries(begun.ledger) == []


@pytest.mark.parametrize("name", ["scores", "top", "tracks", "plan", "summaries", "effects"])
def test_names_that_a_run_has_are_taken(run, name):
    with pytest.raises(InputError, match=f"cannot be called {name}: a run has it already"):
        write(run, name=name)


@pytest.mark.parametrize("name", ["", "a/b", "Ä", "9a", "a b", "A", "_", "../x", "a-b", "a\n"])
def test_names_that_sql_or_folders_would_not_take_are_refused(run, name):
    with pytest.raises(InputError, match="cannot be called"):
        write(run, name=name)


def test_names_that_are_words_of_sql_are_refused(run):
    with pytest.raises(InputError, match="cannot be called order: it is a word of SQL"):
        write(run, name="order")


def test_names_with_digits_and_lines_below_are_taken(run):
    write(run, name="pca_20")
    assert open_run(place_of(run)).table("pca_20").collect().height == 10


def test_as_many_rows_are_made_as_there_are(run):
    with pytest.raises(ValueError, match="doubled: 1 rows made of 3"):
        write_summary(run.ledger, "doubled", {}, one_row, columns=COLUMNS)


def one_row(scores):
    return pa.table({"a": [1]})


def test_a_run_without_alleles_has_a_table_without_rows(tmp_path):
    empty = finished_toy_run(tmp_path / "run", rows=[])
    assert write(empty).rows == 0
    assert list(summary_receipts(empty.ledger)) == ["doubled"]
    assert list(stored_tables(empty.ledger, "doubled")) == []


def test_compacting_says_that_it_is_left_behind_and_it_can_be_made_anew(run, tmp_path, capsys):
    write(run)
    compact(CompactSettings(str(place_of(run)), out=str(tmp_path / "compact")))
    assert "not taken along: doubled" in capsys.readouterr().err
    new = open_run(tmp_path / "compact")
    assert new.summaries == {}
    write_summary(new.ledger, "doubled", {"factor": 2.0}, Times(2.0), columns=COLUMNS)
    tables = [open_run(place).table("doubled") for place in (place_of(run), tmp_path / "compact")]
    old, made = [table.drop("process").sort("input_line").collect() for table in tables]
    assert old.equals(made)
    assert set(old["status"]) == {Status.OK, Status.MALFORMED}
