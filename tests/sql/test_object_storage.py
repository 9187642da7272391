"""Texts for runs on object storage are read there by engines' own clients."""

import pytest
from moto.server import ThreadedMotoServer

from enformer_core.sql.dialects import DIALECTS
from enformer_core.sql.run_texts import run_texts
from enformer_core.storage.open import open_store
from tests.support.seaweed import client, credentials
from tests.support.sql_engines import answer
from tests.support.toy_runs import begun_toy_run

pytestmark = pytest.mark.filterwarnings("ignore")  # of engines that are not ours

TRIED = [name for name, dialect in DIALECTS.items() if dialect.tried_remote]

QUESTION = """\
SELECT s.chrom, s.variant_id, count(*) AS effects FROM scores AS s
JOIN effects AS e ON s.variant_id = e.variant_id
GROUP BY s.chrom, s.variant_id ORDER BY s.chrom"""


@pytest.fixture
def ledger(monkeypatch, tmp_path):
    """A run in a bucket of a mock service, to which this process's clients are pointed."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in credentials(endpoint).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    client(endpoint).create_bucket(Bucket="tables")
    rows = [("HLA*01:01", 1, "A", "G"), ("1", 2, "A", "G"), ("X", 5, "A", "G")]
    toy = begun_toy_run(
        open_store(f"s3://tables/{tmp_path.name}/run"),
        rows,
        dict.fromkeys(("HLA*01:01", "1", "X"), 1000),
        shard_size=2,
    )
    toy.commit_all()
    toy.ledger.finish(toy.plan)
    yield toy.ledger
    server.stop()


@pytest.mark.parametrize("engine", TRIED)
def test_a_run_on_object_storage_is_asked_where_it_lies(engine, ledger):
    texts = run_texts(ledger, engine)
    rows = answer(engine, texts.opening, QUESTION).to_pylist()
    # a row of `effects` for each of two statistics and two tracks
    assert [(*row.values(),) for row in rows] == [
        ("1", "1:3:A:G", 4),
        ("HLA*01:01", "HLA*01:01:2:A:G", 4),
        ("X", "X:6:A:G", 4),
    ]
    assert not any("has not been run by us" in note for note in texts.notes)


@pytest.mark.parametrize("engine", [name for name in DIALECTS if name not in TRIED])
def test_the_others_say_that_nobody_has_tried(engine, ledger):
    assert any("has not been run by us" in note for note in run_texts(ledger, engine).notes)
