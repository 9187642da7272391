import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError

from enformer_core.errors import InputError, StorageError, TransientStorageError
from enformer_core.storage.open import check_preconditions, open_store, parse_address
from enformer_core.storage.retry import RetryingStore
from enformer_core.storage.s3 import S3Store
from enformer_core.storage.s3_connection import Timeouts
from enformer_core.storage.s3_errors import CredentialsError, explain
from tests.support.proxy import Fault, FaultProxy
from tests.support.seaweed import client


def test_an_object_is_created_once_and_never_changed(store):
    assert store.put_if_absent("a/b.json", b"first")
    assert not store.put_if_absent("a/b.json", b"second")
    assert store.get("a/b.json") == b"first"
    assert store.get("a/c.json") is None
    assert store.put_if_absent("empty", b"")
    assert store.get("empty") == b""


def test_requests_are_counted_by_kind(store):
    store.put_if_absent("a", b"1")
    store.put_if_absent("a", b"1")
    store.get("a")
    store.stat("a")
    list(store.keys(""))
    assert (
        store.requests["put"],
        store.requests["get"],
        store.requests["head"],
        store.requests["list"],
    ) == (
        2,
        1,
        1,
        1,
    )
    assert store.requests.total == 5


def test_keys_are_listed_in_order_below_a_prefix_without_folders(store, moto_endpoint):
    for key in ("b/2", "b/1", "a/9", "b/c/3", "b-d/1"):
        store.put_if_absent(key, b"")
    client(moto_endpoint).put_object(Bucket=store.bucket, Key="runs/a/b/", Body=b"")
    client(moto_endpoint).put_object(Bucket=store.bucket, Key="runs/ab/1", Body=b"")
    assert list(store.keys("b/")) == ["b/1", "b/2", "b/c/3"]
    assert list(store.keys("b/", after="b/1")) == ["b/2", "b/c/3"]
    assert list(store.keys("")) == ["a/9", "b-d/1", "b/1", "b/2", "b/c/3"]
    assert list(store.keys("nothing/")) == []


def test_a_store_without_a_prefix_is_the_whole_bucket(bucket):
    store = S3Store(bucket, "")
    store.check_usable("run.json", "manifest.json")
    store.put_if_absent("a", b"1")
    assert (store.location, list(store.keys("")), store.get("a")) == (f"s3://{bucket}", ["a"], b"1")


def test_it_travels_without_its_client(store):
    store.put_if_absent("a", b"1")
    travelled = pickle.loads(pickle.dumps(RetryingStore(store, _NoClock())))
    assert travelled.store == store
    assert travelled.store.requests.total == 0
    assert travelled.get("a") == b"1"


class _NoClock:
    def now(self):
        return 0.0

    def sleep(self, seconds):
        raise AssertionError("nothing failed, nothing waits")


def test_a_place_in_use_by_others_is_refused(store, moto_endpoint):
    s3 = client(moto_endpoint)
    store.check_usable("run.json", "manifest.json")
    s3.put_object(Bucket=store.bucket, Key="runs/a/", Body=b"")
    s3.put_object(Bucket=store.bucket, Key="runs/another", Body=b"")
    store.check_usable("run.json", "manifest.json")
    s3.put_object(Bucket=store.bucket, Key="runs/a/holiday.jpg", Body=b"")
    with pytest.raises(InputError, match=r"runs/a: holds objects but no run \(run.json\)"):
        store.check_usable("run.json", "manifest.json")
    store.put_if_absent("run.json", b"{}")
    store.check_usable("run.json", "manifest.json")


def test_a_bucket_that_is_not_there(bucket):
    store = S3Store("no-such-bucket", "runs/a")
    with pytest.raises(InputError, match="there is no bucket no-such-bucket"):
        store.check_usable("run.json", "manifest.json")
    for call in (
        lambda: store.put_if_absent("k", b""),
        lambda: store.get("k"),
        lambda: list(store.keys("")),
    ):
        with pytest.raises(StorageError, match=r"NoSuchBucket.*Create the bucket") as caught:
            call()
        assert not isinstance(caught.value, TransientStorageError)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.INTERNAL_ERROR,
        Fault.SLOW_DOWN,
        Fault.CONFLICT,
        Fault.RESET,
        Fault.APPLIED_THEN_500,
    ],
)
def test_bad_moments_are_worth_another_try(store, proxy, fault):
    for call in (
        lambda: store.put_if_absent("k", b"1"),
        lambda: store.get("k"),
        lambda: list(store.keys("")),
    ):
        proxy.script([fault])
        with pytest.raises(TransientStorageError, match=r"s3://bucket-\d+/runs/a"):
            call()
    assert proxy.faults[fault] == 3, "each call is one attempt"


def test_silence_is_worth_another_try(impatient, proxy):
    proxy.rates = {Fault.NO_ANSWER: 1.0}
    with pytest.raises(TransientStorageError, match="no answer in time"):
        impatient.get("k")


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.DAMAGED, Fault.GARBAGE])
def test_a_body_that_is_not_what_was_stored_is_never_returned(store, proxy, fault):
    content = bytes(range(256)) * 10_000
    store.put_if_absent("k", content)
    proxy.script([fault])
    with pytest.raises(TransientStorageError):
        _ = store.get("k") == content or pytest.fail("another content was returned")
    assert store.get("k") == content


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.GARBAGE])
def test_half_a_listing_is_never_taken_for_the_whole(store, proxy, fault):
    for number in range(50):
        store.put_if_absent(f"k/{number:02}", b"")
    proxy.script([fault])
    with pytest.raises(TransientStorageError):
        list(store.keys("k/"))


def test_an_empty_answer_is_no_empty_listing(store, monkeypatch):
    monkeypatch.setattr(type(store._connection), "client", lambda self, kind: _EmptyAnswers())
    with pytest.raises(TransientStorageError, match="the answer is incomplete"):
        list(store.keys("k/"))


def test_a_success_that_no_service_reported_is_none(store, monkeypatch):
    monkeypatch.setattr(type(store._connection), "client", lambda self, kind: _EmptyAnswers())
    with pytest.raises(TransientStorageError, match="not one of an S3 service"):
        store.put_if_absent("k", b"1")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "SlowDown", TransientStorageError),
        (400, "RequestTimeout", TransientStorageError),
        (400, "BadDigest", TransientStorageError),
        (409, "OperationAborted", TransientStorageError),
        (429, "", TransientStorageError),
        (502, "", TransientStorageError),
        (504, "", TransientStorageError),
        (401, "", CredentialsError),
        (403, "403", CredentialsError),
        (403, "SignatureDoesNotMatch", CredentialsError),
        (403, "RequestTimeTooSkewed", StorageError),
        (301, "PermanentRedirect", StorageError),
        (400, "EntityTooLarge", StorageError),
        (501, "NotImplemented", StorageError),
        (503, "XMinioStorageFull", StorageError),
        (418, "", StorageError),
    ],
)
def test_what_answers_mean(status, code, kind):
    answer = {
        "Error": {"Code": code, "Message": "a secret"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    told = explain(ClientError(answer, "PutObject"), "s3://b/k", action="written")
    assert type(told) is kind
    assert str(told).startswith("s3://b/k: cannot be written: refused with")
    assert "secret" not in str(told)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (
            boto.SSLError(endpoint_url="x", error="[SSL: CERTIFICATE_VERIFY_FAILED]"),
            StorageError,
            "AWS_CA_BUNDLE",
        ),
        (
            boto.SSLError(endpoint_url="x", error="EOF occurred"),
            TransientStorageError,
            "connection failed",
        ),
        (boto.ProfileNotFound(profile="lab"), StorageError, "lab"),
        (
            boto.CredentialRetrievalError(provider="p", error_msg="a secret"),
            CredentialsError,
            "Renew",
        ),
        (
            boto.HTTPClientError(error="https://user:secret@proxy"),
            TransientStorageError,
            "connection failed",
        ),
        (OSError("no CA bundle at /x"), TransientStorageError, "no CA bundle at /x"),
    ],
)
def test_what_failures_mean(error, kind, says):
    told = explain(error, "s3://b/k", action="read")
    assert type(told) is kind
    assert says in str(told)
    assert "secret" not in str(told)


class _EmptyAnswers:
    def __init__(self):
        self.body = _Drips([b""])

    def put_object(self, **request):
        return {}

    def get_object(self, **request):
        return {"ETag": "e", "ContentLength": 0, "Body": self.body}

    def list_objects_v2(self, **request):
        return {}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            Fault.FORBIDDEN,
            r"s3://bucket-\d+/runs/a/k: cannot be written: refused with AccessDenied.*Allow this user",
        ),
        (
            Fault.EXPIRED,
            r"s3://bucket-\d+/runs/a/k: cannot be written: refused with ExpiredToken.*Renew",
        ),
        (
            Fault.FULL,
            r"s3://bucket-\d+/runs/a/k: cannot be written: refused with InsufficientStorage.*full",
        ),
    ],
)
def test_what_only_a_person_can_mend_is_said(store, proxy, fault, says):
    proxy.script([fault])
    with pytest.raises(StorageError, match=says) as caught:
        store.put_if_absent("k", b"1")
    assert not isinstance(caught.value, TransientStorageError)
    assert store.put_if_absent("k", b"1")


def test_no_credentials(store, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StorageError, match=r"no usable credentials.*Renew the credentials"):
        store.check_usable("run.json", "manifest.json")


def test_credentials_that_are_renewed_are_used(store, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StorageError, match="no usable credentials"):
        store.put_if_absent("k", b"1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
    assert store.put_if_absent("k", b"1")


def test_no_secret_in_any_message(store, impatient, proxy, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "very-secret-token")
    for fault in Fault:
        if fault in {Fault.NONE, Fault.SLOW}:
            continue
        proxy.script([fault])
        place = impatient if fault is Fault.NO_ANSWER else store
        try:
            place.put_if_absent(fault.name, b"1")
        except StorageError as error:
            told = f"{error} {error.__cause__} {error.__cause__!r}"
            assert "very-secret" not in told
            assert "aws-access-key" not in told


def test_nobody_at_the_endpoint(store, use_endpoint):
    use_endpoint("http://127.0.0.1:1")
    with pytest.raises(TransientStorageError, match="nobody answers at the endpoint"):
        store.get("k")


def test_an_endpoint_that_is_none(store, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not a url")
    with pytest.raises(InputError, match="Check AWS_ENDPOINT_URL"):
        store.get("k")


def test_an_answer_that_drips_is_broken_off(bucket):
    store = S3Store(bucket, "", timeouts=Timeouts(read_s=0.0, slowest_bytes_per_s=1e12))
    body = _Drips([b"12", b"34", b""])
    with pytest.raises(TimeoutError):
        list(store._pieces({"ContentLength": 4, "Body": body}))
    assert body.closed


class _Drips:
    closed = False

    def __init__(self, pieces):
        self.pieces = iter(pieces)

    def read(self, amount):
        return next(self.pieces)

    def close(self):
        self.closed = True


@pytest.mark.parametrize(("single_writer", "usable"), [(False, False), (True, True)])
def test_a_service_that_ignores_preconditions_needs_a_single_writer(
    moto_endpoint, bucket, use_endpoint, single_writer, usable
):
    with FaultProxy(moto_endpoint, strip_preconditions=True) as ignorant:
        use_endpoint(ignorant.endpoint)
        store = S3Store(bucket, "run", single_writer=single_writer)
        assert store.put_if_absent("run.json", b"{}")
        if usable:
            check_preconditions(store, "run.json")
            assert not store.put_if_absent("run.json", b"other")
        else:
            with pytest.raises(InputError, match=r"ignores If-None-Match.*--single-writer"):
                check_preconditions(store, "run.json")
        assert store.get("run.json") == b"{}"


def test_a_service_that_keeps_preconditions_is_used(store):
    with pytest.raises(InputError, match="is not there"):
        check_preconditions(store, "run.json")
    store.put_if_absent("run.json", b"{}")
    check_preconditions(store, "run.json")


def test_of_many_writers_one_wins(store):
    _race(store, rounds=10)


def _race(store, *, rounds):
    with ThreadPoolExecutor(16) as threads:
        for round_ in range(rounds):
            contents = [f"{writer}".encode() * 1000 for writer in range(16)]
            won = list(
                threads.map(
                    lambda content, key=f"o/{round_}": store.put_if_absent(key, content), contents
                )
            )
            assert sum(won) == 1
            assert store.get(f"o/{round_}") == contents[won.index(True)]


@pytest.mark.parametrize(
    ("name", "bucket", "key"),
    [
        ("s3://b-1/a/b", "b-1", "a/b"),
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a/", "bucket", "a"),
        ("s3://bucket/a#b?c d", "bucket", "a#b?c d"),
    ],
)
def test_names_of_places(name, bucket, key):
    address = parse_address(name)
    assert (address.scheme, address.bucket, address.key) == ("s3", bucket, key)
    assert open_store(name).location == name.rstrip("/")


@pytest.mark.parametrize(
    "name",
    ["s3://", "s3:///a", "gs://b/a", "https://x/y", "s3://b/a//b", "s3://bucket/../a", "s3://ö/a"],
)
def test_names_that_are_no_places(name):
    with pytest.raises(InputError, match="Give"):
        open_store(name)


def test_a_part_of_an_object(store):
    content = bytes(range(256)) * 10_000
    store.put_if_absent("k", content)
    etag = store.stat("k").etag

    def read(**part):
        return b"".join(store.pieces("k", etag=etag, **part))

    assert read() == content
    assert read(first_byte=1000) == content[1000:]
    assert read(first_byte=1000, end_byte=1001) == content[1000:1001]
    assert read(end_byte=2_000_000) == content[:2_000_000]
    with pytest.raises(InputError, match="was replaced while it was read"):
        list(store.pieces("k", etag='"another"', end_byte=10))
    with pytest.raises(InputError, match="was replaced"):
        list(store.pieces("none", etag=etag))


def test_a_service_that_sends_all_in_place_of_a_part_is_found_out(store, monkeypatch):
    answers = _EmptyAnswers()
    monkeypatch.setattr(type(store._connection), "client", lambda self, kind: answers)
    with pytest.raises(StorageError, match="cannot send a part of an object"):
        list(store.pieces("k", etag="e", end_byte=10))
    assert answers.body.closed


def test_a_path_is_a_directory(tmp_path):
    assert parse_address(str(tmp_path)) is None
    store = open_store(str(tmp_path / "run"))
    store.check_usable("run.json", "manifest.json")
    assert store.put_if_absent("a/b", b"1")
    assert (store.location, list(store.keys(""))) == (str(tmp_path / "run"), ["a/b"])
    assert pickle.loads(pickle.dumps(store)).get("a/b") == b"1"


def test_seaweed_of_many_writers_one_wins(weed, use_endpoint):
    use_endpoint(weed.endpoint)
    store = S3Store(weed.bucket, "race")
    _race(store, rounds=5)
    assert store.requests["put"] == 80


def test_seaweed_lists_more_than_a_page_in_order(weed, use_endpoint):
    use_endpoint(weed.endpoint)
    store = S3Store(weed.bucket, "listing")
    keys = [f"commits/shard-{number:08}.json" for number in range(1100)]
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda key: store.put_if_absent(key, b"x"), reversed(keys)))
    assert list(store.keys("commits/")) == keys
    assert store.requests["list"] == 2
    assert list(store.keys("commits/", after=keys[1049])) == keys[1050:]


def test_what_is_moved_leaves_its_place_free_and_lengths_are_listed(store):
    store.put_if_absent("scores/1", b"first")
    assert list(store.sizes("scores/")) == [("scores/1", 5)]
    store.move("scores/1", "damaged/scores/1.abc")
    assert store.get("scores/1") is None
    assert store.get("damaged/scores/1.abc") == b"first"
    assert store.put_if_absent("scores/1", b"second")
    store.move("scores/2", "damaged/none")  # there is none
    assert store.get("damaged/none") is None
