"""A run in fewer, larger files: the same values, by every reader, and at every moment a run."""

import json

import duckdb
import polars as pl
import pytest

from enformer_core import open_run
from enformer_core.analyses import run_type_of
from enformer_core.analyses.reusable_runs import ReusableRun
from enformer_core.analyses.reuse import Reuse
from enformer_core.dataset.compact import Compaction
from enformer_core.dataset.find_run import find_run
from enformer_core.dataset.finished import IncompleteRunError
from enformer_core.dataset.keys import receipt_key
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.lookup import look_up
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.verify import verify_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.local import LocalStore
from enformer_core.variants.allele_keys import parse_key
from tests.support.dying import deaths, puts_of
from tests.support.toy_runs import begun_toy_run, toy_identity, toy_run

CONTIGS = {"chr1": 1000, "chr2": 1000}
ROWS = [
    *[("chr1", start, "A", "G") for start in (7, 1, 2, 5, 6, 9, 3)],
    ("chr1", 2, "A", "G"),
    ("chr1", 2, "A", "C"),
    ("chr2", 4, "C", "CT"),
    ("chr2", 5, "C", "T"),
    (None, None, None, None),
]
LARGE = 10**9


def silent(done, shards):
    pass


@pytest.fixture
def run(tmp_path):
    """A finished run of shards of two alleles."""
    begun = begun_toy_run(LocalStore(tmp_path / "run"), ROWS, CONTIGS, shard_size=2)
    begun.commit_all()
    begun.ledger.finish(begun.plan)
    return begun


def compacted(run, place, file_bytes=LARGE):
    target = LocalStore(place)
    Compaction(run.ledger, target, file_bytes, silent).run()
    return Ledger(target, find_run(str(place))[1], run.ledger.run_type)


def rows(ledger):
    """Both tables, as `open_run` has them."""
    tables = open_run(ledger.store.location)
    keys = ["chrom", "input_line"]
    return (
        tables.scores.collect().sort(keys),
        tables.effects.collect().sort(["variant_id", "statistic", "rank"]),
    )


def assert_same(ledger, other):
    for one, two in zip(rows(ledger), rows(other), strict=True):
        assert one.equals(two)


def snapshot(store):
    return {key: store.get(key) for key in store.keys("")}


def test_it_has_a_file_for_each_contig_and_the_same_rows(run, tmp_path):
    before = snapshot(run.store)
    new = compacted(run, tmp_path / "new")
    assert sorted(new.store.keys("scores/")) == [
        "scores/chrom=__unplaced__/shard-00000002.parquet",
        "scores/chrom=chr1/shard-00000000.parquet",
        "scores/chrom=chr2/shard-00000001.parquet",
    ]
    verdict = verify_run(new)
    assert (verdict.problems, verdict.complete, verdict.rows) == ((), True, len(ROWS))
    assert_same(run.ledger, new)
    assert snapshot(run.store) == before
    old = list(run.ledger.receipts())
    told = [source for receipt in new.receipts() for source in receipt.put_together_from]
    assert [dict(source.digests) for source in told] == [
        {name: table.content_digest for name, table in receipt.tables.items()} for receipt in old
    ]
    assert [source.provenance for source in told] == [receipt.provenance for receipt in old]
    assert new.manifest().by_status == run.ledger.manifest().by_status
    assert new.run.digest == run.run.digest
    assert new.run.configuration["compacted_from"] == run.store.location


def test_patterns_see_every_row_once(run, tmp_path):
    new = compacted(run, tmp_path / "new")
    pattern = f"{new.store.location}/scores/**/*.parquet"
    counted = duckdb.sql(f"SELECT count(*) FROM read_parquet('{pattern}', hive_partitioning=true)")
    assert counted.fetchall() == [(len(ROWS),)]
    assert pl.scan_parquet(pattern).select(pl.len()).collect().item() == len(ROWS)
    effects = pl.scan_parquet(f"{new.store.location}/effects/**/*.parquet").collect()
    # sorted by track and place, as the effects of a shard are
    for (_,), of_contig in effects.group_by(pl.col("variant_id").str.split(":").list.first()):
        assert of_contig.select("track", "pos").equals(
            of_contig.select("track", "pos").sort("track", "pos")
        )


def test_files_grow_to_the_size_that_is_asked_for(run, tmp_path):
    largest = max(receipt.tables["scores"].bytes for receipt in run.ledger.receipts())
    new = compacted(run, tmp_path / "new", 2 * largest)
    of_receipts = [len(receipt.put_together_from) for receipt in new.receipts()]
    assert max(of_receipts) == 2
    assert sum(of_receipts) == len(run.plan.shards)
    assert_same(run.ledger, new)
    # and none is cut
    same = compacted(run, tmp_path / "same", 1)
    assert {len(receipt.put_together_from) for receipt in same.receipts()} == {1}


def test_alleles_are_looked_up_and_reused_in_it(run, tmp_path):
    new = compacted(run, tmp_path / "new")
    (allele,) = look_up(new, [parse_key("chr1:10")]).alleles
    assert allele.row["variant_id"] == "chr1:10:A:G"
    reuse = Reuse([ReusableRun(new.store.location, new.run.digest)], ("sad", "d1"))
    shard = run.plan.shards[0]
    planned = run.worker.prepare(ShardTask(shard)).rows
    assert reuse.find(planned, range(shard.rows)).keys() == set(range(shard.rows))


def test_what_is_compacted_again_names_its_first_shards(run, tmp_path):
    largest = max(receipt.tables["scores"].bytes for receipt in run.ledger.receipts())
    once = compacted(run, tmp_path / "once", 2 * largest)
    target = LocalStore(tmp_path / "twice")
    Compaction(once, target, LARGE, silent).run()
    twice = Ledger(target, find_run(target.location)[1], run.ledger.run_type)
    assert verify_run(twice).problems == ()
    sources = [source for receipt in twice.receipts() for source in receipt.put_together_from]
    assert len(sources) == len(run.plan.shards)
    assert_same(run.ledger, twice)


def test_killed_at_any_object_it_is_a_run_and_is_continued(run, tmp_path, monkeypatch):
    before = snapshot(run.store)
    count = len(puts_of(lambda: compacted(run, tmp_path / "count"), monkeypatch))
    wanted = snapshot(LocalStore(tmp_path / "count"))
    assert count == 1 + 1 + 1 + 3 * 3 + 1  # tracks, plan, run.json, three shards, the manifest

    for last in deaths(lambda last: compacted(run, tmp_path / f"{last}"), count, monkeypatch):
        place = tmp_path / f"{last}"
        assert snapshot(run.store) == before
        if last <= 2:
            # without its description nobody takes it for a run, and no other command begins one there
            with pytest.raises(InputError, match=r"no run here"):
                open_run(place)
            with pytest.raises(InputError, match=r"holds files but no run"):
                LocalStore(place).check_usable("run.json", "manifest.json")
        else:
            half = open_run(place)
            assert not half.status.finished
            by_receipts = half.scores.collect().height
            assert by_receipts == half.status.rows_done
            assert verify_run(half.ledger).problems == ()
        assert_same(run.ledger, compacted(run, place))
        again = snapshot(LocalStore(place))
        assert again.keys() == wanted.keys()
        assert {key for key in again if again[key] != wanted[key]} <= {
            "run.json",  # says when
            "manifest.json",
        }


def test_what_goes_on_or_is_lost_is_not_compacted(run, tmp_path):
    manifest = run.store.get("manifest.json")
    run.store.move("manifest.json", "damaged/manifest")
    with pytest.raises(IncompleteRunError, match=r"is not complete"):
        compacted(run, tmp_path / "new")
    run.store.put_if_absent("manifest.json", manifest)
    path = next((run.store.root / "scores").rglob("shard-00000001.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"is not what its receipt names.*repair"):
        compacted(run, tmp_path / "damaged")
    path.unlink()
    with pytest.raises(DatasetError, match=r"missing"):
        compacted(run, tmp_path / "lost")
    assert not (tmp_path / "lost").exists()


def test_another_place_is_needed_and_nothing_else_may_be_there(run, tmp_path):
    before = snapshot(run.store)
    with pytest.raises(InputError, match=r"is the run itself"):
        compacted(run, run.store.root)
    assert snapshot(run.store) == before
    other = begun_toy_run(LocalStore(tmp_path / "other"), ROWS[:3], CONTIGS)
    with pytest.raises(InputError, match=r"(is the run itself|holds another run|is another one)"):
        compacted(run, other.store.root)
    full = LocalStore(tmp_path / "full")
    full.put_if_absent("letter.txt", b"dear")
    with pytest.raises(InputError, match=r"holds files"):
        compacted(run, full.root)
    compacted(run, tmp_path / "new")
    with pytest.raises(InputError, match=r"another --file-mb"):
        compacted(run, tmp_path / "new", 1)
    tiles = Ledger(run.store, toy_run(toy_identity("contributions")), run_type_of("contributions"))
    with pytest.raises(InputError, match=r"are not compacted yet"):
        Compaction(tiles, LocalStore(tmp_path / "x"), 1, silent).run()


def test_verify_holds_it_to_the_digests_of_before(run, tmp_path):
    new = compacted(run, tmp_path / "new")
    path = new.store.root / receipt_key(0)
    before = path.read_bytes()
    for change in ({"digests": {"scores": "0" * 64, "effects": "0" * 64}}, {"rows": 1}):
        receipt = json.loads(before)
        receipt["compacted"][1] |= change
        path.write_text(json.dumps(receipt))
        assert any("put together from" in problem for problem in verify_run(new).problems)


def test_the_plan_of_before_is_not_put_beside_it(run, tmp_path):
    """A compacted run that loses a part of its plan is not planned anew by the run's own command."""
    new = compacted(run, tmp_path / "new")
    with pytest.raises(InputError, match=r"it was compacted"):
        run.run.claim(new.store)
