"""Which place a name means: a directory, or `s3://bucket/prefix`."""

import re
from dataclasses import dataclass
from pathlib import Path

from enformer_core.errors import InputError
from enformer_core.storage.local import LocalStore
from enformer_core.storage.retry import RetryingStore, SystemClock
from enformer_core.storage.s3 import S3Store

_S3 = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")


@dataclass(frozen=True)
class S3Uri:
    """`s3://bucket/key`.

    Attributes:
        bucket: its name.
        key: without a slash at either end; may be empty.
    """

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{_S3}{self.bucket}/{self.key}"


def parse_s3(name: str) -> S3Uri | None:
    """The parts of an `s3://` name; None for a path.

    Raises:
        InputError: for another scheme, or a bucket or key that no service has.
    """
    if not name.startswith(_S3):
        if "://" in name:
            raise InputError(f"{name}: this kind of storage is not known. Give a path or s3://bucket/prefix.")
        return None
    bucket, _, key = name.removeprefix(_S3).partition("/")
    key = key.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise InputError(f"{name}: {bucket!r} is no bucket's name. Give s3://bucket/prefix.")
    if key and any(part in {"", ".", ".."} for part in key.split("/")):
        raise InputError(f"{name}: the key has an empty part, '.' or '..'. Give s3://bucket/prefix.")
    return S3Uri(bucket, key)


def open_store(out: str, *, single_writer: bool = False) -> RetryingStore:
    """The place that `--out` names; nothing is asked or made yet.

    Args:
        out: a path, or `s3://bucket/prefix`.
        single_writer: see `S3Store`; a directory never needs it.

    Returns:
        A store that tries transient failures again. It can be sent to other processes and machines.

    Raises:
        InputError: for a name that can be neither.
    """
    uri = parse_s3(out)
    store = LocalStore(Path(out)) if uri is None else S3Store(uri.bucket, uri.key, single_writer=single_writer)
    return RetryingStore(store, SystemClock())
