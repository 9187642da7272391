"""S3 services for the tests: moto in this process, SeaweedFS as a server of its own."""

import itertools

import pytest
from moto.server import ThreadedMotoServer

from enformer_core.storage.s3 import S3Store
from enformer_core.storage.s3_connection import Timeouts
from tests.support.clock import FakeClock
from tests.support.proxy import FaultProxy
from tests.support.seaweed import SeaweedFS, client, credentials

_BUCKETS = (f"bucket-{number}" for number in itertools.count())
QUICK = Timeouts(connect_s=5.0, read_s=1.5)


@pytest.fixture(scope="session")
def moto_endpoint():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="session")
def weed(tmp_path_factory):
    with SeaweedFS(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def use_endpoint(monkeypatch, tmp_path):
    """Point AWS clients of this process to an endpoint, and away from this machine's own configuration."""

    def use(endpoint: str) -> None:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in credentials(endpoint).items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))

    return use


@pytest.fixture
def bucket(moto_endpoint, use_endpoint):
    """An empty bucket of the mock service, to which this process's clients are pointed."""
    use_endpoint(moto_endpoint)
    name = next(_BUCKETS)
    client(moto_endpoint).create_bucket(Bucket=name)
    return name


@pytest.fixture
def store(bucket):
    return S3Store(bucket, "runs/a", timeouts=QUICK)


@pytest.fixture
def proxy(moto_endpoint, bucket, use_endpoint):
    """The mock service behind a proxy; what goes wrong is set by `proxy.script` and `proxy.rates`."""
    with FaultProxy(moto_endpoint) as running:
        use_endpoint(running.endpoint)
        yield running


@pytest.fixture
def clock():
    return FakeClock()
