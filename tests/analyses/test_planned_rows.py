"""Rows of plans in Python have the columns of the tables that they are read from, each with its type."""

from types import NoneType
from typing import get_args, get_type_hints

import pyarrow as pa
import pytest

from enformer_core.analyses.planned_rows import (
    PlacedTarget,
    PlannedPair,
    PlannedPlace,
    PlannedTile,
    UnplacedTarget,
    is_placed,
)
from enformer_core.dataset.schemas import (
    LINK_PAIRS_SCHEMA,
    PLACES_SCHEMA,
    TARGETS_SCHEMA,
    TILES_SCHEMA,
)

IN_PYTHON = {
    pa.string(): str,
    pa.bool_(): bool,
    pa.int32(): int,
    pa.int64(): int,
    pa.float64(): float,
    pa.list_(pa.int32()): list[int],
    pa.list_(pa.string()): list[str],
}

ROWS = [
    (PlannedTile, TILES_SCHEMA),
    (PlacedTarget, TARGETS_SCHEMA),
    (PlannedPair, LINK_PAIRS_SCHEMA),
    (PlannedPlace, PLACES_SCHEMA),
]

NOWHERE = {"chrom", "start", "end", "window_start", "first_bin", "end_bin"}


@pytest.mark.parametrize(("row", "schema"), ROWS)
def test_a_row_has_the_columns_of_its_table(row, schema):
    hints = get_type_hints(row)
    assert set(hints) == set(schema.names)
    for column in schema:
        hint = hints[column.name]
        values = {*get_args(hint)} - {NoneType} if NoneType in get_args(hint) else {hint}
        assert values == {IN_PYTHON[column.type]}, column.name


def test_what_has_no_place_lacks_that_and_nothing_else():
    placed = get_type_hints(PlacedTarget)
    unplaced = get_type_hints(UnplacedTarget)
    assert placed.keys() == unplaced.keys()
    assert {name for name, hint in unplaced.items() if hint is NoneType} == NOWHERE
    assert all(unplaced[name] == placed[name] for name in unplaced.keys() - NOWHERE)


def test_a_target_has_its_place_where_it_is_to_be_attributed():
    rows = [{"target": "a", "status": "ok"}, {"target": "b", "status": "symbolic"}]
    planned = pa.Table.from_pylist(rows, schema=TARGETS_SCHEMA).to_pylist()
    assert [is_placed(row) for row in planned] == [True, False]
