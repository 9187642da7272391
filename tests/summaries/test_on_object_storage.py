"""Tables beside a run on object storage: made there once, and read from there; a null may lie there too."""

import pytest
from moto.server import ThreadedMotoServer

from enformer_core import open_run
from enformer_core.dataset.verify import verify_run
from enformer_core.storage.open import open_store
from jobs.calibrate import CalibrateSettings, calibrate_run
from jobs.percentiles import PercentilesSettings, rank
from jobs.query import run_query
from tests.support.seaweed import client, credentials
from tests.support.toy_runs import begun_toy_run

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """An empty bucket of a mock service, to which this process's clients are pointed."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in credentials(endpoint).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    client(endpoint).create_bucket(Bucket="runs")
    yield "runs"
    server.stop()


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
