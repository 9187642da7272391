"""Runs of `enformer-ray attribute` as they lie in their directory: their tables and keys. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from enformer_core.dataset import schemas
from enformer_core.dataset.codec import convert
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import RunType, ValueTable
from enformer_core.models.geometry import Geometry

CONTRIBUTIONS = ValueTable(schemas.CONTRIBUTIONS, ("target", "group", "allele"))

ATTENTION = ValueTable("attention", ("target", "allele", "layer"))

CONTRIBUTION_BINS = "contribution_bins"


@dataclass(frozen=True)
class _HasLists:
    """What is read of an identity to know its lists."""

    geometry: Geometry
    hypothetical: bool


class ContributionsType(RunType):
    """Contributions of bases to groups of tracks at targets."""

    name = "contributions"
    unit = "targets"
    proof = "each with a row for every group and allele"
    plan_keys = ("target",)
    value_tables: ClassVar[tuple[ValueTable, ...]] = (CONTRIBUTIONS,)
    derived_tables = (CONTRIBUTION_BINS,)

    def expected_keys(self, table: ValueTable, planned: pa.Table) -> pa.Table:
        """One row for each allele and group of a target; of attention, one for each allele and layer, and the mean."""
        if table == ATTENTION:
            return attention_keys(planned)
        return contribution_keys(planned)

    def statuses(self, planned: pa.Table, stored: pa.Table) -> pa.ChunkedArray:
        """What became of each target; all of its rows say the same."""
        rows = np.asarray(contribution_keys(planned)["row"])
        # rows 0 0 1 1 2 of two targets' groups and another's: the first of each stand at 0, 2 and 4
        _, firsts = np.unique(rows, return_index=True)
        return stored["status"].take(pa.array(firsts))

    def value_columns(self, table: ValueTable, run: Run) -> Sequence[str]:
        """The lists over bases, or over tokens."""
        if table == ATTENTION:
            return ("values",)
        identity = convert(run.identity, _HasLists, RUN_KEY)
        return schemas.contribution_lists(hypothetical=identity.hypothetical)

    def list_length(self, table: ValueTable, run: Run) -> int:
        """Bases of the window; of attention, its tokens."""
        geometry = convert(run.identity, _HasLists, RUN_KEY).geometry
        return geometry.tokens if table == ATTENTION else geometry.window_bp


class AttendingContributionsType(ContributionsType):
    """The same with a table of attention."""

    name = "contributions-attention"
    proof = "each with a row for every group and allele, and for every layer"
    value_tables = (CONTRIBUTIONS, ATTENTION)


def contribution_keys(planned: pa.Table) -> pa.Table:
    """Target, group and allele of each row of contributions, and its `row` of the plan."""
    keys = []
    for row, target in enumerate(_keyed(planned)):
        pairs = product(target["groups"], target["alleles"])
        keys += [(target["target"], group, allele, row) for group, allele in pairs]
    return _table(keys, CONTRIBUTIONS, pa.string())


def attention_keys(planned: pa.Table) -> pa.Table:
    """Target, allele and layer (null for the mean) of each row of attention, and its `row` of the plan."""
    keys = []
    for row, target in enumerate(_keyed(planned)):
        # the mean over layers stands before them
        layers = [None, *range(1, target["layers"] + 1)]
        pairs = product(target["alleles"], layers)
        keys += [(target["target"], allele, layer, row) for allele, layer in pairs]
    return _table(keys, ATTENTION, pa.int32())


def _keyed(planned: pa.Table) -> Sequence[dict[str, Any]]:
    return planned.select(["target", "groups", "alleles", "layers"]).to_pylist()


def _table(keys: Sequence[tuple[object, ...]], table: ValueTable, third: pa.DataType) -> pa.Table:
    """A table's keys, two texts and a third of its own type, with the number of the planned row; there may be none."""
    columns = [*table.key_columns, "row"]
    types = [pa.string(), pa.string(), third, pa.int64()]
    schema = pa.schema(list(zip(columns, types, strict=True)))
    rows = [dict(zip(columns, key, strict=True)) for key in keys]
    return pa.Table.from_pylist(rows, schema=schema)
