"""What a place for objects is: keys and bytes, created once and never changed.

Does not know what the objects mean.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable


@runtime_checkable
class Store(Protocol):
    """A flat space of objects. Keys are relative and divided by `/`."""

    def put_if_absent(self, key: str, content: bytes) -> bool:
        """Create the object whole, or change nothing; False when it existed already."""
        ...

    def get(self, key: str) -> bytes | None:
        """The object's content, or None when there is none."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys that begin with `prefix`, in order."""
        ...
