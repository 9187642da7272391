"""The strongest tracks of each allele: a long table that answers "top variants for this track" without the lists.

Derived from a shard's scores as they are stored, so that the two never contradict each other.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from enformer_core.conventions import Statistic
from enformer_core.dataset.layout import EFFECTS_SCHEMA
from enformer_core.variants.table import Flag, has_flag


def strongest_effects(
    scores: pa.Table, *, statistics: Sequence[Statistic], tracks: Sequence[int], top_tracks: int
) -> pa.Table:
    """The `top_tracks` largest values in size of each allele and statistic, sorted by track and position.

    Args:
        scores: a shard's scores; alleles that were not scored, and repeats of an allele, have no effects.
        statistics: the list columns to read.
        tracks: head column of each list entry.
        top_tracks: how many; ties go to the smaller track index.
    """
    scored = scores.filter(pc.and_(pc.equal(scores["status"], "ok"), pc.invert(has_flag(scores, Flag.DUPLICATE))))
    columns = [_of_statistic(scored, name, np.asarray(tracks, dtype=np.int64), top_tracks) for name in statistics]
    return pa.concat_tables([EFFECTS_SCHEMA.empty_table(), *columns]).sort_by(
        [(name, "ascending") for name in ("track", "pos", "ref", "alt", "statistic", "rank")]
    )


def _of_statistic(scored: pa.Table, name: Statistic, tracks: Int64[np.ndarray, " tracks"], top: int) -> pa.Table:
    values = list_matrix(scored[name], tracks.size)
    top = min(top, tracks.size)
    strongest = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :top]  # stable: ties by track index
    allele = np.repeat(np.arange(scored.num_rows), top)
    of_allele = scored.select(["variant_id", "pos", "ref", "alt"]).take(pa.array(allele))
    columns = {
        "track": pa.array(tracks[strongest].ravel(), pa.int32()),
        **{column: of_allele[column] for column in of_allele.column_names},
        "statistic": pa.array([name] * allele.size, pa.string()),
        "value": pa.array(np.take_along_axis(values, strongest, axis=1).ravel(), pa.float32()),
        "rank": pa.array(np.tile(np.arange(1, top + 1), scored.num_rows), pa.int32()),
    }
    return pa.table(columns, schema=EFFECTS_SCHEMA)


def list_matrix(column: pa.ChunkedArray, width: int) -> Float32[np.ndarray, "alleles tracks"]:
    """A list column without nulls, whose lists are all `width` long, as a matrix."""
    return np.asarray(column.combine_chunks().flatten(), dtype=np.float32).reshape(len(column), width)
