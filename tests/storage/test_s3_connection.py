"""What an S3 client that cannot be set up is told by: never with a password."""

import pytest

from enformer_core.errors import InputError
from enformer_core.storage.s3_connection import Connection, Timeouts


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
