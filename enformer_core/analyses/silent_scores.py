"""Which scores of a table of links are nothing but rounding: of a changed element that changes nothing, and the like.

Made of the scores as they are stored. Does not know how they were computed.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from enformer_core.analyses.link_spec import MUTAGENESIS, SHUFFLES
from enformer_core.scoring.rounding import RATIO_ROUNDING
from enformer_core.words import counted

_PART = 1e-6
"""Of a score's largest: what float32 leaves of nothing beside it."""


def silent_scores(tables: Iterable[pa.Table], columns: Sequence[str]) -> str | None:
    """How many rows have scores that rounding explains; None where there are no such rows.

    Args:
        tables: of links, one after another.
        columns: of scores in them; null where a row failed.
    """
    found: dict[str, list[Float64[np.ndarray, " rows"]]] = {name: [] for name in columns}
    for table in tables:
        for name, sizes in found.items():
            known = table[name].drop_null().to_numpy()
            sizes.append(np.abs(known.astype(np.float64)))
    said = [_of_score(name, np.concatenate(sizes)) for name, sizes in found.items() if sizes]
    silent = [text for text in said if text is not None]
    if not silent:
        return None
    return f"{', '.join(silent)}: this is what rounding leaves of 0, and no effect"


def _of_score(name: str, sizes: Float64[np.ndarray, " rows"]) -> str | None:
    """In how many rows a score is silent, if in any."""
    if not sizes.size:
        return None
    floor = _PART * float(sizes.max())
    # a ratio has a size of its own below which nothing is known, whatever the others are
    if name in (MUTAGENESIS, SHUFFLES):
        floor = max(floor, RATIO_ROUNDING)
    silent = int((sizes <= floor).sum())
    if not silent:
        return None
    rows = counted(sizes.size, "rows")
    if silent == sizes.size:
        return f"{name} is {floor:.2g} or less in size in {_all(silent, rows)}"
    return f"{name} is {floor:.2g} or less in size in {silent:,} of {rows}"


def _all(silent: int, rows: str) -> str:
    return "the one row" if silent == 1 else f"all {rows}"
