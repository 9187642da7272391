"""Every query that a command shows to its user is one that DuckDB answers."""

import inspect
import shlex
from types import SimpleNamespace

import duckdb
import pyarrow as pa
import pytest

from enformer_core.analyses.base import Analysis
from enformer_core.analyses.contributions import Contributions
from enformer_core.analyses.gene_effects import VariantAndGeneEffects
from enformer_core.analyses.insulators import Insulators
from enformer_core.analyses.link_spec import SCORE_COLUMNS, columns_of
from enformer_core.analyses.links import Links
from enformer_core.analyses.tiles import Tiles
from enformer_core.analyses.variant_effects import VariantEffects
from enformer_core.export.tsv import query_of_first_track
from enformer_core.scoring.statistics import STATISTICS
from enformer_core.sql.views import create_long, create_top, create_top_genes
from jobs.commands import COMMANDS, EXAMPLES
from jobs.demo import DEMO_SQL, OWN_DATA
from jobs.query_refusals import SQL_EXAMPLE
from tests.support.schemas import schemas_by_table

SCORE_NAMES = columns_of(tuple(SCORE_COLUMNS))

SCHEMAS = schemas_by_table(list(STATISTICS))


@pytest.fixture(scope="module")
def connection():
    """The views of every kind of run, without a row."""
    with duckdb.connect() as connection:
        for table, schema in SCHEMAS.items():
            # of tables along the genome the contig is the name of a folder
            is_whole = table == "tracks" or "chrom" in schema.names
            columns = schema if is_whole else schema.append(pa.field("chrom", pa.string()))
            connection.register(table, columns.empty_table())
        create_top(connection, list(STATISTICS))
        create_long(connection, list(STATISTICS))
        create_top_genes(connection)
        # what a user attaches
        usual = "SELECT chrom AS CHR, pos AS BP, ref AS A1, alt AS A2 FROM scores"
        connection.sql(usual).create("gwas")
        yield connection


def scoring(top_tracks, *statistics):
    conventions = SimpleNamespace(statistics=statistics)
    return SimpleNamespace(spec=SimpleNamespace(top_tracks=top_tracks, conventions=conventions))


# what a run was asked for, as far as its queries depend on it
RUNS = [
    *((VariantEffects, scoring(20, name)) for name in STATISTICS),
    *((VariantEffects, scoring(0, name)) for name in STATISTICS),
    (VariantEffects, scoring(20, *STATISTICS)),
    (VariantAndGeneEffects, scoring(20, "sad")),
    (Tiles, None),
    (Contributions, None),
    (Insulators, None),
    *((Links, SimpleNamespace(spec=SimpleNamespace(columns=[name]))) for name in SCORE_NAMES),
]


def kinds(parent):
    """All kinds of runs that the program has, not those of tests."""
    for kind in parent.__subclasses__():
        if kind.__module__.startswith("enformer_core.") and not inspect.isabstract(kind):
            yield kind
        yield from kinds(kind)


def test_every_kind_of_run_is_asked():
    assert {*kinds(Analysis)} == {kind for kind, _ in RUNS}


@pytest.mark.parametrize(("kind", "asked"), RUNS)
def test_what_a_finished_run_proposes_has_an_answer(connection, kind, asked):
    queries = [kind.example_query(asked), *kind.further_queries(asked)]
    if kind.query_of_unscored is not None:
        queries.append(kind.query_of_unscored)
    for sql in queries:
        assert connection.sql(sql).fetchall() == []


def in_commands(*lines):
    """The SQL of each `query RUN SQL`."""
    for line in lines:
        words = shlex.split(line.removeprefix("enformer-ray "))
        if words[0] == "query":
            yield words[2]


SHOWN = [
    DEMO_SQL,
    *shlex.split(SQL_EXAMPLE),
    *in_commands(*OWN_DATA, *EXAMPLES),
    *(sql for command in COMMANDS.values() for sql in in_commands(*command.examples)),
]


@pytest.mark.parametrize("sql", SHOWN)
def test_what_help_shows_has_an_answer(connection, sql):
    found = connection.sql(sql)
    assert found.columns


def test_what_help_shows_is_found():
    assert "FROM top_genes LIMIT 20" in SHOWN


def test_what_an_export_proposes_has_an_answer(connection):
    assert connection.sql(query_of_first_track("predictions", "values")).fetchall() == []
