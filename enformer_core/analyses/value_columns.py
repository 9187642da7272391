"""The columns that a table has for values over tracks: the lists as stored, and the strongest track of each."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float32

from enformer_core.scoring.rounding import stored_values


def list_column(
    rows: Sequence[Float[np.ndarray, " tracks"] | None],
    mantissa_bits: int,
) -> pa.Array:
    """The list over tracks of each row as it is stored; null where a row has none.

    Args:
        rows: the values of each row.
        mantissa_bits: that are kept of each.
    """
    lists = [None if values is None else stored_values(values, mantissa_bits) for values in rows]
    return pa.array(lists, pa.list_(pa.float32()))


def value_columns(
    name: str,
    rows: Sequence[Float[np.ndarray, " tracks"] | None],
    tracks: Sequence[int],
    mantissa_bits: int,
) -> dict[str, pa.Array]:
    """The list over tracks, the largest magnitude, and its track; all null where a row has no values.

    Args:
        name: of the values.
        rows: the values of each row.
        tracks: head column of each value.
        mantissa_bits: that are kept of each.
    """
    lists: list[Float32[np.ndarray, " tracks"] | None] = []
    magnitudes: list[float | None] = []
    strongest_tracks: list[int | None] = []
    for values in rows:
        # a row without values has its columns all the same
        if values is None:
            lists.append(None)
            magnitudes.append(None)
            strongest_tracks.append(None)
            continue
        # the strongest of what is stored, so that whoever looks for it in the list finds it
        stored = stored_values(values, mantissa_bits)
        sizes = np.abs(stored)
        # of equal magnitudes the first: the smaller track
        strongest = int(sizes.argmax())
        lists.append(stored)
        magnitudes.append(float(sizes[strongest]))
        strongest_tracks.append(tracks[strongest])
    list_type = pa.list_(pa.float32())
    return {
        name: pa.array(lists, list_type),
        f"max_abs_{name}": pa.array(magnitudes, pa.float32()),
        f"max_abs_{name}_track": pa.array(
            strongest_tracks,
            pa.int32(),
        ),
    }
