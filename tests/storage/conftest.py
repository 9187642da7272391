"""S3 services for the tests: SeaweedFS as a server of its own, beside the mock of `tests.support.mock_s3`."""

import pytest

from enformer_core.storage.s3 import S3Store
from enformer_core.storage.s3_connection import Timeouts
from tests.support.clock import FakeClock
from tests.support.proxy import FaultProxy
from tests.support.seaweed import SeaweedFS

_IMPATIENT = Timeouts(connect_s=60.0, read_s=1.5)


@pytest.fixture(scope="session")
def weed(tmp_path_factory):
    with SeaweedFS(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture
def store(bucket):
    return S3Store(bucket, "runs/a")


@pytest.fixture
def impatient(bucket):
    """The same place for tests of silence; on a busy machine it may give up where there is an answer, too."""
    return S3Store(bucket, "runs/a", timeouts=_IMPATIENT)


@pytest.fixture
def proxy(moto_endpoint, bucket, use_endpoint):
    """The mock service behind a proxy; what goes wrong is set by `proxy.script` and `proxy.rates`."""
    with FaultProxy(moto_endpoint) as running:
        use_endpoint(running.endpoint)
        yield running


@pytest.fixture
def clock():
    return FakeClock()
