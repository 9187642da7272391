"""Runs of `enformer-ray insulators` as they lie in their directory: their tables and keys. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from enformer_core.dataset.codec import convert
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, ValueTable

INSULATION = ValueTable("insulation", ("place", "layer"))

ATTENTION_MAPS = ValueTable("attention_maps", ("place",))

BOUNDARY = "boundary"
CONTROL = "control"

UNMATCHED = "unmatched"
"""Status of a boundary that has no control."""


@dataclass(frozen=True)
class _HasPixels:
    """What is read of an identity to know its lists."""

    pixels: int


class InsulatorsType(RunType):
    """Attention around boundaries and their controls."""

    name = "insulators"
    unit = "places"
    proof = "each with its map, and a row for every layer"
    plan_keys = ("place",)
    value_tables = (INSULATION, ATTENTION_MAPS)

    def expected_keys(self, table: ValueTable, planned: pa.Table) -> pa.Table:
        """One map for each place; of insulation a row for the mean over layers, and for each."""
        if table == ATTENTION_MAPS:
            row = pa.array(np.arange(planned.num_rows))
            return planned.select(["place"]).append_column("row", row)
        # of 2 layers: null 1 2, for each place
        layers = [[None, *range(1, count + 1)] for count in planned["layers"].to_pylist()]
        row = pa.array(np.repeat(np.arange(planned.num_rows), [len(each) for each in layers]))
        flat = pa.array([layer for each in layers for layer in each], pa.int32())
        keys = planned.select(["place"]).take(row)
        return keys.append_column("layer", flat).append_column("row", row)

    def statuses(self, planned: pa.Table, stored: pa.Table) -> pa.ChunkedArray:
        """What became of each place; all of its rows say the same."""
        counts = np.asarray(planned["layers"]).astype(np.int64) + 1
        firsts = np.cumsum(counts) - counts
        return stored["status"].take(pa.array(firsts))

    def value_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """Both statistics, a number each; of a map its pixels."""
        del run
        return ("values",) if table == ATTENTION_MAPS else ("across", "at")

    def list_length(self, table: ValueTable, run: Run) -> int:
        """Pixels of a map."""
        del table
        return convert(run.identity, _HasPixels, RUN_KEY).pixels ** 2
