"""Patterns of object names, which mean what they mean on disk."""

import re
from collections.abc import Callable, Iterator

from enformer_core.storage.store import Store

_SIGNS = re.compile(r"[*?\[]")


def is_pattern(key: str) -> bool:
    """Whether a name has a sign of patterns in it: `*`, `?` or `[`."""
    return _SIGNS.search(key) is not None


def folder_before(pattern: str) -> str:
    """The last folder before the first sign of a pattern, with its slash: of `a/b/c*/d`, `a/b/`."""
    before_signs = _SIGNS.split(pattern, maxsplit=1)[0]
    folder, slash, _ = before_signs.rpartition("/")
    return folder + slash


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a key matches, or is written just like the pattern.

    Args:
        pattern: with `*`, `?` or `[...]`, none of which stands for a slash, or with `**` for any number of parts.
    """
    from fsspec.utils import glob_translate  # noqa: PLC0415 - fsspec loads much beside it

    meaning = re.compile(glob_translate(pattern))

    def is_match(key: str) -> bool:
        # an object may have such signs in its own name
        return key == pattern or meaning.fullmatch(key) is not None

    return is_match


def matching_keys(store: Store, pattern: str) -> Iterator[str]:
    """Keys that a pattern matches, in order of their bytes."""
    # stores list by prefix: what lies beside the last plain folder is never asked for
    prefix = folder_before(pattern)
    return filter(matcher(pattern), store.keys(prefix))
