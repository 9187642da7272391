"""docs/tables.md says what every column of every table is, and names no column that there is not."""

import re
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from enformer_core.analyses import _RUN_TYPES, run_type_of
from enformer_core.analyses.contributions import Contributions
from enformer_core.analyses.insulators import Insulators
from enformer_core.analyses.links import Links
from enformer_core.analyses.tiles import Tiles
from enformer_core.analyses.variant_effects import VariantEffects
from enformer_core.dataset.absent_tables import SUMMARY_MAKERS
from enformer_core.sql.views import create_long, create_top, create_top_genes
from tests.support.schemas import schemas_by_table

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"

SCHEMAS = schemas_by_table(["sad"])


def documented():
    """The columns of each section's table, in the page's order."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    columns = {}
    for section in sections:
        cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
        columns[section.split("\n")[0]] = [
            name for cell in cells for name in re.findall(r"`(\w+)`", cell)
        ]
    return columns


@pytest.mark.parametrize("table", SCHEMAS)
def test_every_column_is_there_and_no_other(table):
    found = documented()[table]
    assert sorted(found) == sorted(SCHEMAS[table].names)


def test_every_table_of_every_kind_of_run_has_its_section():
    tables = {table for kind in _RUN_TYPES for table in run_type_of(kind).tables}
    assert {*tables, "tracks", *SUMMARY_MAKERS} == SCHEMAS.keys()
    assert documented().keys() == {*SCHEMAS, "top", "long", "top_genes", "receipts and computed_by"}


def test_the_view_top_has_the_columns_that_are_told():
    with duckdb.connect() as connection:
        for table in ("scores", "effects", "tracks"):
            connection.register(table, pa.table(SCHEMAS[table].empty_table()))
        create_top(connection, ["sad"])
        assert connection.sql("FROM top").columns == documented()["top"]


def test_the_view_long_has_the_columns_that_are_told():
    with duckdb.connect() as connection:
        for table in ("scores", "tracks"):
            schema = SCHEMAS[table]
            columns = schema if table == "tracks" else schema.append(pa.field("chrom", pa.string()))
            connection.register(table, columns.empty_table())
        create_long(connection, ["sad"])
        assert connection.sql("FROM long").columns == documented()["long"]


def test_the_view_top_genes_has_the_columns_that_are_told():
    with duckdb.connect() as connection:
        for table in ("gene_effects", "tracks"):
            connection.register(table, pa.table(SCHEMAS[table].empty_table()))
        create_top_genes(connection)
        assert connection.sql("FROM top_genes").columns == documented()["top_genes"]


@pytest.mark.parametrize("analysis", [VariantEffects, Contributions, Insulators, Links])
def test_each_kind_of_run_asks_for_what_has_no_values(analysis):
    with duckdb.connect() as connection:
        for name, schema in SCHEMAS.items():
            connection.register(name, pa.table(schema.empty_table()))
        assert {"status", "reason"} <= {*connection.sql(analysis.query_of_unscored).columns}


def test_tiles_have_no_rows_without_values():
    assert Tiles.query_of_unscored is None
    assert "status" not in SCHEMAS["predictions"].names
