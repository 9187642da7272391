"""The texts that open a run do so in every engine that is here, with equal rows; the others' are SQL to a parser."""

from pathlib import Path

import pyarrow as pa
import pytest
import sqlglot

from enformer_core.dataset import schemas
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.errors import InputError
from enformer_core.models.tracks.table import TRACKS_SCHEMA, described_track
from enformer_core.sql.dialects import DIALECTS
from enformer_core.sql.opening import RunTable, opening, run_address
from enformer_core.sql.run_texts import run_texts
from enformer_core.sql.words import in_words
from enformer_core.storage.local import LocalStore
from tests.support.sql_engines import HERE, answer, need, plain
from tests.support.toy_runs import TRACKS, begun_toy_run

pytestmark = pytest.mark.filterwarnings("ignore")  # of engines that are not ours

NAMES = (("cage", "CAGE:liver"), ("dnase", "DNASE:K562"), (None, None))

SERVICES = [engine for engine in DIALECTS if engine not in HERE]

LISTS = """\
SELECT chrom, variant_id, status, {element sad|2} AS second, {element sad|4} AS beyond
FROM scores ORDER BY input_line"""

# numbers that look like numbers, one that does not, one whose folder's name is quoted, and a row without a place
CONTIGS = {
    "integers": ("1", "22"),
    "mixed": ("22", "1", "X"),
    "odd": ("HLA*01:01", "1"),
}


@pytest.fixture
def toy(tmp_path):
    """A run on these contigs, an allele on each, and one row without a place; so many shards are committed."""

    def make(contigs, shards=None, name="it's a run of ü"):
        rows = [(contig, start, "A", "G") for start, contig in enumerate(contigs, start=3)]
        rows.append((None, None, None, None))
        named = zip(TRACKS, NAMES, strict=True)
        run = begun_toy_run(
            LocalStore(tmp_path / name),
            rows,
            dict.fromkeys(contigs, 1000),
            tracks=[described_track(at, *names) for at, names in named],
        )
        for shard in list(run.plan.shards)[:shards]:
            run.worker(ShardTask(shard))
        return run.ledger

    return make


def answered(texts, sql):
    return plain(answer(texts.engine, texts.opening, sql).to_pylist())


@pytest.mark.parametrize("contigs", CONTIGS)
@pytest.mark.parametrize("engine", HERE)
def test_contigs_are_text_and_lists_are_read_in_every_engine(engine, contigs, toy):
    need(engine)
    texts = run_texts(toy(CONTIGS[contigs]), engine)
    assert answered(texts, in_words(LISTS, texts.dialect)) == [
        *(
            (contig, f"{contig}:{start + 1}:A:G", "ok", -start - 0.5, None)
            for start, contig in enumerate(CONTIGS[contigs], start=3)
        ),
        ("__unplaced__", "?:?:?:?", "malformed", None, None),
    ]
    for start, contig in enumerate(CONTIGS[contigs], start=3):
        by_name = f"SELECT pos FROM scores WHERE chrom = '{contig}'"
        assert answered(texts, by_name) == [(start + 1,)]
    assert answered(texts, "SELECT pos FROM scores WHERE chrom = '__unplaced__'") == [(None,)]
    assert answered(texts, "SELECT pos FROM scores WHERE chrom = 'nowhere'") == []
    # the strongest value is that of the last start, in the second track
    last = len(CONTIGS[contigs]) + 2
    contig = CONTIGS[contigs][-1]
    first = (contig, f"{contig}:{last + 1}:A:G", "dnase", "DNASE:K562", -last - 0.5)
    assert answered(texts, texts.question)[0] == first
    assert texts.of_run == ()


@pytest.mark.parametrize("engine", HERE)
def test_what_lists_are_asked_for_is_found(engine, toy):
    need(engine)
    texts = run_texts(toy(("X",)), engine)
    unnested = in_words(
        "SELECT item FROM ({unnest sad|pos|scores}) AS u WHERE pos = 4 ORDER BY item", texts.dialect
    )
    assert answered(texts, unnested) == [(-3.5,), (1.0,), (3.0,)]
    flagged = in_words(
        "SELECT count(*) AS n FROM scores WHERE {contains flags|'duplicate'}", texts.dialect
    )
    assert answered(texts, flagged) == [(0,)]
    largest = in_words("SELECT {largest sad} AS size FROM scores ORDER BY pos", texts.dialect)
    if largest is None:
        assert engine == "polars"
    else:
        assert {*answered(texts, largest)} == {(3.5,), (None,)}


def test_where_its_sql_has_no_word_polars_is_asked_as_its_note_says(toy):
    names = {}
    texts = run_texts(toy(("X",)), "polars")
    expression = texts.notes[-1].split("`")[1]
    exec("\n".join(texts.opening), names)
    frame = names["ctx"].execute("SELECT * FROM scores WHERE status = 'ok'")
    sizes = frame.select(eval(expression, names)).collect()
    assert sizes.rows() == [(3.5,)]


@pytest.mark.parametrize("engine", DIALECTS)
def test_remarks_have_no_end_of_a_statement_in_them(engine, toy):
    """Who cuts the text at semicolons has statements; so the remarks have none."""
    texts = run_texts(toy(("1", "X"), 1), engine)
    assert texts.notes
    for note in texts.notes:
        assert ";" not in note


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("shards", [0, 1])
def test_of_a_run_under_way_there_is_what_is_committed(engine, shards, toy):
    need(engine)
    texts = run_texts(toy(("1", "X"), shards), engine)
    assert texts.of_run[0].startswith(f"The run is not complete: {shards} of 3 shards committed.")
    committed = ["1"][:shards]
    rows = answered(texts, in_words(LISTS, texts.dialect))
    assert [row[0] for row in rows] == committed
    top = answered(texts, texts.question)
    assert {row[0] for row in top} == {*committed}
    assert answered(texts, "SELECT max(track) AS t FROM effects") == [(5 if shards else None,)]
    assert answered(texts, "SELECT count(*) AS n FROM tracks") == [(3,)]


TABLES = [
    RunTable("scores", schemas.scores_schema(["sad"])),
    RunTable("effects", schemas.EFFECTS_SCHEMA),
    RunTable("gene_effects", schemas.gene_effects_schema()),
    RunTable("predictions", schemas.PREDICTIONS_SCHEMA),
    RunTable("contributions", schemas.contributions_schema(hypothetical=True)),
    RunTable("links", schemas.links_schema(["gradient"])),
    RunTable("tracks", TRACKS_SCHEMA, "tracks.parquet"),
]


@pytest.mark.parametrize("engine", HERE)
def test_a_table_of_which_nothing_is_stored_is_empty_and_has_its_columns(engine):
    need(engine)
    none = [RunTable(table.name, table.schema, table.file, is_stored=False) for table in TABLES]
    said = opening(DIALECTS[engine], "/nowhere", none)
    for table in none:
        rows = answer(engine, said, f"SELECT * FROM {table.name}")
        assert rows.num_rows == 0
        assert sorted(rows.schema.names) == sorted(table.columns.names)


@pytest.mark.parametrize("engine", HERE)
def test_columns_of_odd_names_have_them(engine):
    need(engine)
    schema = pa.schema([('a "b" `c`', pa.float64()), ("P {x}", pa.string()), ("end", pa.int64())])
    said = opening(DIALECTS[engine], "/nowhere", [RunTable("scores", schema, is_stored=False)])
    rows = answer(engine, said, "SELECT * FROM scores")
    assert sorted(rows.schema.names) == sorted([*schema.names, "chrom"])


@pytest.mark.parametrize("engine", SERVICES)
@pytest.mark.parametrize("address", ["s3://bucket/runs/first", "/data/it's"])
def test_texts_for_services_are_sql_and_their_tables_have_all_columns(engine, address):
    said = opening(DIALECTS[engine], address, TABLES)
    made = {}
    for statement in said:
        # CALL and MSCK it only hands on, and one clause of BigQuery's it does not know
        known = statement.replace("WITH PARTITION COLUMNS (chrom STRING)", "(chrom STRING)")
        (parsed,) = sqlglot.parse(known, dialect=engine)
        if isinstance(parsed, sqlglot.exp.Create) and parsed.kind == "TABLE":
            name = parsed.find(sqlglot.exp.Table).name
            made[name] = [column.name for column in parsed.find_all(sqlglot.exp.ColumnDef)]
    assert made.keys() == {table.name for table in TABLES}
    for table in TABLES:
        # BigQuery takes the columns of the files
        wanted = table.columns.names
        if engine == "bigquery":
            wanted = [] if table.file else ["chrom"]
        assert made[table.name] == wanted


def test_addresses_are_those_that_an_engine_reads():
    remote = {
        engine: opening(dialect, "s3://bucket/run", TABLES[:1])
        for engine, dialect in DIALECTS.items()
    }
    assert "'s3://bucket/run/scores/chrom=*/shard-*.parquet'" in remote["duckdb"][-1]
    assert "PROVIDER credential_chain" in remote["duckdb"][-2]
    assert '"s3://bucket/run/scores/chrom=*/shard-*.parquet"' in remote["polars"][-1]
    assert "FROM s3('s3://bucket/run/scores/chrom=*/" in remote["chdb"][-1]
    assert "path 's3a://bucket/run/scores/'" in remote["spark"][-1]
    assert "LOCATION 's3://bucket/run/scores/'" in remote["athena"][-2]
    assert "'gs://bucket/run/scores/*'" in remote["bigquery"][-1]
    local = opening(DIALECTS["athena"], "/data/run", TABLES[:1])
    assert "LOCATION 's3://BUCKET/run/scores/'" in local[0]


def test_texts_name_a_service_that_is_not_aws():
    said = {
        engine: opening(dialect, "s3://bucket/ü run", TABLES[:1], "https://minio:9000")
        for engine, dialect in DIALECTS.items()
    }
    assert said["duckdb"][-2].endswith("ENDPOINT 'minio:9000', URL_STYLE 'path', USE_SSL true)")
    assert said["polars"][-2] == 'service = {"aws_endpoint_url": "https://minio:9000"}'
    assert "storage_options=service" in said["polars"][-1]
    at_service = "s3('https://minio:9000/bucket/%C3%BC%20run/scores/chrom=*/shard-*.parquet', "
    assert at_service in said["chdb"][-1]
    assert "SET fs.s3a.endpoint = https://minio:9000" in said["spark"]
    assert "path 's3a://bucket/ü run/scores/'" in said["spark"][-1]
    assert "LOCATION 's3://bucket/ü run/scores/'" in said["datafusion"][-1]
    plain_http = opening(DIALECTS["duckdb"], "s3://bucket/run", TABLES[:1], "http://minio:9000")
    assert plain_http[-2].endswith("ENDPOINT 'minio:9000', URL_STYLE 'path', USE_SSL false)")


def test_every_service_is_said_to_be_untried_and_where_it_reads(toy):
    ledger = toy(("1",))
    for engine in SERVICES:
        notes = " ".join(run_texts(ledger, engine).notes)
        assert "has not been run by us" in notes
        assert "copy the run there first" in notes


@pytest.mark.parametrize("name", ["a*", "b[1]", "c{x}", "chrom=2", "d\\e", "f\ng"])
def test_a_place_that_an_engine_would_misread_is_refused_with_a_way_out(name):
    with pytest.raises(InputError, match="ln -s"):
        run_address(f"/data/{name}/run")


def test_a_path_is_whole_and_an_address_stays(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run_address("run") == str(Path.cwd() / "run")
    assert run_address("s3://bucket/run/") == "s3://bucket/run"


def test_all_types_of_columns_have_names_in_all_engines():
    kinds = {field.type for table in TABLES for field in table.schema}
    assert pa.list_(pa.float32()) in kinds
    for dialect in DIALECTS.values():
        for table in TABLES:
            assert opening(dialect, "/data/run", [table])
