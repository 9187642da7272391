"""What fine-mapping says of variants, in any table: probabilities of being causal, and numbers of credible sets.

Knows how programs write them. Does not know which columns they are in.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64

from enformer_core.errors import InputError

Floats = Float64[np.ndarray, " rows"]

_IN_NO_SET = pa.array(
    [
        *("", "0", "-1", "0.0", "-1.0"),
        *("NA", "NaN", "nan", "None", "none", "NULL", "null", "."),
    ]
)
"""How fine-mapping programs write that a variant is in no credible set: susieR's is -1, PolyFun's is 0."""

_ROUNDING = 1e-6
"""Above 1 or below 0: what sums of probabilities are off by, as they are written."""


def set_names(texts: pa.Array) -> pa.Array:
    """The credible set of each row as written; null where it is in none."""
    is_none = pc.is_in(texts, _IN_NO_SET, skip_nulls=True)
    return pc.if_else(is_none, pa.scalar(None, pa.string()), texts)


def checked_probabilities(
    pips: Floats,
    where: Callable[[int], str],
    column: str = "PIP",
) -> Floats:
    """The same, none of them beyond 0 and 1 by rounding; NaN stays.

    Args:
        pips: of each row.
        where: names a row, for messages.
        column: what they are called.

    Raises:
        InputError: for the first that is no probability.
    """
    is_none = (pips < -_ROUNDING) | (pips > 1 + _ROUNDING)
    for row in np.flatnonzero(is_none)[:1].tolist():
        raise InputError(
            f"{where(row)}: {column} {pips[row]:g} is no probability, which lies between 0 and 1. Is it another column?"
        )
    return np.clip(pips, 0.0, 1.0)
