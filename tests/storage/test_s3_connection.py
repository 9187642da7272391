"""What an S3 client that cannot be set up is told by: never with a password."""

import pytest

from enformer_core.errors import InputError
from enformer_core.storage.s3_connection import Connection, Timeouts, other_service


@pytest.mark.parametrize(
    "endpoint",
    ["http//bob:HUNTER2@x", "://bob:HUNTER2@x", "bob:HUNTER2@x"],
)
def test_an_endpoint_that_is_no_url_is_not_shown_with_its_password(endpoint, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with pytest.raises(InputError, match=r"cannot be set up.*Check AWS_ENDPOINT_URL") as caught:
        Connection(Timeouts()).client("get")
    assert "HUNTER2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_one_without_a_password_is_shown(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http//x")
    with pytest.raises(InputError, match="http//x"):
        Connection(Timeouts()).client("get")


@pytest.mark.parametrize(
    ("endpoint", "named"),
    [
        ("https://minio.example:9000/", "https://minio.example:9000"),
        ("http://bob:HUNTER2@127.0.0.1:9000/a b", "http://127.0.0.1:9000/a%20b"),
        ("https://bucket.vpce-1-2.s3.eu-west-1.vpce.amazonaws.com", None),
        ("https://s3.dualstack.eu-west-1.amazonaws.com", "AWS"),
    ],
)
def test_a_service_that_is_not_aws_is_named_without_a_password(endpoint, named, use_endpoint):
    use_endpoint(endpoint)
    assert other_service() == (None if named == "AWS" else named or endpoint)


def test_aws_itself_is_none_and_a_profile_may_have_a_service(use_endpoint, monkeypatch, tmp_path):
    use_endpoint("")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for region in ("us-east-1", "eu-central-1", "cn-north-1"):
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        assert other_service() is None
    (tmp_path / "config").write_text("[profile lab]\nendpoint_url = http://127.0.0.1:9000\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    assert other_service() == "http://127.0.0.1:9000"
