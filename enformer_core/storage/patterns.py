"""Patterns of object names, which mean what they mean on disk."""

import re
from collections.abc import Iterator

from fsspec.utils import glob_translate

from enformer_core.storage.store import Store

_SIGNS = re.compile(r"[*?\[]")


def is_pattern(key: str) -> bool:
    """Whether a name has a sign of patterns in it: `*`, `?` or `[`."""
    return _SIGNS.search(key) is not None


def matching_keys(store: Store, pattern: str) -> Iterator[str]:
    """Keys that a pattern matches, in order of their bytes, and a key that is written just like it.

    Args:
        store: whose keys.
        pattern: with `*`, `?` or `[...]`, none of which stands for a slash, or with `**` for any number of parts.
    """
    meaning = re.compile(glob_translate(pattern))
    # Only what lies below the last folder before the first sign is listed: of `a/b/c*/d`, `a/b/`.
    before_signs = _SIGNS.split(pattern, maxsplit=1)[0]
    folder, slash, _ = before_signs.rpartition("/")
    for key in store.keys(folder + slash):
        if meaning.fullmatch(key) or key == pattern:
            yield key
