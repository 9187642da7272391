"""Two attempts at a shard of places, of which only the second can read a place: both tables tell the first's story."""

from unittest import mock

import pytest

from enformer_core.analyses.base import ShardWorker
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.commit import Commit
from enformer_core.dataset.keys import table_key
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.verify import verify_run
from tests.simulation.other_kinds import INSULATORS
from tests.simulation.subject import Heap, ToyGenome
from tests.support.toy_runs import put_tracks, toy_run

RUN = toy_run(
    INSULATORS.identity("0" * 64),
    sha256=INSULATORS.draft.sha256,
    shards=len(INSULATORS.shards),
    by_status=INSULATORS.draft.by_status,
)
SHARD = INSULATORS.shards[0]


class DiedError(Exception):
    pass


class HeapOfTheDying(Heap):
    """Takes the first table, and its writer dies before the second."""

    def put_if_absent(self, key, content):
        if not key.startswith("insulation/"):
            raise DiedError
        return super().put_if_absent(key, content)


def worker(store):
    computation = INSULATORS.computation(0, lambda place: None, ToyGenome())
    return ShardWorker(computation, INSULATORS.ledger(store, RUN))


def attempted_twice():
    """A store in which a place has failed for the attempt that has put the first table only."""
    store = Heap()
    INSULATORS.draft.put(store)
    put_tracks(store, RUN)
    with pytest.raises(DiedError):
        worker(HeapOfTheDying(store.objects))(ShardTask(SHARD, {1: "poison"}))
    worker(store)(ShardTask(SHARD))
    return store


def problems(store):
    return verify_run(INSULATORS.ledger(store, RUN)).problems


def test_a_map_tells_what_became_of_its_place_as_the_stored_table_does():
    store = attempted_twice()
    key = table_key("attention_maps", SHARD.chrom, SHARD.number)
    maps = from_parquet(store.objects[key], key)[0].to_pylist()
    assert [row["status"] for row in maps] == ["ok", "failed", "unmatched", "ok"]
    assert [row["reason"] for row in maps] == [None, "poison", None, None]
    assert [row["values"] is None for row in maps] == [False, True, True, False]
    assert not problems(store)


def test_a_map_that_tells_otherwise_is_noticed():
    with mock.patch.object(Commit, "_with_stored_outcome", lambda self, values, row: values):
        store = attempted_twice()
    (problem,) = problems(store)
    assert "attention_maps" in problem
    assert "a status is not the one in insulation" in problem
