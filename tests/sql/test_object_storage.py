"""Texts for runs on object storage are read there by engines' own clients, which are told the service by the text."""

import pytest

from enformer_core.dataset.shard_task import ShardTask
from enformer_core.sql.run_texts import run_texts
from enformer_core.sql.words import in_words
from enformer_core.storage.open import open_store
from tests.support.sql_engines import HERE, answer_from_s3, need_for_s3, plain
from tests.support.toy_runs import begun_toy_run

pytestmark = pytest.mark.filterwarnings("ignore")  # of engines that are not ours

LISTS = """\
SELECT chrom, variant_id, status, {element sad|2} AS second, {element sad|4} AS beyond
FROM scores ORDER BY input_line"""

JOINED = """\
SELECT s.chrom, s.variant_id, count(*) AS effects FROM scores AS s
JOIN effects AS e ON s.variant_id = e.variant_id
GROUP BY s.chrom, s.variant_id ORDER BY s.chrom"""

# numbers that look like numbers, one whose folder's name is quoted, and a row without a place
CONTIGS = {"numbers": ("1", "22"), "odd": ("HLA*01:01", "1", "X")}


@pytest.fixture
def toy(bucket):
    """A run in a bucket: an allele on each of these contigs, one without a place; so many shards are committed."""

    def make(contigs, shards=None):
        rows = [(contig, start, "A", "G") for start, contig in enumerate(contigs, start=3)]
        rows.append((None, None, None, None))
        store = open_store(f"s3://{bucket}/it's a run/1")
        run = begun_toy_run(store, rows, dict.fromkeys(contigs, 1000))
        for shard in list(run.plan.shards)[:shards]:
            run.worker(ShardTask(shard))
        return run.ledger

    return make


def answered(texts, sql):
    return plain(answer_from_s3(texts.engine, texts.opening, sql).to_pylist())


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("contigs", CONTIGS.values(), ids=CONTIGS)
def test_a_run_on_object_storage_is_asked_where_it_lies(engine, contigs, toy):
    need_for_s3(engine)
    texts = run_texts(toy(contigs), engine)
    assert answered(texts, in_words(LISTS, texts.dialect)) == [
        *(
            (contig, f"{contig}:{start + 1}:A:G", "ok", -start - 0.5, None)
            for start, contig in enumerate(contigs, start=3)
        ),
        ("__unplaced__", "?:?:?:?", "malformed", None, None),
    ]
    for start, contig in enumerate(contigs, start=3):
        by_name = f"SELECT pos FROM scores WHERE chrom = '{contig}'"
        assert answered(texts, by_name) == [(start + 1,)]
    # a row of `effects` for each of two statistics and two tracks
    assert answered(texts, JOINED) == [
        (contig, f"{contig}:{contigs.index(contig) + 4}:A:G", 4) for contig in sorted(contigs)
    ]
    assert answered(texts, "SELECT count(*) AS n FROM tracks") == [(3,)]


@pytest.mark.parametrize("engine", HERE)
@pytest.mark.parametrize("shards", [0, 1])
def test_of_a_run_under_way_there_is_what_is_committed(engine, shards, toy):
    need_for_s3(engine)
    texts = run_texts(toy(("1", "X"), shards), engine)
    rows = answered(texts, in_words(LISTS, texts.dialect))
    assert [row[0] for row in rows] == ["1"][:shards]
    assert answered(texts, "SELECT max(track) AS t FROM effects") == [(5 if shards else None,)]


def test_what_a_text_cannot_say_of_the_service_is_a_remark(toy, monkeypatch, moto_endpoint):
    ledger = toy(("1",))
    assert any(moto_endpoint in note for note in run_texts(ledger, "datafusion").notes)
    for engine in HERE:
        assert not any("run by us" in note for note in run_texts(ledger, engine).notes)
    monkeypatch.setattr("enformer_core.sql.run_texts.service_of", lambda address: None)
    for engine in HERE:
        notes = " ".join(run_texts(ledger, engine).notes)
        assert "for AWS itself have not been run by us" in notes
        assert moto_endpoint not in notes


def test_of_keys_that_an_engine_may_not_find_it_is_said(bucket):
    store = open_store(f"s3://{bucket}/ü")
    ledger = begun_toy_run(store).ledger
    said = {engine for engine in HERE if "plain name" in " ".join(run_texts(ledger, engine).notes)}
    assert said == {"polars", "datafusion"}
