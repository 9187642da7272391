"""Keys that stand more than once among more rows than fit in memory: in 8 bytes a row.

Does not know what the keys mean.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa


def repeated_keys(parts: Iterable[pa.Table], names: Sequence[str], rows: int) -> list[dict[str, Any]]:
    """Find the keys that are not unique.

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
        digests[filled : filled + part.num_rows] = _keys(part, names).hash_rows().to_numpy()
        filled += part.num_rows
    digests.sort()
    agreeing = np.unique(digests[1:][digests[1:] == digests[:-1]])
    if not agreeing.size:
        return []
    suspects = pl.concat(_agreeing(_keys(part, names), agreeing) for part in parts)
    return suspects.filter(suspects.is_duplicated()).unique().sort(names).to_dicts()


def _keys(part: pa.Table, names: Sequence[str]) -> pl.DataFrame:
    keys = pl.DataFrame(pl.from_arrow(part.select(list(names))))
    return keys.with_columns(pl.col(pl.Categorical).cast(pl.String))  # digests follow the text, not its code


def _agreeing(keys: pl.DataFrame, digests: np.ndarray[Any, np.dtype[np.uint64]]) -> pl.DataFrame:
    return keys.filter(np.isin(keys.hash_rows().to_numpy(), digests))
