"""Runs of `enformer-ray attribute` as they lie in their directory: their tables and keys. Loads no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, TypedDict

import pyarrow as pa

from enformer_core.analyses.several_rows import SeveralRowsType, layers_with_mean
from enformer_core.dataset import schemas
from enformer_core.dataset.codec import convert
from enformer_core.dataset.keys import RUN_KEY
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_type import ValueTable
from enformer_core.models.geometry import Geometry

CONTRIBUTIONS = ValueTable(schemas.CONTRIBUTIONS, ("target", "group", "allele"))

ATTENTION = ValueTable("attention", ("target", "allele", "layer"))

CONTRIBUTION_BINS = "contribution_bins"

_Key = tuple[str, str, str | int | None, int]
"""Values of three key columns, and the number of the planned row."""


class _Keyed(TypedDict):
    """The columns of a planned target that its tables' keys are made of."""

    target: str
    groups: list[str]
    alleles: list[str]
    layers: int


_KEYED = list(_Keyed.__annotations__)


@dataclass(frozen=True)
class _HasLists:
    """What is read of an identity to know its lists."""

    geometry: Geometry
    hypothetical: bool


class ContributionsType(SeveralRowsType):
    """Contributions of bases to groups of tracks at targets."""

    name = "contributions"
    unit = "targets"
    proof = "each with a row for every group and allele"
    # no two targets of a run share a name: `targets.distinct`
    plan_keys = ("target",)
    value_tables: ClassVar[tuple[ValueTable, ...]] = (CONTRIBUTIONS,)
    derived_tables = (CONTRIBUTION_BINS,)

    def expected_keys(
        self,
        table: ValueTable,
        planned: pa.Table,
    ) -> pa.Table:
        """One row for each allele and group of a target; of attention, one for each allele and layer, and the mean."""
        if table == ATTENTION:
            return attention_keys(planned)
        return contribution_keys(planned)

    def value_columns(
        self,
        table: ValueTable,
        run: Run,
    ) -> Sequence[str]:
        """The lists over bases, or over tokens."""
        if table == ATTENTION:
            return ("values",)
        hypothetical = _lists_of(run).hypothetical
        return schemas.contribution_lists(hypothetical=hypothetical)

    def list_length(self, table: ValueTable, run: Run) -> int:
        """Bases of the window; of attention, its tokens."""
        geometry = _lists_of(run).geometry
        return geometry.tokens if table == ATTENTION else geometry.window_bp


class AttendingContributionsType(ContributionsType):
    """The same with a table of attention."""

    # a kind of its own: which tables a shard has follows from the kind alone
    name = "contributions-attention"
    proof = "each with a row for every group and allele, and for every layer"
    value_tables = (CONTRIBUTIONS, ATTENTION)


def _lists_of(run: Run) -> _HasLists:
    return convert(run.identity, _HasLists, RUN_KEY)


def contribution_keys(planned: pa.Table) -> pa.Table:
    """Target, group and allele of each row of contributions, and its `row` of the plan."""
    keys: list[_Key] = []
    for row, target in enumerate(_keyed(planned)):
        name = target["target"]
        # groups x y and alleles ref alt: x ref, x alt, y ref, y alt
        pairs = product(target["groups"], target["alleles"])
        keys += [(name, group, allele, row) for group, allele in pairs]
    return _table(keys, CONTRIBUTIONS, pa.string())


def attention_keys(planned: pa.Table) -> pa.Table:
    """Target, allele and layer (null for the mean) of each row of attention, and its `row` of the plan."""
    keys: list[_Key] = []
    for row, target in enumerate(_keyed(planned)):
        name = target["target"]
        layers = layers_with_mean(target["layers"])
        # no groups: attention is the same for all tracks
        pairs = product(target["alleles"], layers)
        keys += [(name, allele, layer, row) for allele, layer in pairs]
    return _table(keys, ATTENTION, pa.int32())


def _keyed(planned: pa.Table) -> list[_Keyed]:
    return planned.select(_KEYED).to_pylist()


def _table(
    keys: Sequence[_Key],
    table: ValueTable,
    third: pa.DataType,
) -> pa.Table:
    """A table's keys, two texts and a third of its own type, with the number of the planned row."""
    names = [*table.key_columns, "row"]
    # named, since a shard may have no keys from which types could follow
    types = [pa.string(), pa.string(), third, pa.int64()]
    columns = []
    for place, column_type in enumerate(types):
        values = [key[place] for key in keys]
        columns.append(pa.array(values, column_type))
    return pa.table(columns, names=names)
