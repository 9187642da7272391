"""Lists over tracks as matrices and back, and the statistics of a run that a summary is made of."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import check_scores
from enformer_core.errors import InputError, nearest
from enformer_core.summaries.sketch import Matrix
from enformer_core.variants.table import Status

EveryRow = Bool[np.ndarray, " every_row"]
"""Something of every row of a table, also of those without values."""


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


def list_values(lists: pa.ChunkedArray, tracks: int) -> Matrix:
    """The values of rows that all have a list, one a row."""
    items = lists.combine_chunks().flatten()
    values = np.asarray(items, dtype=np.float32)
    return values.reshape(len(lists), tracks)


def scored_rows(scores: pa.Table) -> tuple[pa.Table, EveryRow]:
    """The rows that have values, and of every row whether it has."""
    is_ok = pc.equal(scores["status"], Status.OK)
    return scores.filter(is_ok), np.asarray(is_ok)


def as_lists(
    values: Matrix,
    is_scored: EveryRow,
) -> pa.Array:
    """A list for each row that has values, null for the others.

    Args:
        values: of the rows that have some, in their order.
        is_scored: of every row, whether it has.
    """
    lengths = np.where(is_scored, values.shape[1], 0)
    # rows with 2 values, none and 2 values: offsets 0 2 2 4
    ends = np.cumsum(lengths)
    offsets = np.append(0, ends)
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.array(values.reshape(-1)),
        mask=pa.array(~is_scored),
    )
