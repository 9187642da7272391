"""Numbers of tables as they are written, read as float64. Does not know what they measure."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64

from enformer_core.variants.arrow import Mask, bools, matches

Floats = Float64[np.ndarray, " rows"]

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?$"

_NO_TEXT = pa.scalar(None, pa.string())

_MISSING = pa.array(["", "na", "n/a", "nan", "none", "null", ".", "-"])
"""In small letters; what else is no number says that something is wrong."""

_TINY = 1e-300
"""Below this float64 loses digits, and at 1e-324 all of them."""


def as_floats(texts: pa.Array) -> Floats:
    """Numbers of a column of text; NaN for what is none: a word, `inf`, nothing."""
    is_number = matches(texts, _NUMBER)
    numbers = pc.if_else(pa.array(is_number), texts, _NO_TEXT)
    # Arrow reads no sign before a positive number
    digits = pc.utf8_ltrim(numbers, "+")
    values = pc.fill_null(pc.cast(digits, pa.float64()), np.nan)
    # a copy, that may be written to
    return np.array(values, dtype=np.float64)


def are_missing(texts: pa.Array) -> Mask:
    """Whether nothing stands in a cell, as programs write that."""
    said = pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(texts)), "")
    return bools(pc.is_in(said, _MISSING))


def as_log_p(texts: pa.Array) -> Floats:
    """Natural logarithms of P values, of `1e-400` too, which no float64 holds; -inf of 0, NaN of what is no number."""
    values = as_floats(texts)
    log_p = np.full(values.size, np.nan)
    is_plain = values >= _TINY
    log_p[is_plain] = np.log(values[is_plain])
    is_tiny = (values >= 0) & ~is_plain
    # of most files none
    for row in np.flatnonzero(is_tiny):
        log_p[row] = _log_of_tiny(texts[row].as_py())
    return log_p


def _log_of_tiny(text: str) -> float:
    """The logarithm of a number by its mantissa and exponent: of 2e-400, log(2) - 400 log(10)."""
    mantissa, _, exponent = text.lower().partition("e")
    size = float(mantissa)
    if size == 0:
        return -math.inf
    return math.log(size) + int(exponent or 0) * math.log(10)
