"""The table `percentiles`: where every score of a run stands among those of a background run, its null distribution.

Of each statistic a list over tracks of quantiles and one of their PHRED-scaled tails, the tracks in which the null has
nothing as far out, and the largest PHRED with its track, for SQL to filter and sort. Knows runs and nulls. Does not
know how ranks are reckoned (`ranks`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from jaxtyping import Int32, Int64

from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.run_tracks import chosen_tracks
from enformer_core.scoring.statistics import is_signed
from enformer_core.summaries.names import PERCENTILES
from enformer_core.summaries.null_file import VERSION, NullFile
from enformer_core.summaries.ranks import RankTable
from enformer_core.summaries.sketch import Counts, Matrix, Values
from enformer_core.summaries.values import (
    EveryRow,
    as_lists,
    list_values,
    scored_rows,
    scored_statistics,
)
from enformer_core.summaries.write import Recipe

_ROWS_AT_ONCE = 1_000


def percentile_columns(statistic: str) -> list[tuple[str, pa.DataType]]:
    """The columns that a statistic has in the table, in order."""
    return [
        (f"{statistic}_quantile", pa.list_(pa.float32())),
        (f"{statistic}_phred", pa.list_(pa.float32())),
        (f"{statistic}_beyond_null", pa.list_(pa.int32())),
        (f"max_{statistic}_phred", pa.float32()),
        (f"max_{statistic}_phred_track", pa.int32()),
    ]


def percentiles_by(
    ledger: Ledger,
    null: NullFile,
    statistics: Sequence[str] = (),
) -> Recipe:
    """The table of a run's scores ranked by a null.

    Args:
        ledger: of the run.
        null: of the same model, tracks and conventions.
        statistics: of the run; by default all of it, which the null must have.

    Raises:
        InputError: for a null of other scores than the run's.
    """
    names = scored_statistics(ledger, statistics)
    null.check_fits(ledger.run, names)
    tracks = chosen_tracks(ledger, None).tracks.indices()
    identity = {
        "null": {"sha256": null.sha256},
        "statistics": list(names),
        "version": VERSION,
    }
    made = Percentiles(null, names, tuple(tracks))
    return Recipe(PERCENTILES, identity, made, ["status", *names])


@dataclass(frozen=True)
class Percentiles:
    """Makes the columns of some rows.

    Attributes:
        null: by which they are ranked; it is read where this is called.
        statistics: that are ranked.
        tracks: indices of the run's tracks, in the order of lists.
    """

    null: NullFile
    statistics: tuple[str, ...]
    tracks: tuple[int, ...]

    def __call__(self, scores: pa.Table) -> pa.Table:
        """A row for each row of `scores`; null in every column where it has no values."""
        scored, is_ok = scored_rows(scores)
        columns = []
        fields = []
        for name in self.statistics:
            values = list_values(scored[name], len(self.tracks))
            ranked = _Ranked.by(self._tables[name], values)
            columns += ranked.columns(is_ok, self.tracks)
            fields += percentile_columns(name)
        return pa.table(columns, schema=pa.schema(fields))

    @cached_property
    def _tables(self) -> dict[str, RankTable]:
        """The null as it is asked, read once in each process."""
        tables = {}
        for name in self.statistics:
            alleles = self.null.of.statistics[name].alleles
            tracks = self.null.tracks(name)
            tables[name] = RankTable(alleles, tracks, is_signed=is_signed(name))
        return tables


@dataclass(frozen=True)
class _Ranked:
    """One statistic of the rows that have values.

    Attributes:
        quantile: of each value.
        phred: of each value.
        largest: PHRED of each row; −1 where it has none.
        strongest: the place of the track that has it.
        beyond: row and place of each value that lies beyond the null, in ascending order.
    """

    quantile: Matrix
    phred: Matrix
    largest: Values
    strongest: Counts
    beyond: Int64[np.ndarray, "two found"]

    @classmethod
    def by(cls, table: RankTable, values: Matrix) -> "_Ranked":
        rows = len(values)
        quantile = np.empty(values.shape, np.float32)
        phred = np.empty(values.shape, np.float32)
        largest = np.empty(rows, np.float32)
        strongest = np.empty(rows, np.int64)
        beyond = [np.empty((2, 0), np.int64)]
        for first in range(0, rows, _ROWS_AT_ONCE):
            part = slice(first, first + _ROWS_AT_ONCE)
            standing = table.standing(values[part])
            quantile[part] = standing.quantile
            phred[part] = standing.phred
            # NaN is no rank, and would be the largest
            known = np.fmax(standing.phred, np.float32(-1))
            largest[part] = known.max(axis=1)
            strongest[part] = known.argmax(axis=1)
            row, place = np.nonzero(standing.is_beyond)
            beyond.append(np.stack([row + first, place]))
        return cls(
            quantile,
            phred,
            largest,
            strongest,
            np.concatenate(beyond, axis=1),
        )

    def columns(self, is_ok: EveryRow, tracks: Sequence[int]) -> list[pa.Array]:
        """The columns of the statistic.

        Args:
            is_ok: of every row, whether it has values; null for the others.
            tracks: the index of each place in the lists.
        """
        indices = np.array(tracks, np.int32)
        has_none = self.largest < 0
        largest = pa.array(self.largest, mask=has_none)
        strongest = pa.array(indices[self.strongest], mask=has_none)
        row, place = self.beyond
        beyond = indices[place]
        return [
            as_lists(self.quantile, is_ok),
            as_lists(self.phred, is_ok),
            _lists_of_tracks(row, beyond, is_ok),
            _of_rows(largest, is_ok),
            _of_rows(strongest, is_ok),
        ]


def _of_rows(values: pa.Array, is_ok: EveryRow) -> pa.Array:
    """One value for each row that is ok, null for the others."""
    # ok, not ok, ok: values 0, none, 1
    places = np.cumsum(is_ok) - 1
    return values.take(pa.array(places, mask=~is_ok))


def _lists_of_tracks(
    row: Counts,
    track: Int32[np.ndarray, " values"],
    is_ok: EveryRow,
) -> pa.Array:
    """For each row that is ok the tracks that were found in it, of most rows none; null for the others.

    Args:
        row: in which each was found, counted among those that are ok, ascending.
        track: that was found.
        is_ok: of every row.
    """
    lengths = np.zeros(len(is_ok), np.int64)
    lengths[is_ok] = np.bincount(row, minlength=int(is_ok.sum()))
    offsets = np.append(0, np.cumsum(lengths))
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()),
        pa.array(track),
        mask=pa.array(~is_ok),
    )
