"""What a place for objects is: keys and bytes, created once and never changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class Store(Protocol):
    """A flat space of objects. Keys are relative and divided by `/`.

    Every method may raise `StorageError` when storage, disk or credentials are at fault, and its subclass
    `TransientStorageError` when another attempt may succeed. A put that raises may have been applied or not.
    """

    @property
    def location(self) -> str:
        """The place as its user wrote it: a path, or `scheme://bucket/prefix`."""
        ...

    def check_usable(self, marker: str, closed: str) -> None:
        """Refuse a place that cannot become or be a run's.

        Args:
            marker: the object by which a place in use is known.
            closed: the object that stands when nothing is left to write.

        Raises:
            InputError: for a place that does not exist, or that holds other things.
        """
        ...

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Create the object whole, or change nothing; False when it existed already."""
        ...

    def get(self, key: str) -> bytes | None:
        """The object's content, or None when there is none."""
        ...

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        """Keys that begin with `prefix`, in order of their bytes, beginning behind the key `after`.

        The prefix is empty or ends at a `/`.
        """
        ...

    def sizes(self, prefix: str, *, after: str = "") -> Iterator[tuple[str, int]]:
        """As `keys`, with the length of each object in bytes; it costs no more than a listing."""
        ...

    def move(self, key: str, to: str) -> None:
        """Give an object another key, whatever stands there; nothing happens when there is none.

        Only what is no sound part of a run is ever moved, and only out of the way.
        """
        ...

    def sweep(self) -> None:
        """Remove what writers that died left unfinished; only when nothing is left to write."""
        ...


@dataclass(frozen=True)
class ObjectStat:
    """What a service says of an object.

    Attributes:
        size_bytes: its length.
        etag: changes whenever the object does.
    """

    size_bytes: int
    etag: str


@runtime_checkable
class ObjectStore(Store, Protocol):
    """A store whose objects are not files of this node, and must be brought here to be read as such."""

    def stat(self, key: str) -> ObjectStat | None:
        """The object's size and version, or None when there is none."""
        ...

    def pieces(
        self,
        key: str,
        *,
        etag: str,
        first_byte: int = 0,
        end_byte: int | None = None,
    ) -> Iterator[bytes]:
        """The object's bytes from `first_byte` up to but without `end_byte`, or to its end, in pieces of any length.

        Args:
            key: which object.
            etag: its version; see `stat`.
            first_byte: where an earlier reading broke off; at most the object's length.
            end_byte: greater than `first_byte`; None for the object's end.

        Raises:
            InputError: when the object is gone, or another version stands there now.
        """
        ...
