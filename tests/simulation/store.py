"""An object store in memory that speaks S3 as botocore hears it, and fails as services do.

A put is uploaded, applied at one moment, and answered; between any two of these the asking process may die, and the
answer may be lost. Listings are strongly consistent and come in pages. Everything that was ever applied is remembered.
"""

# ruff: noqa: N803 - botocore names its arguments as S3 does
import base64
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from botocore import exceptions as boto

from enformer_core.storage.s3 import S3Store
from tests.simulation.faults import Kind, Weather
from tests.simulation.world import Hub, Process

SECRET = "wJalrXUtnFEMI-not-a-real-secret"
PAGE_KEYS = 4
_ENDPOINT = "https://storage.invalid"
_NAMES = {"put": "PutObject", "get": "GetObject", "head": "HeadObject", "list": "ListObjectsV2"}


@dataclass(frozen=True)
class Stored:
    """An object as the service keeps it."""

    content: bytes
    etag: str
    metadata: dict[str, str]


@dataclass(frozen=True)
class Request:
    """What a process asked of the service.

    Attributes:
        number: counts from 0 over the life of the service.
        kind: put, get, head or list.
        key: the object, or the prefix of a listing.
        process: who asked.
    """

    number: int
    kind: str
    key: str
    process: Process


Hook = Callable[[Request, str], None]
"""Called with a request and a moment of it: `asked`, `applied` (puts) or `answered`."""


@dataclass
class Service:
    """The bucket.

    Attributes:
        history: every put that was applied: when, key, ETag, who.
        requests: by kind and key.
        failed: requests that were not answered with success for reasons of weather, by key.
        hooks: see `Hook`.
        conditional_losses: puts answered with 412.
        slowness: times that requests take longer.
        conflict_share: of puts that meet others of their key, those that are answered with 409.
        keeps_preconditions: it does not overwrite what may only be created.
        abandoned_puts: puts by processes for which nobody waited any more.
    """

    hub: Hub
    weather: Weather
    objects: dict[str, Stored] = field(default_factory=dict)
    history: list[tuple[float, str, str, Process]] = field(default_factory=list)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    hooks: list[Hook] = field(default_factory=list)
    conditional_losses: int = 0
    abandoned_puts: int = 0
    slowness: float = 1.0
    conflict_share: float = 0.4
    keeps_preconditions: bool = True
    asked: int = 0
    strange: list[str] = field(default_factory=list)
    _uploading: Counter[str] = field(default_factory=Counter)

    current: "ClassVar[Service | None]" = None

    def store_of(self, process: Process) -> S3Store:
        """The real S3 store, with a client whose requests come here."""
        store = S3Store("bucket", "run")
        object.__setattr__(store, "_connection", _Connection(Client(self, process)))
        return store

    def ask(self, kind: str, key: str, process: Process) -> Request:
        process.check()
        request = Request(self.asked, kind, key, process)
        self.asked += 1
        self.requests[kind, key] += 1
        self.tell(request, "asked")
        return request

    def latency_s(self) -> float:
        return self.slowness * (0.01 + 0.09 * self.hub.random.random())

    def tell(self, request: Request, moment: str) -> None:
        for hook in list(self.hooks):
            hook(request, moment)
        request.process.check()


class _Connection:
    """In the place of `storage.s3_connection.Connection`."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self.requests: Counter[str] = Counter()

    def client(self, kind: str) -> "Client":
        self.requests[kind] += 1
        return self._client

    def forget(self) -> None:
        pass

    def __reduce__(self) -> tuple[Any, ...]:
        return _connection_here, ()


def _connection_here() -> _Connection:
    """A store that is sent to another process asks with that process's client."""
    assert Service.current is not None
    return _Connection(Client(Service.current, Service.current.hub.process))


class Client:
    """A process's botocore client, as far as it may be used: a multipart request is an AttributeError that is noted."""

    def __init__(self, service: Service, process: Process) -> None:
        self._service, self._process = service, process

    def __getattr__(self, name: str) -> Any:
        self._service.strange.append(name)
        raise AttributeError(f"no program here may call {name}")

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ChecksumSHA256: str,
        Metadata: dict[str, str],
        **how: str,
    ) -> dict[str, Any]:
        service, hub, process = self._service, self._service.hub, self._process
        key = Key.removeprefix("run/")
        if not service.keeps_preconditions:
            how.pop("IfNoneMatch", None)
        request = service.ask("put", key, process)
        assert base64.b64decode(ChecksumSHA256) == hashlib.sha256(Body).digest()
        trouble = service.weather.of_put(process, key)
        if trouble in REFUSALS:
            hub.sleep(service.latency_s())
            service.failed[key] += 1
            raise _refusal(trouble, "put")
        before, others = service.requests["put", key], service._uploading[key]
        answer: dict[str, Any] = {}
        service._uploading[key] += 1
        try:
            hub.sleep(service.latency_s())  # the upload
        except BaseException:
            service.weather.count(Kind.TORN_UPLOAD)  # its writer died: nothing is stored
            raise
        finally:
            service._uploading[key] -= 1
        if trouble is Kind.TORN_UPLOAD:
            service.failed[key] += 1
            raise boto.ConnectionClosedError(endpoint_url=_ENDPOINT)
        service.abandoned_puts += process.abandoned
        # From here on the service has it all, whatever becomes of its writer.
        others += service.requests["put", key] - before  # those that came meanwhile
        if others and "IfNoneMatch" in how and hub.random.random() < service.conflict_share:
            service.weather.count(Kind.CONFLICT)
            service.failed[key] += 1
            answer["error"] = _client_error("put", 409, "ConditionalRequestConflict")
        elif key in service.objects and "IfNoneMatch" in how:
            service.conditional_losses += 1
            service.weather.count(Kind.PRECONDITION)
            answer["error"] = _client_error("put", 412, "PreconditionFailed")
        else:
            etag = hashlib.md5(Body).hexdigest()
            service.objects[key] = Stored(bytes(Body), etag, dict(Metadata))
            service.history.append((hub.now_s, key, etag, process))
            answer["ETag"] = etag
        service.tell(request, "applied")
        hub.sleep(service.latency_s())
        if trouble is Kind.LOST_ANSWER:
            service.failed[key] += 1
            service.weather.took_effect(Kind.LOST_ANSWER, "ETag" in answer)
            raise boto.ReadTimeoutError(endpoint_url=_ENDPOINT)
        service.tell(request, "answered")
        if "error" in answer:
            raise answer["error"]
        return answer

    def get_object(self, *, Bucket: str, Key: str, **how: str) -> dict[str, Any]:
        service, key = self._service, Key.removeprefix("run/")
        request = service.ask("get", key, self._process)
        trouble = self._answered(request)
        stored = service.objects.get(key)
        if stored is None:
            raise _client_error("get", 404, "NoSuchKey")
        body = stored.content
        if trouble is Kind.CORRUPT_BYTES and body:
            service.failed[key] += 1
            at = service.hub.random.randrange(len(body))
            body = body[:at] + bytes([body[at] ^ 0x20]) + body[at + 1 :]
        return {
            "ETag": stored.etag,
            "ContentLength": len(stored.content),
            "Metadata": stored.metadata,
            "Body": _Body(body),
        }

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        service, key = self._service, Key.removeprefix("run/")
        self._answered(service.ask("head", key, self._process))
        stored = service.objects.get(key)
        if stored is None:
            raise _client_error("head", 404, "404")
        return {"ContentLength": len(stored.content), "ETag": stored.etag}

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        Prefix: str,
        MaxKeys: int,
        StartAfter: str = "",
        ContinuationToken: str = "",
    ) -> dict[str, Any]:
        service = self._service
        self._answered(service.ask("list", Prefix.removeprefix("run/"), self._process))
        after = ContinuationToken or StartAfter
        names = sorted(
            name
            for key in service.objects
            if (name := f"run/{key}").startswith(Prefix) and name > after
        )
        page = names[: min(PAGE_KEYS, MaxKeys)]
        listed = {
            "IsTruncated": len(page) < len(names),
            "Contents": [
                {"Key": name, "Size": len(service.objects[name.removeprefix("run/")].content)}
                for name in page
            ],
        }
        return listed | ({"NextContinuationToken": page[-1]} if listed["IsTruncated"] else {})

    def _answered(self, request: Request) -> "Kind | None":
        """Let the time of a question pass; what is to befall its answer."""
        service, hub = self._service, self._service.hub
        trouble = service.weather.of_read(self._process, request.key)
        hub.sleep(service.latency_s())
        if trouble in REFUSALS:
            service.failed[request.key] += 1
            raise _refusal(trouble, request.kind)
        service.tell(request, "answered")
        return trouble


class _Body:
    """What botocore gives for an object's content."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        piece, self._content = self._content[:size], self._content[size:]
        return piece

    def close(self) -> None:
        pass


REFUSALS = {
    Kind.SLOW_DOWN: (503, "SlowDown"),
    Kind.SERVER_ERROR: (500, "InternalError"),
    Kind.RESET: (0, ""),
    Kind.DISK_FULL: (507, "InsufficientStorage"),
    Kind.EXPIRED_CREDENTIALS: (403, "ExpiredToken"),
}


def _refusal(trouble: "Kind | None", kind: str) -> Exception:
    assert trouble is not None
    status, code = REFUSALS[trouble]
    return (
        _client_error(kind, status, code)
        if status
        else boto.ConnectionClosedError(endpoint_url=_ENDPOINT)
    )


def _client_error(kind: str, status: int, code: str) -> boto.ClientError:
    message = f"signed with {SECRET}" if status == 403 else "told by the service"
    answer = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return boto.ClientError(answer, _NAMES[kind])
