"""Runs of `enformer-ray tiles` as they lie in their directory: tables, keys and statuses.

Apart from `tiles`, so that whoever asks a run how far it is loads nothing that plans or predicts.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, ValueTable
from enformer_core.variants.table import Status

Numbers = Int64[np.ndarray, " _"]
"""Of tiles, bins or bases, one for each row."""

# where no tile is asked for, there are columns all the same
_NO_BINS = np.empty(0, np.int64)


class TilesType(RunType):
    """Runs of `enformer-ray tiles`, as they lie in their directory."""

    name = "tiles"
    unit = "tiles"
    proof = "each bin that is asked for once"
    plan_keys = ("chrom", "start")
    value_tables = (ValueTable("predictions", ("start", "end")),)

    def expected_keys(
        self,
        table: ValueTable,
        planned: pa.Table,
    ) -> pa.Table:
        """One row for each bin that is to be predicted."""
        del table
        return tile_bins(planned)

    def statuses(
        self,
        planned: pa.Table,
        stored: pa.Table,
    ) -> pa.ChunkedArray:
        """As planned; but `failed` where a bin of the tile is without values."""
        # predictions have no status of their own: it follows from the lists
        has_no_values = pc.is_null(stored["values"])
        tile_of_bin = tile_bins(planned)["row"]
        failed = tile_of_bin.filter(has_no_values)
        tiles = np.arange(planned.num_rows)
        is_failed = pc.is_in(pa.array(tiles), value_set=failed)
        as_column = pa.chunked_array([is_failed])
        return pc.if_else(as_column, Status.FAILED, planned["status"])

    def value_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """The one list over tracks that a bin has."""
        del table, run
        return ("values",)


def tile_bins(tiles: pa.Table) -> pa.Table:
    """The bins that are to be predicted: `start` and `end` on the contig, and their `row` of `tiles`.

    Args:
        tiles: of TILES_SCHEMA, all on one contig. Those that are not `ok` have no bins.
    """
    rows, bins = _asked_bins(tiles)
    bin_bp = _numbers(tiles, "bin_bp")[rows]
    tile_start = _numbers(tiles, "start")[rows]
    tile_end = _numbers(tiles, "end")[rows]
    start = tile_start + bins * bin_bp
    # the last bin of a contig ends where the contig does
    end = np.minimum(start + bin_bp, tile_end)
    columns = {
        "start": start,
        "end": end,
        "row": rows,
    }
    return pa.table(columns)


def _asked_bins(tiles: pa.Table) -> tuple[Numbers, Numbers]:
    """The number of the tile of each bin that is to be predicted, and the bin's own number in its tile."""
    # runs [1, 3) of tile 0 and [0, 2) of tile 1: rows 0 0 1 1, bins 1 2 0 1
    rows = [_NO_BINS]
    bins = [_NO_BINS]
    columns = tiles.select(["status", "first_bins", "end_bins"])
    for number, tile in enumerate(columns.to_pylist()):
        if tile["status"] != Status.OK:
            continue
        runs = zip(tile["first_bins"], tile["end_bins"], strict=True)
        for first, end in runs:
            rows.append(np.full(end - first, number))
            bins.append(np.arange(first, end))
    return np.concatenate(rows), np.concatenate(bins)


def _numbers(tiles: pa.Table, name: str) -> Numbers:
    return np.asarray(tiles[name], dtype=np.int64)
