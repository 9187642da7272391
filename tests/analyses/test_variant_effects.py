"""A shard as a piece of work: a trial writes nothing, and what fails by itself is left out with its reason."""

import json
import pickle
from types import MappingProxyType

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.bisection import Bisection
from cluster.pool import Splittable, StagedFunction
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.keys import receipt_key, table_key
from enformer_core.dataset.ledger import Committed
from enformer_core.dataset.plan import Shard
from enformer_core.dataset.shard_task import ShardTask, TrialResult
from enformer_core.variants.table import PLACED_SCHEMA
from tests.simulation.subject import CONTIGS, TRACKS, Heap, PoisonError
from tests.simulation.toy import ALLELES, CONVENTIONS, GENES, TOP_TRACKS, ToyScorer
from tests.support.plans import decoded, make_draft
from tests.support.toy_runs import scoring_worker, toy_ledger


def _draft():
    """The toy's alleles, each contig's in one shard."""
    placed = GENES.plan.parts[0].select(PLACED_SCHEMA.names).to_pylist()
    table = pa.Table.from_pylist([row | {"flags": []} for row in placed], schema=PLACED_SCHEMA)
    return make_draft(table, CONTIGS, 100, window_starts=lambda starts: starts - 98_303)


DRAFT = _draft()

FIRST = DRAFT.shards[0]
"""The nine alleles of chr1, at 5, 9, 9 (a duplicate), 12, 20, 31, 40, 41 and 52."""

STARTS = (5, 9, 9, 12, 20, 31, 40, 41, 52)


class CountingHeap(Heap):
    """A store in memory that remembers what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def put_if_absent(self, key, content):
        self.asked.append(("put", key))
        return super().put_if_absent(key, content)

    def get(self, key):
        self.asked.append(("get", key))
        return super().get(key)


class World:
    """A store with a plan, and a scorer that remembers what it was given."""

    def __init__(self, poison=frozenset()):
        self.store, self.scored, self.poison = CountingHeap(), [], poison
        DRAFT.put(self.store)
        self.store.asked.clear()
        self.before = dict(self.store.objects)
        self.scorer = scoring_worker(
            ToyScorer(0, self.sees),
            toy_ledger(self.store),
            CONVENTIONS,
            TRACKS,
            top_tracks=TOP_TRACKS,
        )

    def sees(self, allele):
        if allele.start in self.poison:
            raise PoisonError(f"poison at {allele.start}")
        self.scored.append(allele.start)

    @property
    def written(self):
        return [key for key in self.store.objects if key not in self.before]

    def table(self, name, shard=FIRST):
        key = table_key(name, shard.chrom, shard.number)
        return from_parquet(self.store.objects[key], key)[0]

    def receipt(self, shard=FIRST):
        return json.loads(self.store.objects[receipt_key(shard.number)])


def test_the_toy_is_what_these_tests_take_it_for():
    assert (FIRST.chrom, FIRST.rows) == ("chr1", len(STARTS))
    assert tuple(decoded(DRAFT).parts[0].slice(0, FIRST.rows)["start"].to_pylist()) == STARTS
    assert sum(shard.rows for shard in DRAFT.shards) == ALLELES


def test_it_is_what_pools_take_apart_and_what_workers_do():
    assert isinstance(ShardTask(FIRST), Splittable)
    assert isinstance(World().scorer, StagedFunction)
    assert ShardTask(FIRST).items == 9


@given(st.data())
def test_what_is_left_out(data):
    rows = data.draw(st.integers(1, 40))
    failed = data.draw(st.dictionaries(st.integers(0, rows - 1), st.text(max_size=5)))
    first = data.draw(st.integers(0, rows - 1))
    end = data.draw(st.integers(first + 1, rows))
    work = ShardTask(Shard(3, "chr1", 0, 0, rows))
    assert not work.left_out()
    assert work.without(failed).left_out() == failed
    assert set(range(rows)) - work.probe(first, end).left_out().keys() == set(range(first, end))
    of_both = work.without(failed).probe(first, end).left_out()
    assert set(range(rows)) - of_both.keys() == set(range(first, end)) - failed.keys()
    again = work.probe(first, end).without(failed)
    assert (again.trial, again.left_out()) == (None, failed)


def test_failures_add_up():
    work = ShardTask(FIRST).without({1: "one"}).without({4: "four"})
    assert work.failed == {1: "one", 4: "four"}


@pytest.mark.parametrize(
    "work",
    [
        ShardTask(FIRST),
        ShardTask(FIRST).probe(2, 5),
        ShardTask(FIRST).without(MappingProxyType({3: "why"})),
    ],
    ids=["whole", "trial", "rest"],
)
def test_it_travels(work):
    assert pickle.loads(pickle.dumps(work)) == work


def test_each_stage_asks_the_store_for_its_own_only():
    world = World()
    prepared = world.scorer.prepare(ShardTask(FIRST))
    assert world.store.asked == [("get", "plan/part-00000.parquet")]
    world.store.asked.clear()
    computed = world.scorer.compute(prepared)
    assert world.store.asked == []
    assert world.scored == [5, 9, 12, 20, 31, 40, 41, 52]
    committed = world.scorer.finish(computed)
    assert world.store.asked == [
        ("put", "scores/chrom=chr1/shard-00000000.parquet"),
        ("put", "effects/chrom=chr1/shard-00000000.parquet"),
        ("put", "commits/shard-00000000.json"),
    ]
    assert (committed.rows, committed.by_status, committed.found) == (9, {"ok": 9}, 0)
    assert len(pickle.dumps(committed)) < 1_000


@pytest.mark.parametrize(
    ("first", "end", "scored"),
    [
        (0, 9, [5, 9, 12, 20, 31, 40, 41, 52]),
        (0, 1, [5]),
        (2, 3, []),
        (1, 4, [9, 12]),
        (8, 9, [52]),
    ],
)
def test_a_trial_computes_its_rows_and_writes_nothing(first, end, scored):
    world = World()
    tried = world.scorer(ShardTask(FIRST).probe(first, end))
    assert tried == TrialResult(len(scored))
    assert not isinstance(tried, Committed)
    assert world.scored == scored
    assert world.written == []
    assert {kind for kind, _ in world.store.asked} == {"get"}


def test_a_trial_fails_as_the_whole_does_and_only_where_the_fault_is():
    world = World(poison=frozenset({20}))
    for work in (ShardTask(FIRST), ShardTask(FIRST).probe(3, 6), ShardTask(FIRST).probe(4, 5)):
        with pytest.raises(PoisonError, match="poison at 20"):
            world.scorer(work)
    world.scorer(ShardTask(FIRST).probe(0, 4))
    world.scorer(ShardTask(FIRST).probe(5, 9))
    assert world.scored[-7:] == [5, 9, 12, 31, 40, 41, 52]
    assert world.written == []


def test_what_fails_is_a_row_with_its_reason_and_the_rest_is_as_it_would_be():
    sound, world = World(), World(poison=frozenset({20, 41}))
    sound.scorer(ShardTask(FIRST))
    committed = world.scorer(ShardTask(FIRST).without({4: "Poison: at 20", 7: "Poison: at 41"}))
    assert committed.by_status == world.receipt()["by_status"] == {"failed": 2, "ok": 7}
    expected = sound.table("scores").to_pylist()
    for at, (row, whole) in enumerate(
        zip(world.table("scores").to_pylist(), expected, strict=True)
    ):
        if at not in (4, 7):
            assert row == whole
            continue
        nothing = {"sad": None, "max_abs_sad": None, "max_abs_sad_track": None}
        assert row == whole | nothing | {"status": "failed", "reason": f"Poison: at {STARTS[at]}"}
    left = {row["variant_id"] for row in world.table("effects").to_pylist()}
    assert {row["variant_id"] for row in expected} - left == {"chr1:21:A:G", "chr1:42:A:G"}


def test_the_repeat_of_an_allele_that_fails_fails_with_it():
    world = World(poison=frozenset({9}))
    world.scorer(ShardTask(FIRST).without({1: "Poison: at 9"}))
    rows = world.table("scores").to_pylist()
    assert [(row["status"], row["reason"]) for row in rows[1:3]] == [("failed", "Poison: at 9")] * 2
    assert world.receipt()["by_status"] == {"failed": 2, "ok": 7}


def test_a_shard_of_which_all_fails_has_its_rows():
    world = World(poison=frozenset(STARTS))
    world.scorer(ShardTask(FIRST).without(dict.fromkeys(range(9), "no")))
    assert world.table("scores")["status"].to_pylist() == ["failed"] * 9
    assert world.table("effects").num_rows == 0
    assert world.scored == []


@settings(max_examples=20)
@given(st.sets(st.sampled_from(sorted(set(STARTS)))))
def test_taken_apart_just_the_poison_stands_alone(poison):
    """The search of the pool over the real shard function, and then the whole without what it found."""
    world, work = World(poison=frozenset(poison)), ShardTask(FIRST)
    search = Bisection.begin(work.items, "whole")
    while (probe := search.take()) is not None:
        try:
            world.scorer(work.probe(probe.start, probe.stop))
        except PoisonError as error:
            search.failed(probe, str(error))
        else:
            search.passed(probe)
    assert world.written == []
    assert search.bad == {STARTS.index(start): f"poison at {start}" for start in poison}
    world.scorer(work.without(search.bad))
    rows = world.table("scores").to_pylist()
    assert {row["pos"] - 1 for row in rows if row["status"] == "failed"} == poison
    assert all(
        (row["reason"] or "") == (f"poison at {row['pos'] - 1}" if row["sad"] is None else "")
        for row in rows
    )
