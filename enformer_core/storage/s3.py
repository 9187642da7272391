"""Objects of an S3 service, or one that speaks its language, as a place for objects.

Every object is one put, never a multipart upload, so a writer that dies leaves nothing behind. Requests are made once;
trying again is `RetryingStore`'s. Does not know what the objects mean.
"""

import base64
import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from botocore.exceptions import ClientError

from enformer_core.errors import InputError, StorageError, TransientStorageError
from enformer_core.storage.s3_connection import Connection, RequestCounts, Timeouts
from enformer_core.storage.s3_errors import FAILURES, CredentialsError, code_of, explain, status_of
from enformer_core.storage.store import ObjectStat

_DIGEST = "sha256"  # the header x-amz-meta-sha256
_PIECE_BYTES = 1 << 20
_PAGE_KEYS = 1000  # the most that S3 sends
_FIRST_PAGE: Mapping[str, str] = MappingProxyType({})

Answer = dict[str, Any]
"""What botocore makes of an answer; its keys are those of S3's documentation."""


@dataclass(frozen=True)
class S3Store:
    """The objects of a bucket below a prefix. Picklable; safe to use from many threads.

    Attributes:
        bucket: its name.
        prefix: without a slash at either end; empty for the whole bucket.
        single_writer: ask whether an object is there before creating it, for services that do not know
            `If-None-Match`. Two writers at the same moment may then replace each other's object.
        timeouts: of single requests.
    """

    bucket: str
    prefix: str
    single_writer: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)
    _connection: Connection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_connection", Connection(self.timeouts))

    @property
    def location(self) -> str:
        """The address of the prefix, `s3://bucket/prefix`."""
        return self._address("").rstrip("/")

    @property
    def requests(self) -> RequestCounts:
        """What this process asked so far."""
        return self._connection.requests

    def check_usable(self, marker: str, closed: str) -> None:
        """Refuse a bucket that does not exist, or a prefix that holds other things than a run.

        Raises:
            InputError: saying which of the two.
        """
        del closed  # whether one may write is seen at the first put
        with self._failures_explained("", "listed"):
            try:
                # One object would do, but two folders that a console made may come before it.
                page = self._page(max_keys=3)
            except ClientError as error:
                if code_of(error) == "NoSuchBucket":
                    raise InputError(
                        f"{self.location}: there is no bucket {self.bucket}. Create it first."
                    ) from error
                raise
        if _objects_of(page) and self.stat(marker) is None:
            raise InputError(
                f"{self.location}: holds objects but no run ({marker}). Choose another --out."
            )

    def sweep(self) -> None:
        """Do nothing: single puts leave nothing unfinished."""

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Create the object whole, or change nothing; False when it existed already."""
        if self.single_writer and self.stat(key) is not None:
            return False
        digest = hashlib.sha256(content)
        # A body that was damaged on its way is refused by the service, and one on its way back is by `get`.
        checksum = base64.b64encode(digest.digest()).decode()
        condition = {} if self.single_writer else {"IfNoneMatch": "*"}
        with self._failures_explained(key, "written"):
            try:
                answer = self._connection.client("put").put_object(
                    Bucket=self.bucket,
                    Key=self._name(key),
                    Body=content,
                    ChecksumSHA256=checksum,
                    Metadata={_DIGEST: digest.hexdigest()},
                    **condition,
                )
            except ClientError as error:
                if status_of(error) == 412:  # it exists
                    return False
                raise
        self._check_is_s3(key, answer)
        return True

    def get(self, key: str) -> bytes | None:
        """The object's content, or None when there is none; its length and digest are checked."""
        with self._failures_explained(key, "read"):
            answer = self._get_object(key)
            if answer is None:
                return None
            content = b"".join(self._pieces(answer))
        self._check_content(key, content, answer)
        return content

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with `prefix`, in order of their bytes, behind `after`."""
        return (self._key(entry) for entry in self._entries(prefix, after))

    def sizes(self, prefix: str, *, after: str = "") -> Iterator[tuple[str, int]]:
        """As `keys`, with the length of each object in bytes; the same requests."""
        return ((self._key(entry), entry["Size"]) for entry in self._entries(prefix, after))

    def move(self, key: str, to: str) -> None:
        """Put the object's bytes, whatever they are, under another key, and remove the object.

        No copy of the service's own: a bucket whose policy asks for `If-None-Match` refuses those.
        """
        stat = self.stat(key)
        if stat is None:
            return
        self.put_if_absent(to, b"".join(self.pieces(key, etag=stat.etag)))
        with self._failures_explained(key, "removed"):
            self._connection.client("delete").delete_object(Bucket=self.bucket, Key=self._name(key))

    def _key(self, entry: Answer) -> str:
        key: str = entry["Key"]
        return key.removeprefix(self._name(""))

    def _entries(self, prefix: str, after: str) -> Iterator[Answer]:
        start: Mapping[str, str] = {"StartAfter": self._name(after)} if after else _FIRST_PAGE
        while True:
            with self._failures_explained(prefix, "listed"):
                page = self._page(prefix, start=start)
            yield from _objects_of(page)
            if not page["IsTruncated"]:
                return
            start = {"ContinuationToken": page["NextContinuationToken"]}

    def stat(self, key: str) -> ObjectStat | None:
        """The object's size and version, or None when there is none."""
        with self._failures_explained(key, "read"):
            try:
                answer = self._connection.client("head").head_object(
                    Bucket=self.bucket, Key=self._name(key)
                )
            except ClientError as error:
                # The answer to HEAD has no body: most services leave the code out, and the bucket may be missing.
                if status_of(error) == 404 and code_of(error) != "NoSuchBucket":
                    return None
                raise
        return ObjectStat(answer["ContentLength"], answer["ETag"])

    def pieces(
        self,
        key: str,
        *,
        etag: str,
        first_byte: int = 0,
        end_byte: int | None = None,
    ) -> Iterator[bytes]:
        """The object's bytes from `first_byte` up to but without `end_byte`, in pieces of about a megabyte.

        Args:
            key: which object.
            etag: its version; see `stat`.
            first_byte: where an earlier reading broke off.
            end_byte: greater than `first_byte`; None for the object's end.

        Raises:
            InputError: when the object is gone, or another version stands there now.
        """
        partial = first_byte > 0 or end_byte is not None
        # HTTP's ranges include their last byte, and "bytes=100-" is everything from there on.
        last_byte = "" if end_byte is None else end_byte - 1
        conditions = {"Range": f"bytes={first_byte}-{last_byte}"} if partial else {}
        with self._failures_explained(key, "read"):
            answer = self._get_object(key, IfMatch=etag, **conditions)
            if answer is None:
                raise InputError(
                    f"{self._address(key)}: was replaced while it was read. Run the same command again."
                )
            sent_range = answer.get("ContentRange", "")
            if partial and not sent_range.startswith(f"bytes {first_byte}-"):
                answer["Body"].close()
                raise StorageError(
                    f"{self._address(key)}: this service cannot send a part of an object."
                )
            yield from self._pieces(answer)

    def _name(self, key: str) -> str:
        """The key as the bucket has it."""
        return f"{self.prefix}/{key}" if self.prefix else key

    def _address(self, key: str) -> str:
        return f"s3://{self.bucket}/{self._name(key)}"

    def _get_object(self, key: str, **conditions: str) -> Answer | None:
        """The answer with its body still to be read; None when there is no such object, or not in that version."""
        try:
            answer: Answer = self._connection.client("get").get_object(
                Bucket=self.bucket, Key=self._name(key), **conditions
            )
        except ClientError as error:
            if code_of(error) == "NoSuchKey" or status_of(error) == 412:
                return None
            raise
        try:
            self._check_is_s3(key, answer)
        except TransientStorageError:
            answer["Body"].close()
            raise
        return answer

    def _pieces(self, answer: Answer) -> Iterator[bytes]:
        # A service that sends one byte a minute never keeps silent for long: the whole body has its time, too.
        end_s = time.monotonic() + self.timeouts.whole_s(answer["ContentLength"])
        with closing(answer["Body"]) as body:
            while piece := body.read(_PIECE_BYTES):
                yield piece
                if time.monotonic() > end_s:
                    raise TimeoutError

    def _check_content(self, key: str, content: bytes, answer: Answer) -> None:
        if len(content) != answer["ContentLength"]:
            raise TransientStorageError(
                f"{self._address(key)}: {len(content)} bytes arrived of {answer['ContentLength']}."
            )
        stored = answer["Metadata"].get(_DIGEST)
        if stored is not None and hashlib.sha256(content).hexdigest() != stored:
            raise TransientStorageError(
                f"{self._address(key)}: arrived damaged: not the sha256 that it was stored with."
            )

    def _check_is_s3(self, key: str, answer: Answer) -> None:
        """Refuse a success that no S3 service reported: a login page, say, of the network between."""
        if not answer.get("ETag"):
            raise TransientStorageError(
                f"{self._address(key)}: the answer is not one of an S3 service."
            )

    def _page(
        self,
        prefix: str = "",
        *,
        start: Mapping[str, str] = _FIRST_PAGE,
        max_keys: int = _PAGE_KEYS,
    ) -> Answer:
        page: Answer = self._connection.client("list").list_objects_v2(
            Bucket=self.bucket, Prefix=self._name(prefix), MaxKeys=max_keys, **start
        )
        # An empty body would read as an empty listing.
        if "IsTruncated" not in page or (
            page["IsTruncated"] and "NextContinuationToken" not in page
        ):
            raise TransientStorageError(
                f"{self._address(prefix)}: cannot be listed: the answer is incomplete."
            )
        return page

    @contextmanager
    def _failures_explained(self, key: str, action: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            explained = explain(error, self._address(key), action=action)
            if isinstance(explained, CredentialsError):
                self._connection.forget()
                raise explained from None  # what a credential helper says may contain secrets
            raise explained from error


def _objects_of(page: Answer) -> list[Answer]:
    """What a page lists, without the empty objects that consoles make for folders."""
    return [entry for entry in page.get("Contents", ()) if not entry["Key"].endswith("/")]
