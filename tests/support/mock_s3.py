"""A mock of an S3 service in this process: one for all tests of a process, and an empty bucket for each that asks.

It asks nobody for keys and, unlike a real server, lets headers be taken from signed requests (`FaultProxy`).
"""

import itertools
import os

import pytest

from tests.support.seaweed import client, credentials

_BUCKETS = (f"bucket-{number}" for number in itertools.count())


@pytest.fixture(scope="session")
def moto_endpoint():
    """Where the mock service is."""
    # here: of all tests few ask it, and each process would load it
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def use_endpoint(monkeypatch, tmp_path):
    """Point AWS clients of this process to an endpoint, and away from this machine's own configuration."""

    def use(endpoint: str) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
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
