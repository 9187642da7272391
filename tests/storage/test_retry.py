import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enformer_core.errors import StorageError, TransientStorageError
from enformer_core.storage.retry import Retries, RetryingStore, SystemClock
from tests.support.clock import FakeClock
from tests.support.proxy import TRANSIENT, Fault


class Failing:
    """Fails transiently as often as it is told, then answers."""

    def __init__(self, failures, error=None):
        self.failures = failures
        self.calls = 0
        self.error = error or TransientStorageError("k: overloaded.")

    def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "answer"


def test_an_answer_at_once_costs_no_time(clock):
    assert Retries(clock).call(Failing(0)) == "answer"
    assert clock.pauses_s == []


def test_pauses_grow_and_are_drawn_below_a_doubling_bound(clock):
    retries = Retries(clock, seed=1, patience_s=1e9)
    assert retries.call(Failing(40)) == "answer"
    bounds = [min(20, 0.2 * 2**n) for n in range(40)]
    assert all(0 <= pause <= bound for pause, bound in zip(clock.pauses_s, bounds, strict=True))
    assert max(clock.pauses_s) > 15
    assert min(clock.pauses_s[10:]) < 5, "full jitter draws short pauses too"
    assert retries.retried == 40


@given(seed=st.integers(0, 2**32), patience_s=st.floats(0, 1000))
def test_patience_ends(seed, patience_s):
    clock, failing = FakeClock(), Failing(10**9)
    with pytest.raises(
        StorageError, match=r"k: overloaded\. Given up after \d+ attempts.*run the same command"
    ) as caught:
        Retries(clock, seed=seed, patience_s=patience_s).call(failing)
    assert not isinstance(caught.value, TransientStorageError)
    assert clock.now() <= patience_s
    assert failing.calls == len(clock.pauses_s) + 1


def test_what_is_not_transient_is_not_tried_again(clock):
    failing = Failing(1, StorageError("full"))
    with pytest.raises(StorageError, match=r"^full$"):
        Retries(clock).call(failing)
    assert (failing.calls, clock.pauses_s) == (1, [])


def test_the_time_that_attempts_take_counts(clock):
    def slow():
        clock.sleep(50)
        raise TransientStorageError("k: no answer in time.")

    with pytest.raises(StorageError, match="after 3 attempts"):
        Retries(clock, seed=0).call(slow)


def test_processes_draw_their_own_pauses_unless_seeded():
    def draws(retries):
        return [retries._pause_s(10) for _ in range(5)]

    unseeded = Retries(SystemClock())
    assert draws(pickle.loads(pickle.dumps(unseeded))) != draws(
        pickle.loads(pickle.dumps(unseeded))
    )
    seeded = Retries(SystemClock(), seed=7)
    assert draws(pickle.loads(pickle.dumps(seeded))) == draws(pickle.loads(pickle.dumps(seeded)))


class Never:
    """A store that never answers."""

    location = "toy"

    def _fail(self, *args, **kwargs):
        raise TransientStorageError("toy: no answer.")

    check_usable = put_if_absent = get = keys = sizes = move = sweep = _fail


class BreakingListing(Never):
    """Lists 10 keys; breaks off before every third."""

    def __init__(self):
        self.listings = []
        self.asked = 0

    def keys(self, prefix, *, after=""):
        self.listings.append(after)
        for number in range(10):
            key = f"{prefix}{number}"
            if key > after:
                self.asked += 1
                if self.asked % 3 == 0:
                    raise TransientStorageError("k/: broke off.")
                yield key

    def sizes(self, prefix, *, after=""):
        return ((key, len(key)) for key in self.keys(prefix, after=after))


def test_a_listing_goes_on_where_it_broke_off(clock):
    toy = BreakingListing()
    assert list(RetryingStore(toy, clock, 0).keys("k/")) == [f"k/{number}" for number in range(10)]
    assert toy.listings == ["", "k/1", "k/3", "k/5", "k/7"]
    sizes = RetryingStore(BreakingListing(), clock, 0).sizes("k/")
    assert list(sizes) == [(f"k/{number}", 3) for number in range(10)]


def test_a_listing_that_never_answers_is_given_up(clock):
    with pytest.raises(StorageError, match="Given up"):
        list(RetryingStore(Never(), clock, 0).keys("k/"))
    assert clock.now() <= 120


def test_at_the_start_patience_is_shorter(clock):
    with pytest.raises(StorageError):
        RetryingStore(Never(), clock, 0).check_usable("run.json", "manifest.json")
    assert clock.now() <= 30


@pytest.mark.parametrize("fault", [Fault.APPLIED_THEN_RESET, Fault.APPLIED_THEN_500])
def test_a_put_whose_answer_was_lost_finds_its_own_object(store, proxy, clock, fault):
    proxy.script([fault])
    retrying = RetryingStore(store, clock, 0)
    assert not retrying.put_if_absent("k", b"mine")
    assert retrying.get("k") == b"mine"
    assert proxy.requests["PUT"] == 2


@pytest.mark.parametrize("fault", TRANSIENT)
def test_every_transient_fault_is_overcome(store, impatient, proxy, clock, fault):
    retrying = RetryingStore(impatient if fault is Fault.NO_ANSWER else store, clock, 0)
    content = b"content" * 1000
    for call in (
        lambda: retrying.put_if_absent("k", content),
        lambda: retrying.get("k") == content or pytest.fail("another content"),
        lambda: list(retrying.keys("")) == ["k"] or pytest.fail("another listing"),
    ):
        proxy.script([fault])
        call()
    assert proxy.faults[fault] == 3
