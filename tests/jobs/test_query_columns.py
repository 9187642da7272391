"""On a terminal of 80 columns the rows of every table are told apart, and the first values stand beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pytest

from enformer_core.analyses.contribution_run_type import AttendingContributionsType
from enformer_core.analyses.gene_run_type import GeneEffectsType
from enformer_core.analyses.insulator_run_type import InsulatorsType
from enformer_core.analyses.link_run_type import LinksType
from enformer_core.analyses.link_spec import SCORE_COLUMNS, columns_of
from enformer_core.dataset import schemas
from enformer_core.dataset.run_type import RunType
from enformer_core.models.geometry import ENFORMER, Geometry
from enformer_core.sql.views import kept_columns
from enformer_core.storage.local import LocalStore
from jobs import result_rows
from jobs.result_rows import print_text
from tests.support.toy_runs import ToyIdentity, toy_identity, toy_ledger, toy_run


@dataclass(frozen=True, kw_only=True)
class AnyIdentity(ToyIdentity):
    """An identity that has what each kind of run reads of it."""

    scores: tuple[str, ...] = tuple(SCORE_COLUMNS)
    pixels: int = 4
    geometry: Geometry = ENFORMER
    hypothetical: bool = True


CELLS: Mapping[str, object] = {
    "variant_id": "chr22:19710919:C:A",
    "target": "ENSG00000102974.17_CTCF",
    "place": "chr22:19710919-control-3",
    "gene": "SEPTIN5-GP1BB",
    "gene_name": "SEPTIN5",
    "gene_id": "ENSG00000184702.21",
    "group": "K562",
    "allele": "ref",
    "status": "ok",
}
"""What is as long as it is in runs."""

NUMBERS: Mapping[pa.DataType, object] = {
    pa.int64(): 119710919,
    pa.int32(): 11,
    pa.int8(): 1,
    pa.float32(): -0.0012345678,
    pa.float64(): 48231.0,
    pa.bool_(): True,
}


def one_row(schema: pa.Schema) -> pa.Table:
    """A row with texts of some length, lists of some numbers, and numbers as they are in runs."""
    row = {}
    for column in schema:
        if pa.types.is_list(column.type):
            item = "duplicate" if column.type.value_type == pa.string() else 1
            row[column.name] = [item] * 50
        elif column.type == pa.string():
            row[column.name] = CELLS.get(column.name, "some text of thirty letters -30")
        else:
            row[column.name] = NUMBERS[column.type]
    return pa.Table.from_pylist([row], schema=schema)


def shown_columns(schema: pa.Schema, kept: Sequence[str], capsys) -> list[str]:
    """The names in the first line of the printed table."""
    with duckdb.connect() as connection:
        connection.register("asked", one_row(schema))
        print_text(connection.sql("FROM asked"), kept)
    line = capsys.readouterr().out.splitlines()[0]
    assert len(line) <= 80
    return line.split()


GENES = GeneEffectsType()
CONTRIBUTIONS = AttendingContributionsType()
LINKS = LinksType()
INSULATORS = InsulatorsType()

TABLES = [
    (
        GENES,
        schemas.gene_effects_schema(),
        ("variant_id", "gene_name", "distance"),
        "max_abs_log2_ratio",
    ),
    (
        CONTRIBUTIONS,
        schemas.contributions_schema(hypothetical=True),
        ("target", "group", "allele"),
        "prediction",
    ),
    (
        CONTRIBUTIONS,
        schemas.CONTRIBUTION_BINS_SCHEMA,
        ("target", "group", "allele", "start", "end"),
        "value",
    ),
    (CONTRIBUTIONS, schemas.ATTENTION_SCHEMA, ("target", "allele"), "layer"),
    (
        LINKS,
        schemas.links_schema(columns_of(tuple(SCORE_COLUMNS))),
        ("gene", "group", "start", "end", "distance"),
        "gradient",
    ),
    (INSULATORS, schemas.INSULATION_SCHEMA, ("place", "layer"), "across"),
    (INSULATORS, schemas.ATTENTION_MAPS_SCHEMA, ("place",), "values"),
]


@pytest.mark.parametrize(("run_type", "schema", "keys", "value"), TABLES)
def test_what_tells_rows_apart_is_shown_before_values(
    run_type: RunType, schema, keys, value, tmp_path, monkeypatch, capsys
):
    run = toy_run(AnyIdentity(**vars(toy_identity())))
    kept = kept_columns(toy_ledger(LocalStore(tmp_path), run, run_type))
    monkeypatch.setattr(result_rows, "terminal_columns", lambda: 80)
    shown = shown_columns(schema, kept, capsys)
    assert {*keys, value} <= {*shown}


def test_a_list_is_left_out_before_a_number(monkeypatch, capsys):
    schema = pa.schema([("a", pa.int64()), ("list", pa.list_(pa.float32())), ("b", pa.string())])
    monkeypatch.setattr(result_rows, "terminal_columns", lambda: 40)
    assert shown_columns(schema, ["a", "list", "b"], capsys) == ["a", "b"]


def test_a_column_that_sql_has_a_word_for_is_proposed_in_quotes(monkeypatch, capsys):
    monkeypatch.setattr(result_rows, "terminal_columns", lambda: 9)
    with duckdb.connect() as connection:
        relation = connection.sql('SELECT 1 AS place, 2.5 AS "at", \'x\' AS "end"')
        print_text(relation, ["place"])
        assert 'SELECT place, "at", …' in capsys.readouterr().out
