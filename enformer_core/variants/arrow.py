"""Arrow columns as NumPy arrays and as masks, with one rule for null: it is no match."""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int64

Mask = Bool[np.ndarray, " rows"]
"""One truth value for each row of a table."""

Column: TypeAlias = pa.Array | pa.ChunkedArray
"""A column that stays in Arrow."""

Numbers = Int64[np.ndarray, " rows"]
"""One whole number for each row of a table."""


def in_full(table: pa.Table, name: str) -> pa.Array:
    """A column of a table as one array; without a copy where it is one already."""
    column = table[name]
    if column.num_chunks == 1:
        return column.chunk(0)  # combining would copy
    return column.combine_chunks()


def bools(column: pa.Array) -> Mask:
    """A column of truth values; null is False."""
    return np.asarray(pc.fill_null(column, False))


def ints(column: pa.Array, null: int) -> Numbers:
    """A column of numbers; null is `null`."""
    filled = pc.fill_null(column, null)
    return np.asarray(pc.cast(filled, pa.int64()))


def are(column: pa.Array, text: str) -> Mask:
    """Where a column of text equals this; null does not."""
    return bools(pc.equal(column, text))


def matches(column: pa.Array, pattern: str) -> Mask:
    """Where the regular expression is found anywhere in the text; null does not match."""
    return bools(pc.match_substring_regex(column, pattern))


def is_one_of(column: Column, *texts: str) -> Column:
    """Whether each text is one of these, as an Arrow column; null is not."""
    is_in = pc.is_in(column, pa.array(texts))
    return pc.fill_null(is_in, False)


def has_match(texts: Column, pattern: str) -> Column:
    """As `matches`, but as an Arrow column."""
    is_match = pc.match_substring_regex(texts, pattern)
    return pc.fill_null(is_match, False)


def sentence(*parts: Any) -> Column:
    """Texts and columns joined to one text for each row; null where a column is null."""
    separator = ""  # the last argument to Arrow
    texts = [part if isinstance(part, str) else pc.cast(part, pa.string()) for part in parts]
    return pc.binary_join_element_wise(*texts, separator)
