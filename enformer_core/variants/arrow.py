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
    # combining would copy, even where there is nothing to combine
    if column.num_chunks == 1:
        return column.chunk(0)
    return column.combine_chunks()


def bools(column: pa.Array) -> Mask:
    """A column of truth values; null is False."""
    filled = pc.fill_null(column, False)
    return np.asarray(filled)


def ints(column: pa.Array, null: int) -> Numbers:
    """A column of numbers; null is `null`."""
    filled = pc.fill_null(column, null)
    # Arrow counts letters in 32 bits, and a sum of position and length may need more
    wide = pc.cast(filled, pa.int64())
    return np.asarray(wide)


def are(column: pa.Array, text: str) -> Mask:
    """Where a column of text equals this; null does not."""
    is_equal = pc.equal(column, text)
    return bools(is_equal)


def matches(column: pa.Array, pattern: str) -> Mask:
    """Where the regular expression is found anywhere in the text; null does not match."""
    is_match = pc.match_substring_regex(column, pattern)
    return bools(is_match)


def equal(column: Column, other: Column | str | int) -> Column:
    """Whether both are the same, as an Arrow column; null equals nothing, not even null."""
    is_equal = pc.equal(column, other)
    return pc.fill_null(is_equal, False)


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
    texts = [_as_text(part) for part in parts]
    # Arrow takes its last argument for the separator
    separator = ""
    return pc.binary_join_element_wise(*texts, separator)


def _as_text(part: Any) -> Any:
    if isinstance(part, str):
        return part
    return pc.cast(part, pa.string())
