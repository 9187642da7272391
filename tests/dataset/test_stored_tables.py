"""What a run's readers read: the objects that receipts name, whatever else lies beside them."""

from enformer_core.dataset.keys import table_key
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.stored_tables import stored_objects
from enformer_core.storage.local import LocalStore
from tests.support.toy_runs import begun_toy_run


def test_keys_are_those_of_receipts_and_not_of_a_listing(tmp_path):
    store = LocalStore(tmp_path / "run [1] *")
    run = begun_toy_run(store)
    ledger = run.ledger
    assert stored_objects(ledger) == {"scores": {}, "effects": {}}

    first, second, *_ = run.plan.shards
    for shard in (second, first):
        run.worker(ShardTask(shard))
    # a shard under way, a copy by a file manager, and what another program writes beside its files
    for name in (table_key("scores", "chr1", 77), "scores/copy.parquet", "scores/._a.parquet"):
        store.put_if_absent(name, b"no table")

    expected = [table_key("scores", shard.chrom, shard.number) for shard in (first, second)]
    objects = stored_objects(ledger)
    assert list(objects["scores"]) == expected
    assert len(objects["effects"]) == len(expected)
    assert objects["scores"].items() <= dict(store.sizes("scores/")).items()
