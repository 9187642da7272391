"""Does a store keep the promise that everything rests on: create only what is absent?"""

from enformer_core.errors import InputError
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
        raise InputError(f"{store.location}/{key}: is not there, so nothing can be tried on it. Run it again.")
    if store.put_if_absent(key, content):
        raise InputError(
            f"{store.location}: this storage overwrites objects that exist (it ignores If-None-Match), so two writers "
            "could undo each other's work. Use another storage; or --single-writer, if you make sure that only one "
            "command at a time writes there."
        )
