"""Runs in polars: the rows that receipts name, whatever else lies there, wherever the run lies, finished or not."""

import subprocess
import sys

import polars as pl
import pytest

from enformer_core import DatasetError, InputError, open_run
from enformer_core.analyses import run_types
from enformer_core.dataset.schemas import EFFECTS_SCHEMA, scores_schema
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.storage.local import LocalStore
from enformer_core.summaries import write_summary
from tests.support.summaries import Times, finished_toy_run
from tests.support.toy_runs import begun_toy_run, toy_run

CONTIGS = {"1": 50, "HLA*01:01": 50}

ROWS = [
    *[("1", start, "A", "G") for start in range(4)],
    ("HLA*01:01", 4, "C", "CT"),
    (None, None, None, None),
]


@pytest.fixture
def begun(tmp_path):
    """A run that is planned, in a folder whose name looks like a pattern and like a partition; its worker and plan."""
    store = LocalStore(tmp_path / "chrom=2" / "run [1] *")
    run = begun_toy_run(store, ROWS, CONTIGS, shard_size=2)
    return store, run.plan, run.ledger, run.worker


def test_a_finished_run_has_all_its_rows(begun):
    store, plan, ledger, worker = begun
    for shard in plan.shards:
        worker(ShardTask(shard))
    ledger.finish(plan)
    run = open_run(store.location)
    scores = run.scores.collect()
    assert scores.columns == ["chrom", *scores_schema(("sad", "d1")).names]
    assert scores["chrom"].dtype == pl.String
    assert scores["chrom"].to_list() == ["1", "1", "1", "1", "HLA*01:01", None]
    assert scores["pos"].to_list() == [1, 2, 3, 4, 5, None]
    assert scores["sad"].to_list()[1] == [1.0, -1.5, 1.0]
    assert run.scores.filter(pl.col("chrom") == "HLA*01:01").select("pos").collect().height == 1
    strongest = run.effects.filter(statistic="sad", rank=1).collect()
    assert strongest.columns == ["chrom", *EFFECTS_SCHEMA.names]
    assert strongest.height == 5
    assert run.tracks.collect()["index"].to_list() == [0, 5, 7]
    assert run.status.finished
    assert run.run.identity["model"]["name"] == "toy"
    assert "complete, 6 of 6 alleles" in repr(run)
    assert "only a test" in repr(run)


def test_a_file_that_is_not_what_its_receipt_says_is_named(begun):
    store, plan, _, worker = begun
    for shard in plan.shards:
        worker(ShardTask(shard))
    run = open_run(store.location)
    path = next((store.root / "scores").rglob("*.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    said = (
        f"{len(content) - 1:,} bytes, its receipt says {len(content):,} bytes. `enformer-ray verify"
    )
    with pytest.raises(DatasetError, match=said):
        run.scores  # noqa: B018 - what is lazy is what is in the file
    path.unlink()
    with pytest.raises(DatasetError, match=r"shard-.*: missing, though a receipt names it"):
        run.table("scores")
    (store.root / "tracks.parquet").unlink()
    with pytest.raises(DatasetError, match=r"tracks\.parquet is missing.*own command again"):
        run.table("tracks")


def test_a_run_that_goes_on_has_what_is_committed_and_nothing_else(begun):
    store, plan, _, worker = begun
    early = open_run(store.location)
    assert early.scores.collect().is_empty()
    worker(ShardTask(plan.shards[0]))
    # a shard under way, and what a file manager leaves behind
    for name in (
        "scores/chrom=1/shard-00000077.parquet",
        "scores/chrom=1/._shard-00000000.parquet",
    ):
        store.put_if_absent(name, b"no table")
    run = open_run(store.location)
    assert run.scores.collect()["pos"].to_list() == [1, 2]
    assert (run.status.rows_done, run.status.finished) == (2, False)
    assert "incomplete, 2 of 6" in repr(run)
    # opened once, all its tables are of the same shards
    worker(ShardTask(plan.shards[1]))
    assert run.effects.collect()["variant_id"].n_unique() == 2
    assert run.status.rows_done == 4
    # a run without a row has the columns of one that has
    assert early.scores.collect_schema() == run.scores.collect_schema()
    assert early.effects.collect_schema() == run.effects.collect_schema()


def test_reading_a_run_loads_no_torch(begun):
    store, *_ = begun
    code = (
        "import sys, enformer_core; enformer_core.open_run(sys.argv[1]).scores.collect(); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, store.location], check=True)


def test_what_a_run_does_not_have_is_said(begun, tmp_path):
    store, *_ = begun
    with pytest.raises(
        InputError, match=r"a run of alleles has no table predictions, but scores, effects"
    ):
        _ = open_run(store.location).predictions
    for name in {table for kind in run_types() for table in kind.tables} - {"scores", "effects"}:
        with pytest.raises(InputError, match=f"a run of alleles has no table {name}, but scores"):
            getattr(open_run(store.location), name)
    with pytest.raises(InputError, match=r"no run here"):
        open_run(tmp_path)


def test_tables_beside_the_run_are_named_among_those_it_has(tmp_path):
    run = finished_toy_run(tmp_path / "run")
    write_summary(run.ledger, "doubled", {"factor": 2}, Times(2.0), columns=["max_abs_sad"])
    said = "has no table nope, but scores, effects and tracks, and beside it doubled$"
    with pytest.raises(InputError, match=said):
        open_run(run.store.root).table("nope")
    bare = LocalStore(tmp_path / "stopped")
    toy_run(sha256=["0" * 64]).claim(bare)
    with pytest.raises(DatasetError, match=r"stopped before it was planned"):
        _ = open_run(bare.location).tracks
