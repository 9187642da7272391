"""Keys of tables that answer a planned row with several rows, counted by hand."""

import pyarrow as pa
import pytest

from enformer_core.analyses import run_type_of
from enformer_core.analyses.several_rows import keys_of_entries, layers_with_mean
from enformer_core.dataset.schemas import LINK_PAIRS_SCHEMA, PLACES_SCHEMA

PLANNED = pa.table({"name": ["a", "b", "c", "d"]})

LISTS = [["x", "y"], [], None, ["z"]]


def keys(planned, lists):
    of_type = pa.array(lists, pa.list_(pa.string()))
    return keys_of_entries(planned, ["name"], of_type, "entry")


def test_an_entry_has_a_row_and_what_has_none_has_no_row():
    found = keys(PLANNED, LISTS)
    assert found.to_pydict() == {
        "name": ["a", "a", "d"],
        "entry": ["x", "y", "z"],
        "row": [0, 0, 3],
    }
    assert found.schema.field("row").type == pa.int64()


def test_a_part_of_a_plan_is_counted_from_its_own_first_row():
    found = keys(PLANNED.slice(2), LISTS[2:])
    assert found["row"].to_pylist() == [1]
    assert keys(PLANNED.slice(4), []).num_rows == 0


def test_the_mean_stands_before_the_layers():
    assert layers_with_mean(2) == [None, 1, 2]
    assert layers_with_mean(0) == [None]


PAIRS = [{"gene": name, "groups": ["x", "y"]} for name in "ab"]

PLACES = [{"place": name, "layers": layers} for name, layers in (("a", 2), ("b", 1))]

KINDS = [
    ("links", PAIRS, LINK_PAIRS_SCHEMA, ["ok", "ok", "failed", "failed"]),
    ("insulators", PLACES, PLACES_SCHEMA, ["ok", "ok", "ok", "failed", "failed"]),
]


@pytest.mark.parametrize(("kind", "rows", "schema", "stored"), KINDS)
def test_a_planned_row_is_what_all_of_its_rows_are(kind, rows, schema, stored):
    planned = pa.Table.from_pylist(rows, schema=schema)
    table = pa.table({"status": stored})
    assert run_type_of(kind).statuses(planned, table).to_pylist() == ["ok", "failed"]
    assert run_type_of(kind).statuses(planned[:0], table[:0]).to_pylist() == []
