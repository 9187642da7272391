"""Tables beside a run on object storage: made there once, and read from there; a null may lie there too."""

import pytest

from enformer_core import open_run
from enformer_core.dataset.verify import verify_run
from enformer_core.storage.open import open_store
from jobs.calibrate import CalibrateSettings, calibrate_run
from jobs.percentiles import PercentilesSettings, rank
from jobs.query import run_query
from tests.support.toy_runs import begun_toy_run

pytestmark = pytest.mark.filterwarnings("default")


def test_a_run_there_is_calibrated_ranked_asked_and_verified(bucket, tmp_path):
    out = f"s3://{bucket}/a"
    store = open_store(out)
    run = begun_toy_run(store)
    run.commit_all()
    run.ledger.finish(run.plan)
    null = tmp_path / "null.parquet"
    assert calibrate_run(CalibrateSettings(out, out=str(null))) == 0
    store.put_if_absent("beside/null.parquet", null.read_bytes())
    settings = PercentilesSettings(out, null=f"{out}/beside/null.parquet")
    assert rank(settings) == 0
    keys = set(store.keys("percentiles/"))
    assert len(keys) == len(run.plan.shards)
    assert rank(settings) == 0
    assert set(store.keys("percentiles/")) == keys
    # of the places 0 to 6 and 4, which the first track has as scores, 0 is the smallest of 8
    sql = "SELECT sad_quantile[1] FROM percentiles WHERE variant_id = 'chr1:1:A:G'"
    assert run_query(out, sql) == [(-0.875,)]
    assert open_run(out).table("percentiles").collect().height == 10
    assert not verify_run(run.ledger).problems
