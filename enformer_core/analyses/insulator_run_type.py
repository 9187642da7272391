"""Runs of `enformer-ray insulators` as they lie in their directory: their tables and keys. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from enformer_core.analyses.several_rows import (
    SeveralRowsType,
    keys_of_entries,
    layers_with_mean,
)
from enformer_core.dataset.codec import convert
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import ValueTable

INSULATION = ValueTable("insulation", ("place", "layer"))

ATTENTION_MAPS = ValueTable("attention_maps", ("place",))

# what a place is
BOUNDARY = "boundary"
CONTROL = "control"

UNMATCHED = "unmatched"
"""Status of a boundary that has no control."""


@dataclass(frozen=True)
class _HasPixels:
    """What is read of an identity to know its lists."""

    pixels: int


class InsulatorsType(SeveralRowsType):
    """Attention around boundaries and their controls."""

    name = "insulators"
    unit = "places"
    proof = "each with its map, and a row for every layer"
    plan_keys = ("place",)
    value_tables = (INSULATION, ATTENTION_MAPS)

    def expected_keys(
        self,
        table: ValueTable,
        planned: pa.Table,
    ) -> pa.Table:
        """One map for each place; of insulation a row for the mean over layers, and for each."""
        if table == ATTENTION_MAPS:
            row = np.arange(planned.num_rows)
            keys = planned.select(["place"])
            return keys.append_column("row", pa.array(row))
        # of 2 layers: null 1 2, for each place
        counts = planned["layers"].to_pylist()
        layers = [layers_with_mean(count) for count in counts]
        lists = pa.array(layers, pa.list_(pa.int32()))
        return keys_of_entries(planned, ["place"], lists, "layer")

    def value_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """Both statistics, a number each; of a map its pixels."""
        del run
        if table == ATTENTION_MAPS:
            return ("values",)
        return ("across", "at")

    def list_length(self, table: ValueTable, run: Run) -> int:
        """Pixels of a whole map, which is a square; the statistics are no lists."""
        del table
        identity = convert(run.identity, _HasPixels, RUN_KEY)
        # 96 on a side, of 16 of Enformer's tokens each
        return identity.pixels**2
