"""Alleles that another run has scored are copied with their origin, and nothing else is."""

import json
from dataclasses import fields, replace

import pyarrow as pa
import pytest

from enformer_core.analyses.reusable_runs import NO_PART_OF_A_SCORE, Deciding, ReusableRun
from enformer_core.analyses.reuse import Reuse
from enformer_core.analyses.variant_effects import VariantEffectsIdentity
from enformer_core.dataset.keys import receipt_key
from enformer_core.dataset.reused import digest_of_values, stretches
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.dataset.verify import verify_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.genome.fasta import Genome
from enformer_core.storage.local import LocalStore
from tests.support.dying import deaths, puts_of
from tests.support.genomes import write_fasta
from tests.support.toy_runs import CONVENTIONS, CountingScorer, begun_toy_run, score_spec

CONTIGS = {"chr1": 1000, "chr2": 1000}
OLD = [("chr1", start, "A", "G") for start in (1, 2, 5, 6, 9)] + [("chr2", 4, "C", "CT")]
NEW = [
    *[("chr1", start, "A", "G") for start in range(8)],
    ("chr1", 2, "A", "G"),
    ("chr1", 6, "A", "C"),
    ("chr2", 4, "C", "CT"),
    (None, None, None, None),
]
STATISTICS = ("sad", "d1")


@pytest.fixture
def old(tmp_path):
    """A finished run of some alleles, whose scores tell who computed them."""
    begun = begun_toy_run(
        LocalStore(tmp_path / "old"), OLD, CONTIGS, shard_size=2, scorer=CountingScorer(100.0)
    )
    begun.commit_all()
    begun.ledger.finish(begun.plan)
    return begun


def reusing(place, rows, *sources, offset=0.0, shard_size=4):
    """A run that copies from others, begun; its own scores are told by their offset."""
    begun = begun_toy_run(
        LocalStore(place), rows, CONTIGS, shard_size=shard_size, scorer=CountingScorer(offset)
    )
    runs = [ReusableRun(source.store.location, source.run.digest) for source in sources]
    computation = replace(begun.worker.computation, reuse=Reuse(runs, STATISTICS) if runs else None)
    return replace(begun, worker=replace(begun.worker, computation=computation))


def finished(begun):
    begun.commit_all()
    begun.ledger.finish(begun.plan)
    verdict = verify_run(begun.ledger)
    assert (verdict.problems, verdict.complete) == ((), True)
    return begun


def scored(begun):
    return [allele.start for allele in begun.worker.computation.scorer.scored]


def sads(begun):
    rows = [row for _, table in stored_tables(begun.ledger, "scores") for row in table.to_pylist()]
    return {(row["input_line"]): row["sad"] and row["sad"][0] for row in rows}


def origins(begun):
    """Who computed each row of the plan that was copied."""
    found = {}
    for receipt in begun.ledger.receipts():
        for each in receipt.copied:
            for first, end in each.rows:
                for row in range(first, end):
                    found[receipt.shard, row] = (each.run, each.shard)
    return found


def test_only_the_rest_is_computed(old, tmp_path):
    new = finished(reusing(tmp_path / "new", NEW, old))
    assert scored(new) == [0, 3, 4, 6, 7]
    assert sads(new) == {
        1: 0.0,
        2: 101.0,
        3: 102.0,
        4: 3.0,
        5: 4.0,
        6: 105.0,
        7: 106.0,
        8: 7.0,
        # a repeat of what was copied is copied, another ALT of the place is not
        9: 102.0,
        10: 6.0,
        11: 104.0,
        12: None,
    }
    where = old.store.location
    # chr1: 0 | 1 2 2 | 3 …: shards of the old run are of 2 alleles, and one of chr2
    assert set(origins(new).values()) == {(where, 0), (where, 1), (where, 3)}
    receipts = list(new.ledger.receipts())
    assert sum(each.count for receipt in receipts for each in receipt.copied) == 6
    # effects follow from the scores as stored
    effects = [
        row for _, table in stored_tables(new.ledger, "effects") for row in table.to_pylist()
    ]
    (strongest,) = [
        row
        for row in effects
        if (row["variant_id"], row["statistic"], row["rank"]) == ("chr1:2:A:G", "sad", 1)
    ]
    assert strongest["value"] == 101.0


def test_without_reuse_nothing_says_so(old, tmp_path):
    plain = finished(reusing(tmp_path / "plain", NEW))
    for shard in plain.plan.shards:
        content = plain.store.get(receipt_key(shard.number))
        assert not {"reused", "compacted"} & json.loads(content).keys()
    for key in plain.store.keys("scores/"):
        assert b'"reused"' not in plain.store.get(key)


def test_what_was_copied_twice_has_its_first_origin(old, tmp_path):
    new = finished(reusing(tmp_path / "new", NEW, old))
    third = finished(reusing(tmp_path / "third", NEW, new, shard_size=2))
    assert scored(third) == []
    assert sads(third) == sads(new)
    by_run = {}
    for run, _ in origins(third).values():
        by_run[run] = by_run.get(run, 0) + 1
    assert by_run == {old.store.location: 6, new.store.location: 5}


def test_of_a_run_that_is_not_finished_what_is_committed_is_copied(tmp_path):
    half = begun_toy_run(LocalStore(tmp_path / "half"), OLD, CONTIGS, shard_size=2)
    half.worker(ShardTask(half.plan.shards[0]))
    # scores of a shard under way are nobody's yet
    half.worker(ShardTask(half.plan.shards[1]))
    half.store.move(receipt_key(1), "damaged/receipt")
    new = finished(reusing(tmp_path / "new", NEW, half))
    assert scored(new) == [0, 3, 4, 5, 6, 6, 7, 4]


def test_several_runs_are_asked_in_their_order(old, tmp_path):
    second = finished(reusing(tmp_path / "second", NEW[:4], offset=200.0))
    new = finished(reusing(tmp_path / "new", NEW[:4], old, second))
    assert sads(new) == {1: 200.0, 2: 101.0, 3: 102.0, 4: 203.0}
    assert scored(new) == []


def test_another_window_is_another_score(old, tmp_path):
    new = reusing(tmp_path / "new", NEW, old)
    shard = new.plan.shards[0]
    rows = new.worker.prepare(ShardTask(shard)).rows
    reuse = new.worker.computation.reuse
    assert reuse.find(rows, range(shard.rows)).keys() == {1, 2}
    place = rows.schema.get_field_index("window_start")
    starts = pa.array([start + 128 for start in rows["window_start"].to_pylist()])
    moved = rows.set_column(place, "window_start", starts)
    assert reuse.find(moved, range(shard.rows)) == {}


def test_damage_is_not_copied(old, tmp_path):
    path = next((old.store.root / "scores").rglob("shard-00000000.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"old.*(damaged|is not what its receipt names)"):
        reusing(tmp_path / "new", NEW, old).commit_all()


def test_another_run_in_its_place_is_refused(old, tmp_path):
    new = reusing(tmp_path / "new", NEW, old)
    other = ReusableRun(old.store.location, "0" * 64)
    worker = replace(
        new.worker, computation=replace(new.worker.computation, reuse=Reuse([other], STATISTICS))
    )
    with pytest.raises(InputError, match=r"another run lies there"):
        worker(ShardTask(new.plan.shards[0]))


@pytest.mark.parametrize("first", ["copies", "computes"])
def test_whoever_dies_the_receipt_says_whose_values_stand(old, tmp_path, monkeypatch, first):
    """One attempt dies after each object; the next one copies where the first computed, or the other way round."""
    some = NEW[:4]
    count = len(
        puts_of(reusing(tmp_path / "count", some, old, shard_size=2).commit_all, monkeypatch)
    )

    def attempt(last, *, copies):
        place = tmp_path / f"{first} {last}"
        return reusing(place, some, *([old] if copies else []), shard_size=2)

    def dying(last):
        begun = attempt(last, copies=first == "copies")
        begun.commit_all()

    # run.json, tracks and plan are put by whoever begins
    begins = len(puts_of(lambda: reusing(tmp_path / "begins", some), monkeypatch))
    for last in deaths(dying, begins + count, monkeypatch):
        if last < begins:
            continue
        begun = finished(attempt(last, copies=first != "copies"))
        told = set(origins(begun))
        stored = {
            (receipt.shard, at)
            for receipt, (_, table) in zip(
                begun.ledger.receipts(), stored_tables(begun.ledger, "scores"), strict=True
            )
            for at, row in enumerate(table.to_pylist())
            if row["sad"] and row["sad"][0] >= 100
        }
        assert told == stored


def test_a_receipt_that_says_otherwise_is_noticed(old, tmp_path):
    new = finished(reusing(tmp_path / "new", NEW, old))
    path = new.store.root / receipt_key(0)
    for change in (
        {"rows": [[0, 2]]},
        {"rows": [[1, 99]]},
        {"values": "0" * 64},
    ):
        receipt = json.loads(path.read_bytes())
        before = path.read_bytes()
        receipt["reused"][0] |= change
        path.write_text(json.dumps(receipt))
        problems = verify_run(new.ledger).problems
        assert any("copied" in problem for problem in problems), change
        path.write_bytes(before)
    receipt = json.loads(path.read_bytes())
    del receipt["reused"]
    path.write_text(json.dumps(receipt))
    assert any("other copied rows" in problem for problem in verify_run(new.ledger).problems)


def test_every_field_of_the_identity_is_one_or_the_other(tmp_path):
    genome = Genome(write_fasta(tmp_path / "g.fa", {"chr1": "ACGT" * 10, "chr2": "A" * 40}))
    deciding = Deciding("toy", "human", "0" * 64, (1, 2), genome, score_spec(CONVENTIONS))
    identity = deciding.identity(["chr1", "chr9"])
    names = {each.name for each in fields(VariantEffectsIdentity)}
    assert identity.keys() == names - NO_PART_OF_A_SCORE
    assert names >= NO_PART_OF_A_SCORE
    assert identity["reference"]["sha256"].keys() == {"chr1"}


def test_stretches():
    assert stretches([]) == ()
    assert stretches([9, 3, 5, 4]) == ((3, 6), (9, 10))
    assert stretches([0]) == ((0, 1),)


def test_digests_are_of_values_and_of_nothing_else(old):
    ((_, table), *_) = stored_tables(old.ledger, "scores")
    whole = digest_of_values(table, STATISTICS, ((0, 2),))
    assert whole != digest_of_values(table, STATISTICS, ((0, 1),))
    assert whole == digest_of_values(table.select(["d1", "sad"]), STATISTICS, ((0, 1), (1, 2)))
