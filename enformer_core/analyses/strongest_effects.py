"""The table `effects`: the strongest tracks of each allele, derived from scores as stored."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Int64

from enformer_core.dataset.schemas import EFFECTS_ORDER, EFFECTS_SCHEMA
from enformer_core.scoring.statistics import Statistic
from enformer_core.variants.table import Flag, Status, has_flag

_DESCRIBED = ["variant_id", "pos", "ref", "alt"]


def strongest_effects(
    scores: pa.Table,
    *,
    statistics: Sequence[Statistic],
    tracks: Sequence[int],
    top_tracks: int,
) -> pa.Table:
    """The largest values in size of each allele and statistic, sorted by track and position.

    It answers "top variants for this track" without the lists.

    Args:
        scores: a shard's; alleles that were not scored, and repeats of an allele, have no effects.
        statistics: the list columns to read.
        tracks: head column of each list entry.
        top_tracks: how many of each allele and statistic; ties go to the smaller track index.
    """
    # whoever asks for the strongest must not meet one allele twice
    is_ok = pc.equal(scores["status"], Status.OK)
    is_repeat = has_flag(scores, Flag.DUPLICATE)
    is_due = pc.and_not(is_ok, is_repeat)
    scored = scores.filter(is_due)
    indices = np.asarray(tracks, dtype=np.int64)
    # a shard without scored alleles still has the table, with its columns
    parts = [EFFECTS_SCHEMA.empty_table()]
    for name in statistics:
        part = _strongest(scored, name, indices, top_tracks)
        parts.append(part)
    effects = pa.concat_tables(parts)
    return effects.sort_by(EFFECTS_ORDER)


def _strongest(
    scored: pa.Table,
    name: Statistic,
    tracks: Int64[np.ndarray, " tracks"],
    top: int,
) -> pa.Table:
    """The `top` rows of each allele for one statistic, the strongest first; all tracks where there are fewer."""
    values = list_matrix(scored[name], tracks.size)
    most = min(top, tracks.size)
    places = _strongest_places(values, most)
    strongest = np.take_along_axis(values, places, axis=1)
    count = scored.num_rows
    # two alleles, the strongest three of each: alleles 0 0 0 1 1 1, ranks 1 2 3 1 2 3
    alleles = np.repeat(np.arange(count), most)
    ranks = np.tile(np.arange(1, most + 1), count)
    described = scored.select(_DESCRIBED)
    of_rows = described.take(pa.array(alleles))
    columns = {
        **{column: of_rows[column] for column in _DESCRIBED},
        "track": tracks[places].ravel(),
        "statistic": pa.repeat(name, alleles.size),
        "value": strongest.ravel(),
        "rank": ranks,
    }
    return pa.table(columns, schema=EFFECTS_SCHEMA)


def _strongest_places(
    values: Float32[np.ndarray, "alleles tracks"],
    top: int,
) -> Int64[np.ndarray, "alleles top"]:
    """Columns of the `top` values of each row that are largest in size, the largest first.

    Of [[1, -3, 2], [0, 1, -9]] and top 2 they are [[1, 2], [2, 1]]. With tracks (0, 5, 7) these are
    tracks 5 and 7 for the first allele, and 7 and 5 for the second.
    """
    sizes = np.abs(values)
    # a stable sort: of equal sizes the smaller track index comes first, on every machine
    order = np.argsort(-sizes, axis=1, kind="stable")
    return order[:, :top]


def list_matrix(
    column: pa.ChunkedArray,
    width: int,
) -> Float32[np.ndarray, "alleles tracks"]:
    """A list column without nulls, whose lists are all `width` long, as a matrix."""
    lists = column.combine_chunks()
    # not to Python and back: a shard has millions of values
    flat = lists.flatten()
    values = np.asarray(flat, dtype=np.float32)
    return values.reshape(len(column), width)
