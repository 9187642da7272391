"""What a name means: a path of this machine, or an address `scheme://bucket/key` of a store.

The only module that looks into names. A store is added by its own module and one line of `STORES`; runs, inputs, small
tables and SQL all reach it through here.
"""

import re
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from enformer_core.errors import InputError
from enformer_core.storage.cache import local_copy
from enformer_core.storage.local import LocalStore
from enformer_core.storage.retry import Clock, Retries, RetryingStore, SystemClock
from enformer_core.storage.store import ObjectStore, Store
from enformer_core.storage.web import READERS
from enformer_core.user_path import user_path

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem


class StoreOpener(Protocol):
    """How a store is made; it asks the service nothing yet. It is called from several threads, and can be pickled."""

    def __call__(
        self,
        bucket: str,
        prefix: str,
        *,
        single_writer: bool = False,
    ) -> ObjectStore:
        """The objects of a bucket below a prefix, which has no slash at either end."""
        ...


def _open_s3(bucket: str, prefix: str, *, single_writer: bool = False) -> ObjectStore:
    # here: the client takes longer to load than a directory takes to be read
    from enformer_core.storage.s3 import S3Store  # noqa: PLC0415

    return S3Store(bucket, prefix, single_writer=single_writer)


STORES: dict[str, StoreOpener] = {"s3": _open_s3}
"""The stores that there are, by the scheme of their addresses."""


def _other_s3() -> str | None:
    from enformer_core.storage.s3_connection import other_service  # noqa: PLC0415 - see _open_s3

    return other_service()


_SERVICES: dict[str, Callable[[], str | None]] = {"s3": _other_s3}
"""Where each of them is asked, if not at its maker's."""

_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<slashes>/{0,2})")

# Of these, `scheme:/x` and `scheme:x` are slips; any other name with a colon is a path.
_ADDRESS_SCHEMES = frozenset(
    {"s3", "s3a", "s3n", "gs", "gcs", "az", "abfs", "abfss", "hdfs"}
    | {"http", "https", "ftp", "ftps", "sftp", "file", "hf"}
)

_DOWNLOADS = {
    "http": "curl -LO",
    "https": "curl -LO",
    "ftp": "curl -LO",
    "gs": "gcloud storage cp",
}
"""The command that brings a file here, by scheme; the address follows."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_PARENT_PARTS = {"", ".", ".."}


@dataclass(frozen=True)
class Address:
    """`scheme://bucket/key`.

    Attributes:
        scheme: one of `STORES`.
        bucket: its name.
        key: without a slash at either end; may be empty.
    """

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"

    def with_key(self, key: str) -> "Address":
        """Another object of the same bucket."""
        return Address(self.scheme, self.bucket, key)

    def open_bucket(self) -> ObjectStore:
        """The whole bucket; one attempt for each call."""
        return STORES[self.scheme](self.bucket, "")


def parse_address(name: str) -> Address | None:
    """The parts of a store's address; None for a path.

    Raises:
        InputError: for a scheme that no store has, or a bucket or key that no service has.
    """
    scheme = _scheme(name)
    if scheme is None:
        return None
    if scheme not in STORES:
        raise _unknown(name, scheme)
    bucket, _, key = name.removeprefix(f"{scheme}://").partition("/")
    key = key.strip("/")  # `s3://bucket/run/` and `s3://bucket/run` are one run
    if not _BUCKET.fullmatch(bucket):
        raise InputError(f"{name}: {bucket!r} is no bucket's name. Give {scheme}://bucket/prefix.")
    # Services take such keys as they are, but the same name on a disk would be another place.
    if key and _PARENT_PARTS & set(key.split("/")):
        raise InputError(
            f"{name}: the key has an empty part, '.' or '..'. Give {scheme}://bucket/prefix."
        )
    return Address(scheme, bucket, key)


def _scheme(name: str) -> str | None:
    """What stands before `://`; None for a path.

    Raises:
        InputError: for an address with a slash too few, which would make a directory `s3:`.
    """
    match = _ADDRESS.match(name)
    if match is None:
        return None
    scheme = match["scheme"]
    if match["slashes"] == "//":
        return scheme
    if scheme.lower() not in _ADDRESS_SCHEMES:
        return None
    rest = name[match.end() :]
    raise InputError(
        f"{name}: neither a path nor an address. Write {scheme}://{rest}, or ./{name} for a path."
    )


def _unknown(
    name: str,
    scheme: str,
    also: Collection[str] = (),
) -> InputError:
    places = ["a path", *(f"{known}://bucket/prefix" for known in STORES)]
    places += [f"{known}://…" for known in also]
    download = _DOWNLOADS.get(scheme.lower())
    remedy = (
        ""
        if download is None
        else f" To read it, download it first: {download} {shlex.quote(name)}"
    )
    return InputError(
        f"{name}: this kind of storage is not known. Give {' or '.join(places)}.{remedy}"
    )


def open_store(name: str, *, single_writer: bool = False) -> RetryingStore:
    """The place that `--out` names; nothing is asked or made yet.

    Args:
        name: a path, or an address `scheme://bucket/prefix`.
        single_writer: see `S3Store`; a directory never needs it.

    Returns:
        A store that tries transient failures again. It can be sent to other processes and machines.

    Raises:
        InputError: for a name that can be neither.
    """
    address = parse_address(name)
    store: Store
    if address is None:
        store = LocalStore(Path(user_path(name)))
    else:
        opener = STORES[address.scheme]
        store = opener(address.bucket, address.key, single_writer=single_writer)
    return RetryingStore(store, SystemClock())


def service_of(name: str) -> str | None:
    """The service that is asked for an address, `https://host:port`; None for its maker's own, and for a path.

    Raises:
        InputError: for an address that no store has, or an endpoint that is no URL.
    """
    address = parse_address(name)
    return None if address is None else _SERVICES[address.scheme]()


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


def local_path(
    name: str,
    *,
    also: Collection[str] = (),
    sha256: str | None = None,
    clock: Clock | None = None,
) -> str:
    """Where this node finds what a name means, as a file.

    Args:
        name: an object's address, which is copied to this node; or a path, in which `~` is written out.
        also: further schemes, as `hf`, whose addresses are returned as they stand, for whoever understands them.
        sha256: that an object must have, in hexadecimal.
        clock: time for pauses between attempts.

    Returns:
        For an object, a path whose last part is that of `name`. Its directory can be written beside it.

    Raises:
        InputError: when there is no such object, its digest is another, or nothing reads such addresses.
        StorageError: when storage or this node's disk is at fault, with the remedy.
    """
    scheme = _scheme(name)
    if scheme is None:
        return user_path(name)
    if scheme in also:
        return name
    if scheme not in STORES:
        raise _unknown(name, scheme, also)
    address = parse_address(name)
    assert address is not None, "its scheme is a store's"
    if not address.key:
        raise InputError(
            f"{name}: is a bucket; an object's name is needed, {address.scheme}://bucket/key"
        )
    retries = Retries(clock or SystemClock())
    copy = local_copy(address.open_bucket(), address.key, str(address), retries)
    if sha256 is not None and copy.sha256 != sha256.lower():
        raise InputError(
            f"{name}: its sha256 is {copy.sha256}, expected {sha256}. The object is not the one that is meant."
        )
    return str(copy.path)


def read_bytes(name: str) -> bytes:
    """The content of something small, such as a table of tracks.

    Args:
        name: a path, an object's address, or one of a scheme that `web.READERS` knows, as `https://…`.

    Raises:
        OSError: when it is not there or cannot be read, or nothing reads addresses of this kind.
        StorageError: when a store is at fault, with the remedy.
    """
    scheme = _scheme(name)
    if scheme is None:
        return Path(user_path(name)).read_bytes()
    if scheme in READERS:
        return READERS[scheme](name)
    if scheme not in STORES:
        known = [f"{each}://" for each in (*STORES, *READERS)]
        raise OSError(f"addresses of this kind are not known, only {', '.join(known)}")
    address = parse_address(name)
    assert address is not None, "its scheme is a store's"
    content = RetryingStore(address.open_bucket(), SystemClock()).get(address.key)
    if content is None:
        raise FileNotFoundError("there is no such object")
    return content


def sql_filesystem(name: str) -> "AbstractFileSystem | None":
    """What a reader of Parquet must be given for the objects below an address; None for a path, which needs none."""
    address = parse_address(name)
    if address is None:
        return None
    from enformer_core.storage.filesystem import object_filesystem  # noqa: PLC0415 - see _open_s3

    open_bucket = partial(STORES[address.scheme], prefix="")
    return object_filesystem(address.scheme, open_bucket, SystemClock())
