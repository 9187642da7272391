"""Runs of `enformer-ray tiles` as they lie in their directory: tables, keys and statuses.

Apart from `tiles`, so that whoever asks a run how far it is loads nothing that plans or predicts.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, ValueTable
from enformer_core.variants.table import Status

_NO_BINS = np.empty(0, np.int64)


class TilesType(RunType):
    """Runs of `enformer-ray tiles`, as they lie in their directory."""

    name = "tiles"
    unit = "tiles"
    proof = "each bin that is asked for once"
    plan_keys = ("chrom", "start")
    value_tables = (ValueTable("predictions", ("start", "end")),)

    def expected_keys(self, table: ValueTable, planned: pa.Table) -> pa.Table:
        """One row for each bin that is to be predicted."""
        del table
        return tile_bins(planned)

    def statuses(self, planned: pa.Table, stored: pa.Table) -> pa.ChunkedArray:
        """As planned; but `failed` where a bin of the tile is without values."""
        tile_of_bin = tile_bins(planned)["row"]
        has_no_values = pc.is_null(stored["values"])
        failed = tile_of_bin.filter(has_no_values)
        tiles = pa.array(np.arange(planned.num_rows))
        is_failed = pa.chunked_array([pc.is_in(tiles, value_set=failed)])
        return pc.if_else(is_failed, Status.FAILED, planned["status"])

    def value_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """The one list over tracks that a bin has."""
        del table, run
        return ("values",)


def tile_bins(tiles: pa.Table) -> pa.Table:
    """The bins that are to be predicted: `start` and `end` on the contig, and their `row` of `tiles`.

    Args:
        tiles: of TILES_SCHEMA, all on one contig. Those that are not `ok` have no bins.
    """
    # Runs [1, 3) of tile 0 and [0, 2) of tile 1:    rows 0 0 1 1    bins 1 2 0 1
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
    row = np.concatenate(rows)
    of_tiles = {
        name: np.asarray(tiles[name], dtype=np.int64)[row] for name in ("bin_bp", "start", "end")
    }
    bin_bp = of_tiles["bin_bp"]
    start = of_tiles["start"] + np.concatenate(bins) * bin_bp
    # the last bin of a contig ends where the contig does
    end = np.minimum(start + bin_bp, of_tiles["end"])
    return pa.table({"start": start, "end": end, "row": row})
