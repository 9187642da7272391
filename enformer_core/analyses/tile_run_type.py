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
        without_values = tile_bins(planned)["row"].filter(pc.is_null(stored["values"]))
        numbers = pa.array(np.arange(planned.num_rows))
        is_failed = pc.is_in(numbers, value_set=without_values)
        return pc.if_else(pa.chunked_array([is_failed]), Status.FAILED, planned["status"])

    def value_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """The one list over tracks that a bin has."""
        del table, run
        return ("values",)


def tile_bins(tiles: pa.Table) -> pa.Table:
    """The bins that are to be predicted: `start` and `end` on the contig, and their `row` of `tiles`.

    Args:
        tiles: of TILES_SCHEMA, all on one contig. Those that are not `ok` have no bins.
    """
    rows = [np.empty(0, np.int64)]
    bins = [np.empty(0, np.int64)]
    columns = tiles.select(["status", "first_bins", "end_bins"])
    for number, tile in enumerate(columns.to_pylist()):
        if tile["status"] != Status.OK:
            continue
        for first, end in zip(tile["first_bins"], tile["end_bins"], strict=True):
            rows.append(np.full(end - first, number))
            bins.append(np.arange(first, end))
    row = np.concatenate(rows)
    bin_bp = np.asarray(tiles["bin_bp"], dtype=np.int64)[row]
    start = np.asarray(tiles["start"])[row] + np.concatenate(bins) * bin_bp
    # the last bin of a contig ends where the contig does
    end = np.minimum(start + bin_bp, np.asarray(tiles["end"])[row])
    return pa.table({"start": start, "end": end, "row": row})
