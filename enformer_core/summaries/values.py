"""Lists over tracks as matrices and back, and the statistics of a run that a summary is made of."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import check_scores
from enformer_core.errors import InputError, nearest


def scored_statistics(ledger: Ledger, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Statistics of a run, all or those that are wanted, each once.

    Raises:
        InputError: for a run without scores, or one that lacks a statistic.
    """
    known = check_scores(ledger)
    for name in wanted:
        if name not in known:
            raise InputError(
                f"--statistics {name}: {ledger.store.location} has no such statistic{nearest(name, known)}"
            )
    return tuple(dict.fromkeys(wanted)) or tuple(known)


def list_values(lists: pa.ChunkedArray, tracks: int) -> Float32[np.ndarray, "rows tracks"]:
    """The values of rows that all have a list, one a row."""
    items = np.asarray(lists.combine_chunks().flatten(), dtype=np.float32)
    return items.reshape(len(lists), tracks)


def as_lists(
    values: Float32[np.ndarray, "scored tracks"],
    is_scored: Sequence[bool] | np.ndarray,
) -> pa.Array:
    """A list for each row that has values, null for the others.

    Args:
        values: of the rows that have some, in their order.
        is_scored: of every row, whether it has.
    """
    mask = np.asarray(is_scored, dtype=bool)
    lengths = np.where(mask, values.shape[1], 0)
    # rows with 2 values, none and 2 values: offsets 0 2 2 4
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    items = pa.array(values.reshape(-1))
    return pa.ListArray.from_arrays(pa.array(offsets), items, mask=pa.array(~mask))
