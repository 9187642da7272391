"""A process that dies after any object that it has put, without a word."""

from collections.abc import Iterator

import pytest

from enformer_core.storage.local import LocalStore


class DeadError(BaseException):
    """What ends a process at once; nobody catches it."""


def puts_of(call, monkeypatch) -> list[str]:
    """The keys that a call puts, in order."""
    put, keys = LocalStore.put_if_absent, []

    def noted(self, key, content):
        keys.append(key)
        return put(self, key, content)

    monkeypatch.setattr(LocalStore, "put_if_absent", noted)
    call()
    monkeypatch.setattr(LocalStore, "put_if_absent", put)
    return keys


def deaths(call, count: int, monkeypatch) -> Iterator[int]:
    """Let a call die after each number of objects; gives the number when it is dead."""
    put = LocalStore.put_if_absent
    for last in range(1, count):
        left = iter(range(last))

        def dying(self, key, content, left=left):
            if next(left, None) is None:
                raise DeadError
            return put(self, key, content)

        monkeypatch.setattr(LocalStore, "put_if_absent", dying)
        with pytest.raises(DeadError):
            call(last)
        monkeypatch.setattr(LocalStore, "put_if_absent", put)
        yield last
