"""The client of an S3 service, made when it is first needed in each process.

Endpoint, region and credentials come from the usual AWS environment and files (AWS_ENDPOINT_URL, AWS_PROFILE, …) and
from nowhere else. Does not know objects.
"""

import os
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.session
from botocore.config import Config

from enformer_core.errors import InputError

_OF_AWS = re.compile(r"s3([.-][a-z0-9-]+)*\.amazonaws\.com(\.cn)?")
"""Hosts of AWS itself in all its regions, which every client finds by itself."""

_CONNECTIONS = 64  # threads of a driver that write at the same time find one each


@dataclass(frozen=True)
class Timeouts:
    """How long silence may last. Retries are counted above this.

    Attributes:
        connect_s: until a connection stands.
        read_s: between two pieces of an answer.
        slowest_bytes_per_s: an answer that takes `read_s` longer than at this rate is broken off.
    """

    connect_s: float = 10.0
    read_s: float = 60.0
    slowest_bytes_per_s: float = 100_000.0

    def whole_s(self, size_bytes: int) -> float:
        """Seconds that a body of this size may take at most."""
        return self.read_s + size_bytes / self.slowest_bytes_per_s


@dataclass
class RequestCounts:
    """Requests of one process by kind: put, get, head, list."""

    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str) -> None:
        """Count one more request of a kind; safe from several threads."""
        with self._lock:
            self._counts[kind] += 1

    def __getitem__(self, kind: str) -> int:
        return self._counts[kind]

    @property
    def total(self) -> int:
        """How many requests of all kinds there were."""
        return self._counts.total()


class Connection:
    """One client for all threads of a process; a process that receives or inherits it makes its own.

    Attributes:
        requests: what was asked so far, in this process.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._lock = threading.Lock()
        self._made: tuple[int, Any] | None = None
        self.requests = RequestCounts()

    def __reduce__(self) -> tuple[Any, ...]:
        return Connection, (self._timeouts,)

    def client(self, kind: str) -> Any:
        """The botocore client, for one request that is counted as `kind`."""
        self.requests.add(kind)
        with self._lock:
            # A client's sockets must not be shared with a child process.
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), _make_client(self._timeouts))
            return self._made[1]

    def forget(self) -> None:
        """Read the environment again at the next request: credentials may have been renewed."""
        with self._lock:
            self._made = None


def _make_client(timeouts: Timeouts) -> Any:
    config = Config(
        connect_timeout=timeouts.connect_s,
        read_timeout=timeouts.read_s,
        # Its own retries would neither be counted nor wait by our clock; see `RetryingStore`.
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=_CONNECTIONS,
        tcp_keepalive=True,  # routers forget connections that are silent while a shard is computed
        user_agent_extra="enformer-ray",
    )
    try:
        return aws_session().create_client("s3", config=config)
    except ValueError as error:
        # Without its cause, which quotes the endpoint.
        raise InputError(
            f"the S3 client cannot be set up: {quotable(error)}. Check AWS_ENDPOINT_URL and AWS_REGION."
        ) from None


def aws_session() -> Any:
    """A botocore session that reads environment and files anew, but not what botocore brings along."""
    session = botocore.session.get_session()
    session.register_component("data_loader", _requests_of_services())
    return session


@cache
def _requests_of_services() -> Any:
    """botocore's descriptions of S3's requests: to read them takes six times as long as the rest of a client."""
    return botocore.session.get_session().get_component("data_loader")


def other_service() -> str | None:
    """The service that the environment and files name, `https://host:port`; None for AWS itself.

    A user's name and password are no part of it, nor is anything that would not stand in a text as it is.

    Raises:
        InputError: for an endpoint that is no URL.
    """
    url = urlsplit(_make_client(Timeouts()).meta.endpoint_url)
    if _OF_AWS.fullmatch(url.hostname or ""):
        return None
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}{quote(url.path.rstrip('/'))}"


def quotable(error: Exception) -> str:
    """What an error of botocore says, unless it may quote an endpoint with a password."""
    text = str(error)
    return "what is wrong holds an @, so it is not shown here" if "@" in text else text
