"""New files say what their columns mean; nothing that decides values, digests or readers knows of it."""

import io

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from enformer_core.dataset import codec, meanings, schemas
from enformer_core.dataset.codec import Footer, from_parquet, to_parquet
from enformer_core.dataset.digests import content_digest
from enformer_core.dataset.meanings import MEANINGS, Meaning, meaning_of
from enformer_core.scoring.statistics import STATISTICS
from tests.support.schemas import schemas_by_table

SCHEMAS = schemas_by_table(list(STATISTICS))

FOOTER = Footer("scores", "0" * 64, None)

TABLE = pa.Table.from_pylist(
    [{"variant_id": "chr1:5:A:G", "pos": 5, "sad": [1.5, None]}, {"variant_id": None}],
    schema=schemas.scores_schema(["sad"]),
)


@pytest.fixture
def before(monkeypatch):
    """A file as it was written before columns had meanings."""
    with monkeypatch.context() as patch:
        patch.setattr(codec, "with_meanings", lambda table, name: table)
        return to_parquet(TABLE, FOOTER)


@pytest.mark.parametrize("table", SCHEMAS)
def test_every_column_has_its_meaning_and_no_other_has_one(table):
    for name in SCHEMAS[table].names:
        meaning = meaning_of(table, name)
        assert meaning is not None, name
        assert meaning.text
    found = set(MEANINGS[table]) - set(SCHEMAS[table].names)
    assert not found
    assert MEANINGS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("table", SCHEMAS)
def test_places_say_from_where_they_count(table):
    """`pos` from 1, as in VCF; what is called as in BED from 0."""
    for name in SCHEMAS[table].names:
        unit = meaning_of(table, name).unit
        if name == "pos":
            assert unit == "bp, from 1"
        if name in ("start", "end", "window_start", "target_start", "tss", "position"):
            assert unit == "bp, from 0"


def test_a_file_says_them_of_its_columns_and_of_kept_ones_nothing():
    table = TABLE.append_column("BETA", pa.array([0.5, None]))
    schema = pq.read_schema(io.BytesIO(to_parquet(table, FOOTER)))
    assert schema.field("pos").metadata[b"unit"] == b"bp, from 1"
    assert b"alt - ref" in schema.field("sad").metadata[b"description"]
    assert schema.field("max_abs_sad_track").metadata[b"unit"] == b"from 0"
    assert b"description" not in (schema.field("BETA").metadata or {})
    # a column of an input may be called as another statistic's
    assert meaning_of("scores", "max_abs_BETA") is None


def test_files_of_before_and_of_now_are_one_table(before, tmp_path):
    now = to_parquet(TABLE, FOOTER)
    assert before != now
    old, new = from_parquet(before, "a"), from_parquet(now, "b")
    assert old[1] == new[1]
    assert old[0].schema.equals(new[0].schema, check_metadata=True)
    assert old[0].equals(new[0])
    assert content_digest(old[0]) == content_digest(new[0]) == content_digest(TABLE)
    assert pa.concat_tables([old[0], new[0]]).num_rows == 4
    (tmp_path / "a.parquet").write_bytes(before)
    (tmp_path / "b.parquet").write_bytes(now)
    pattern = str(tmp_path / "*.parquet")
    assert pl.scan_parquet(pattern).select("pos").collect()["pos"].to_list() == [5, None] * 2
    assert duckdb.sql(f"SELECT sum(sad[1]) FROM '{pattern}'").fetchall() == [(3.0,)]
    assert pads.dataset(tmp_path).to_table().num_rows == 4


def test_equal_tables_are_equal_bytes():
    read = from_parquet(to_parquet(TABLE, FOOTER), "a")[0]
    assert to_parquet(read, FOOTER) == to_parquet(
        from_parquet(to_parquet(read, FOOTER), "b")[0], FOOTER
    )
    assert to_parquet(TABLE, FOOTER) == to_parquet(TABLE.slice(0), FOOTER)


def test_an_unknown_table_stays_as_it_is():
    table = pa.table({"pos": [1]})
    assert meanings.with_meanings(table, "plan") is table


def test_a_meaning_without_unit_has_none():
    assert Meaning("a name").metadata == {b"description": b"a name"}
