"""Which place a name means: a directory, or `s3://bucket/prefix`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fsspec.utils import glob_translate

from enformer_core.errors import InputError
from enformer_core.storage.local import LocalStore
from enformer_core.storage.retry import Retries, RetryingStore, SystemClock
from enformer_core.storage.s3 import S3Store
from enformer_core.storage.store import Store


def check_preconditions(store: Store, key: str) -> None:
    """Create an object that exists again, with the very same bytes; a store that says "created" must not be used.

    Some services accept `If-None-Match` and ignore it: two writers then replace each other's objects unseen.

    Args:
        store: where a run is about to be written.
        key: an object that is there.

    Raises:
        InputError: for a store that ignores the condition, or has no such object.
    """
    content = store.get(key)
    if content is None:
        raise InputError(
            f"{store.location}/{key}: is not there, so nothing can be tried on it. Run it again."
        )
    if store.put_if_absent(key, content):
        raise InputError(
            f"{store.location}: this storage overwrites objects that exist (it ignores If-None-Match), so two writers "
            "could undo each other's work. Use another storage; or --single-writer, if you make sure that only one "
            "command at a time writes there."
        )


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
            raise InputError(
                f"{name}: this kind of storage is not known. Give a path or s3://bucket/prefix."
            )
        return None
    bucket, _, key = name.removeprefix(_S3).partition("/")
    key = key.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise InputError(f"{name}: {bucket!r} is no bucket's name. Give s3://bucket/prefix.")
    if key and any(part in {"", ".", ".."} for part in key.split("/")):
        raise InputError(
            f"{name}: the key has an empty part, '.' or '..'. Give s3://bucket/prefix."
        )
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
    store = (
        LocalStore(Path(out))
        if uri is None
        else S3Store(uri.bucket, uri.key, single_writer=single_writer)
    )
    return RetryingStore(store, SystemClock())


_PATTERN = re.compile(r"[*?\[]")


def matching_objects(name: str, *, suffix: str) -> list[str]:
    """The objects meant, in order of their keys.

    Args:
        name: `s3://bucket/key` of one object; a key with `*`, `?` or `[...]`, none of which stands for a slash, or with
            `**` for any number of parts; or a prefix, as a directory.
        suffix: what keys below a directory end with.

    Returns:
        Each one's `s3://` name; `name` itself where it is neither pattern nor directory.

    Raises:
        InputError: when nothing matches.
        StorageError: when the bucket cannot be listed.
    """
    uri = parse_s3(name)
    if uri is None:
        raise InputError(f"{name}: no address of object storage. Give s3://bucket/key.")
    if _PATTERN.search(uri.key):
        found = _matching(uri)
        if not found:
            raise InputError(f"{name}: no object matches this pattern")
    elif uri.key and _is_object(uri):
        return [str(uri)]
    else:
        found = [
            key for key in _keys(uri, f"{uri.key}/" if uri.key else "") if key.endswith(suffix)
        ]
    return [str(S3Uri(uri.bucket, key)) for key in found] or [str(uri)]


def _matching(uri: S3Uri) -> list[str]:
    fixed = re.split(_PATTERN, uri.key, maxsplit=1)[0].rpartition("/")[0]
    meant = re.compile(glob_translate(uri.key))
    return [
        key for key in _keys(uri, fixed and f"{fixed}/") if meant.fullmatch(key) or key == uri.key
    ]


def _is_object(uri: S3Uri) -> bool:
    return Retries(SystemClock()).call(lambda: S3Store(uri.bucket, "").stat(uri.key)) is not None


def _keys(uri: S3Uri, prefix: str) -> Iterator[str]:
    return open_store(f"s3://{uri.bucket}").keys(prefix)
