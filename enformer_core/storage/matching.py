"""Objects that a pattern or a prefix on object storage stands for. Does not know what is in them."""

import re
from collections.abc import Iterator

from fsspec.utils import glob_translate

from enformer_core.errors import InputError
from enformer_core.storage.opening import S3Uri, open_store, parse_s3
from enformer_core.storage.retry import Retries, SystemClock
from enformer_core.storage.s3 import S3Store

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
        found = [key for key in _keys(uri, f"{uri.key}/" if uri.key else "") if key.endswith(suffix)]
    return [str(S3Uri(uri.bucket, key)) for key in found] or [str(uri)]


def _matching(uri: S3Uri) -> list[str]:
    fixed = re.split(_PATTERN, uri.key, maxsplit=1)[0].rpartition("/")[0]
    meant = re.compile(glob_translate(uri.key))
    return [key for key in _keys(uri, fixed and f"{fixed}/") if meant.fullmatch(key) or key == uri.key]


def _is_object(uri: S3Uri) -> bool:
    return Retries(SystemClock()).call(lambda: S3Store(uri.bucket, "").stat(uri.key)) is not None


def _keys(uri: S3Uri, prefix: str) -> Iterator[str]:
    return open_store(f"s3://{uri.bucket}").keys(prefix)
