"""A query reads the bytes of a run once, however often it asks them; counted, not timed."""

from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from enformer_core.models.tracks.table import TRACKS_SCHEMA
from enformer_core.sql.views import create_top
from enformer_core.storage.fenced_files import FileOfThreads
from enformer_core.storage.local import LocalStore
from jobs import exit_codes
from jobs.cli import main
from jobs.query import fenced_run
from tests.support.schemas import schemas_by_table
from tests.support.toy_runs import CONVENTIONS, begun_toy_run, scoring_worker
from tests.support.toy_runs import TRACKS as TOY_TRACKS

LARGEST = "SELECT max(abs(value)) FROM effects"


@pytest.fixture
def run(tmp_path):
    begun = begun_toy_run(LocalStore(tmp_path / "toy"))
    begun.commit_all()
    return begun


@pytest.fixture
def reads(monkeypatch):
    """Lengths of what was read."""
    lengths = []
    read = FileOfThreads.read

    def counted(file, size=-1):
        content = read(file, size)
        lengths.append(len(content))
        return content

    monkeypatch.setattr(FileOfThreads, "read", counted)
    return lengths


def test_what_was_read_is_not_read_again(run, reads):
    with fenced_run(run.store.location) as fenced:
        first = fenced.connection.sql(LARGEST).fetchall()
        assert reads
        reads.clear()
        assert fenced.connection.sql(LARGEST).fetchall() == first
        assert reads == []


SCORES = [
    {"variant_id": "a", "id": "rs2", "effect_sign": 1, "max_abs_sad": 4.0},
    {"variant_id": "a", "id": "rs10", "effect_sign": 1, "max_abs_sad": 4.0},
    {"variant_id": "a", "id": "rs2", "effect_sign": None, "max_abs_sad": 4.0},
    {"variant_id": "b", "id": None, "effect_sign": -1, "max_abs_sad": 1.0},
    {"variant_id": "c", "id": None, "effect_sign": None, "max_abs_sad": None},
]
EFFECTS = [
    {"variant_id": "a", "track": 0, "statistic": "sad", "value": -4.0},
    {"variant_id": "b", "track": 0, "statistic": "sad", "value": 1.0},
    {"variant_id": "b", "track": 1, "statistic": "sad", "value": 1e-6},
]
TRACKS = [{"index": 0, "list_position": 1}, {"index": 1, "list_position": 2}]


@pytest.fixture
def top():
    """A connection with the view, over tables of its own."""
    schemas = {**schemas_by_table(["sad"]), "tracks": TRACKS_SCHEMA}
    rows = {"scores": SCORES, "effects": EFFECTS, "tracks": TRACKS}
    with duckdb.connect() as connection:
        for name, of_table in rows.items():
            connection.register("arrow", pa.Table.from_pylist(of_table, schema=schemas[name]))
            connection.execute(f"CREATE TABLE {name} AS FROM arrow")
        create_top(connection, ["sad"])
        yield connection


def test_the_largest_is_that_of_the_effects_and_names_are_in_order(top):
    asked = "SELECT variant_id, id, value, share, effect_sign FROM top"
    assert top.sql(asked).fetchall() == [
        ("a", "rs10,rs2", -4.0, 1.0, 1),
        ("b", None, 1.0, 0.25, -1),
    ]


def test_the_view_top_reads_the_effects_once(top):
    """They are twenty rows for each of `scores`."""
    ((_, plan),) = top.sql("EXPLAIN FROM top LIMIT 20").fetchall()
    assert plan.count("main.effects") == 1


class ScorerOfNothing:
    """No effect in any track."""

    def score(self, alleles, start):
        return [{"sad": np.zeros(3), "d1": np.zeros(3)} for _ in alleles]


def test_where_no_effects_are_kept_nothing_is_said_of_them(tmp_path, capsys):
    begun = begun_toy_run(LocalStore(tmp_path / "none"))
    worker = scoring_worker(ScorerOfNothing(), begun.ledger, CONVENTIONS, TOY_TRACKS, top_tracks=0)
    replace(begun, worker=worker).commit_all()
    assert main(["query", begun.store.location, "FROM top"]) == exit_codes.DONE
    said = capsys.readouterr()
    assert "(0 rows)" in said.out
    assert said.err == ""
