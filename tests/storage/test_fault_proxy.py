"""The proxy itself, and a store behind it on bad days."""

import http.client
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from enformer_core.errors import StorageError
from enformer_core.storage.retry import RetryingStore, SystemClock
from enformer_core.storage.s3 import S3Store
from tests.support.clock import FakeClock
from tests.support.proxy import Fault, FaultProxy
from tests.support.seaweed import SeaweedFS, client

STORM = {
    Fault.INTERNAL_ERROR: 0.05,
    Fault.SLOW_DOWN: 0.10,
    Fault.CONFLICT: 0.03,
    Fault.RESET: 0.04,
    Fault.TRUNCATED: 0.04,
    Fault.DAMAGED: 0.03,
    Fault.SLOW: 0.02,
    Fault.GARBAGE: 0.03,
    Fault.APPLIED_THEN_RESET: 0.05,
    Fault.APPLIED_THEN_500: 0.05,
}
"""Without silence: a client that waits briefly would take a busy machine for it, and requests are counted."""


def _ask(endpoint, path="/"):
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_faults_follow_from_the_seed(moto_endpoint):
    def drawn(seed):
        with FaultProxy(
            moto_endpoint, rates={Fault.SLOW_DOWN: 0.3, Fault.FORBIDDEN: 0.2}, seed=seed
        ) as proxy:
            return [_ask(proxy.endpoint) for _ in range(60)]

    first = drawn(1)
    assert first == drawn(1)
    assert first != drawn(2)
    assert {200, 403, 503} == set(first)
    assert 5 < first.count(503) < 30


def test_only_chosen_requests_meet_faults(moto_endpoint):
    with FaultProxy(
        moto_endpoint, rates={Fault.SLOW_DOWN: 1.0}, only=lambda method, path: path == "/x"
    ) as proxy:
        assert [_ask(proxy.endpoint), _ask(proxy.endpoint, "/x")] == [200, 503]
        assert (proxy.requests["GET"], proxy.injected) == (2, 1)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.APPLIED_THEN_RESET])
def test_a_reset_is_a_reset(moto_endpoint, fault):
    with FaultProxy(moto_endpoint) as proxy:
        proxy.script([fault])
        with pytest.raises(ConnectionResetError):
            _ask(proxy.endpoint)


def test_a_service_that_is_down_resets(use_endpoint):
    with FaultProxy("http://127.0.0.1:1") as proxy, pytest.raises(ConnectionResetError):
        _ask(proxy.endpoint)


def test_in_a_storm_every_object_is_right_and_created_once(weed, use_endpoint):
    """8 threads write each of 60 objects twice: every object has the bytes of its first put and never changes."""
    with FaultProxy(weed.endpoint, rates=STORM, seed=5, slow_s=0.05) as proxy:
        use_endpoint(proxy.endpoint)
        inner = S3Store(weed.bucket, "storm")
        store = RetryingStore(inner, _HurriedClock(), 0)
        keys = [f"scores/{number:03}" for number in range(60)]
        twice = random.Random(0).sample([(key, writer) for key in keys for writer in "ab"], 120)

        def write(task):
            key, writer = task
            store.put_if_absent(key, _content(key, writer))
            return key, store.get(key)

        with ThreadPoolExecutor(8) as threads:
            seen = list(threads.map(write, twice))
        listed = list(store.keys("scores/"))
    direct = client(weed.endpoint)
    final = {
        key: direct.get_object(Bucket=weed.bucket, Key=f"storm/{key}")["Body"].read()
        for key in keys
    }
    assert listed == keys
    assert all(final[key] in {_content(key, "a"), _content(key, "b")} for key in keys)
    assert all(content == final[key] for key, content in seen), (
        "what a writer read after its put is what stays"
    )
    assert proxy.injected > 60
    # 120 puts, 120 gets, 1 listing; a fault costs at most one request more, and nothing else does.
    assert store.retries.retried <= proxy.injected
    assert inner.requests.total == sum(proxy.requests.values()) == 241 + store.retries.retried


class _HurriedClock(SystemClock):
    """A hundredth of the pauses."""

    def sleep(self, seconds):
        super().sleep(seconds / 100)


def _content(key, writer):
    return f"{key} by {writer}".encode() * 5000


def test_a_service_that_only_fails_is_given_up_in_time(store, proxy):
    proxy.rates = {Fault.SLOW_DOWN: 1.0}
    clock = FakeClock()
    with pytest.raises(StorageError, match=r"SlowDown.*Given up after \d+ attempts in \d+ s"):
        RetryingStore(store, clock, 0).put_if_absent("k", b"1")
    assert 60 < clock.now() <= 120
    assert 8 <= proxy.requests["PUT"] <= 40


@pytest.mark.full
def test_a_server_that_is_killed_is_waited_for(tmp_path, use_endpoint):
    with SeaweedFS(tmp_path / "weed") as server:
        use_endpoint(server.endpoint)
        store = RetryingStore(S3Store(server.bucket, "run"), SystemClock(), 0)
        assert store.put_if_absent("before", b"1")
        server.kill()
        with ThreadPoolExecutor(1) as threads:
            put = threads.submit(store.put_if_absent, "while-down", b"2")
            server.start()
            put.result(120)
        assert [store.get(key) for key in ("before", "while-down")] == [b"1", b"2"]
        assert store.retries.retried > 0
