"""Keys that stand more than once among more rows than fit in memory. Does not know what the keys are of."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import UInt64

KeyDigests = UInt64[np.ndarray, " rows"]

Key = dict[str, str | int | None]
"""Values of the columns of a key, by name."""


def repeated_keys(parts: Iterable[pa.Table], names: Sequence[str], rows: int) -> list[Key]:
    """Find the keys that are not unique among more rows than fit in memory, in 8 bytes a row.

    Rows are compared by 64-bit digests; those whose digests agree, by their keys.

    Args:
        parts: tables, gone through twice where digests agree.
        names: the columns of the key; text, dictionaries of text, or whole numbers.
        rows: of all parts together.

    Returns:
        Each repeated key once, in order.
    """
    digests = np.empty(rows, dtype=np.uint64)
    filled = 0
    for part in parts:
        end = filled + part.num_rows
        digests[filled:end] = _key_digests(_keys(part, names))
        filled = end
    # sorted in place, where a set would take many times the memory: equal digests are neighbours
    digests.sort()
    behind = digests[1:]
    is_repeat = behind == digests[:-1]
    repeated = np.unique(behind[is_repeat])
    if not repeated.size:
        return []
    # different keys may share a digest by chance, so that the keys themselves decide
    suspects = pl.concat(_rows_with(_keys(part, names), repeated) for part in parts)
    duplicated = suspects.filter(suspects.is_duplicated())
    return duplicated.unique().sort(names).to_dicts()


def _keys(part: pa.Table, names: Sequence[str]) -> pl.DataFrame:
    of_key = part.select(list(names))
    keys = pl.DataFrame(pl.from_arrow(of_key))
    # digests must follow the text: the code of a category differs from part to part
    return keys.with_columns(pl.col(pl.Categorical).cast(pl.String))


def _key_digests(keys: pl.DataFrame) -> KeyDigests:
    return keys.hash_rows().to_numpy()


def _rows_with(keys: pl.DataFrame, digests: KeyDigests) -> pl.DataFrame:
    is_wanted = np.isin(_key_digests(keys), digests)
    return keys.filter(is_wanted)
