"""Tables on object storage: metadata is written there by pyiceberg, and files are found where the run has them."""

import pytest

from enformer_core.publish.catalogs import open_catalog
from enformer_core.publish.iceberg import publish_run
from enformer_core.publish.run_files import tables_of
from enformer_core.storage.open import open_store
from tests.support.toy_runs import begun_toy_run

pytest.importorskip("pyiceberg")

pytestmark = pytest.mark.filterwarnings("default")


def test_a_run_on_object_storage_is_read_through_its_tables(bucket, tmp_path):
    rows = [("HLA*01:01", 1, "A", "G"), ("chr1", 2, "A", "G"), ("chr1", 5, "A", "G")]
    store = open_store(f"s3://{bucket}/runs/a")
    toy = begun_toy_run(store, rows, {"HLA*01:01": 1000, "chr1": 1000}, shard_size=2)
    toy.commit_all()
    toy.ledger.finish(toy.plan)
    catalog = open_catalog(f"sqlite:///{tmp_path}/catalog.db", f"s3://{bucket}/tables")
    for already in (False, True):
        done = list(publish_run(toy.ledger, tables_of(toy.ledger), catalog, "mine"))
        assert [each.already for each in done] == [already] * 3
    scores = catalog.load_table("mine.scores")
    places = {task.file.file_path for task in scores.scan().plan_files()}
    assert all(place.startswith(f"s3://{bucket}/runs/a/scores/chrom=") for place in places)
    found = scores.scan(row_filter="chrom = 'HLA*01:01'").to_arrow()
    assert found["sad"].to_pylist() == [[1.0, -1.5, 1.0]]
    assert scores.scan().to_arrow().num_rows == 3
