"""Alleles are found by identifier and place, in what is committed, and by no index but the run's own."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enformer_core.dataset.lookup import look_up
from enformer_core.dataset.lookup_index import open_index, read_spans
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.errors import DatasetError, InputError, StorageError
from enformer_core.storage.local import LocalStore
from enformer_core.variants.allele_keys import parse_key
from tests.support.dying import deaths, puts_of
from tests.support.toy_runs import begun_toy_run, toy_identity, toy_ledger, toy_run

CONTIGS = {"chr1": 1000, "HLA*01:01": 50}

ROWS = [
    *[("chr1", start, "A", "G") for start in range(4)],
    ("chr1", 3, "A", "C"),
    ("chr1", 3, "A", "G"),
    ("HLA*01:01", 4, "C", "CT"),
    (None, None, None, None),
]

IDS = ["rs1", "rs2;rs3", "RS4", None, "rs5", "rs3", "rs7", "rs8"]
"""Of the rows in their order; two rows of the plan have rs3."""


def keys(*texts):
    return [parse_key(text) for text in texts]


@pytest.fixture
def begun(tmp_path):
    return begun_toy_run(LocalStore(tmp_path / "run [1]"), ROWS, CONTIGS, shard_size=2, ids=IDS)


def found(answer):
    return [(each.row["variant_id"], each.row["input_line"], each.keys) for each in answer.alleles]


def test_a_finished_run_answers_by_id_and_by_place(begun):
    begun.commit_all()
    answer = look_up(begun.ledger, keys("rs4", "rs3", "1:4", "chr1:4:A:C", "rs99", "chr1:900"))
    assert found(answer) == [
        ("chr1:2:A:G", 2, ("rs3",)),
        ("chr1:3:A:G", 3, ("rs4",)),
        ("chr1:4:A:C", 5, ("1:4", "chr1:4:A:C")),
        ("chr1:4:A:G", 4, ("1:4",)),
        ("chr1:4:A:G", 6, ("rs3", "1:4")),
    ]
    assert answer.found() == {"rs4", "rs3", "1:4", "chr1:4:A:C"}
    assert not answer.uncommitted
    (allele,) = look_up(begun.ledger, keys("chr1:3")).alleles
    assert allele.row["max_abs_sad"] == 2.5
    assert allele.row["chrom"] == "chr1"
    assert "sad" not in allele.row
    assert [(each["statistic"], each["track"], each["value"]) for each in allele.strongest] == [
        ("d1", 5, 2.5),
        ("d1", 0, 2.0),
        ("sad", 5, -2.5),
        ("sad", 0, 2.0),
    ]


def test_a_row_without_a_place_says_why(begun):
    begun.commit_all()
    (allele,) = look_up(begun.ledger, keys("rs8")).alleles
    assert (allele.row["status"], allele.row["chrom"], allele.strongest) == ("malformed", None, ())


def test_a_place_beyond_all_numbers_is_nowhere(begun):
    begun.commit_all()
    answer = look_up(begun.ledger, keys("chr1:4", f"chr1:{'9' * 20}", f"chr1:{'9' * 5000}:A:G"))
    assert answer.found() == {"chr1:4"}


def test_a_file_in_the_place_of_the_index_costs_no_answer(begun):
    begun.commit_all()
    Path(begun.store.location, "lookup").write_text("")
    answer = look_up(begun.ledger, keys("rs4"))
    assert answer.found() == {"rs4"}
    assert "was not kept" in answer.note
    assert (
        read_spans(begun.store, begun.ledger.run).contigs
        == open_index(begun.store, begun.ledger.run).spans.contigs
    )


def test_a_contig_with_odd_letters_is_found(begun):
    begun.commit_all()
    answer = look_up(begun.ledger, keys("HLA*01:01:5:C:CT"))
    assert found(answer) == [("HLA*01:01:5:C:CT", 7, ("HLA*01:01:5:C:CT",))]


def test_of_a_key_without_a_row_the_neighbours_are_named(begun):
    begun.commit_all()
    answer = look_up(begun.ledger, keys("chr1:2:A:T"))
    assert not answer.alleles
    assert answer.beside == {"chr1:2:A:T": ["chr1:2:A:G"]}


def test_only_what_receipts_name_is_read(begun):
    begun.worker(ShardTask(begun.plan.shards[0]))
    # a shard under way, and what somebody left there
    for name in ("scores/chrom=chr1/shard-00000001.parquet", "scores/chrom=chr1/x.parquet"):
        begun.store.put_if_absent(name, b"no table")
    answer = look_up(begun.ledger, keys("rs1", "rs4", "chr1:1", "rs99"))
    assert answer.found() == {"rs1", "chr1:1"}
    assert answer.uncommitted == {"rs4"}
    begun.store.move("scores/chrom=chr1/shard-00000001.parquet", "damaged/x")
    begun.commit_all()
    assert look_up(begun.ledger, keys("rs4")).found() == {"rs4"}


def test_the_index_is_made_once_whole_or_not(begun, monkeypatch):
    begun.commit_all()
    wanted = found(look_up(begun.ledger, keys("rs3", "chr1:3")))
    folder = begun.store.root / "lookup"
    made = sorted(path.name for path in folder.rglob("*.parquet"))
    assert made == ["ids.parquet", "shards.parquet"]
    assert puts_of(lambda: look_up(begun.ledger, keys("rs3")), monkeypatch) == []
    for path in folder.rglob("*.parquet"):
        path.unlink()

    def dying(last):
        look_up(begun.ledger, keys("rs3"))

    for _ in deaths(dying, 2, monkeypatch):
        assert found(look_up(begun.ledger, keys("rs3", "chr1:3"))) == wanted


def test_an_index_of_another_plan_is_not_looked_at(begun, tmp_path):
    begun.commit_all()
    look_up(begun.ledger, keys("rs3"))
    other = begun_toy_run(
        LocalStore(tmp_path / "other"), ROWS, CONTIGS, shard_size=4, ids=[None, *IDS[:-1]]
    )
    other.commit_all()
    for path in (begun.store.root / "lookup").rglob("*.parquet"):
        key = path.relative_to(begun.store.root).as_posix()
        other.store.put_if_absent(key, path.read_bytes())
    assert found(look_up(other.ledger, keys("rs4"))) == [("chr1:4:A:G", 4, ("rs4",))]


def test_a_damaged_index_is_made_again_and_told(begun):
    begun.commit_all()
    wanted = found(look_up(begun.ledger, keys("rs3")))
    for path in (begun.store.root / "lookup").rglob("*.parquet"):
        content = path.read_bytes()
        path.write_bytes(content[:20])
        answer = look_up(begun.ledger, keys("rs3"))
        assert found(answer) == wanted
        assert "damaged" in answer.note
        path.write_bytes(content)


def test_an_index_that_misleads_is_noticed(begun):
    begun.commit_all()
    look_up(begun.ledger, keys("rs3"))
    (path,) = (begun.store.root / "lookup").rglob("ids.parquet")
    table = pq.read_table(path)
    turned = table.set_column(2, "row", pa.array(1 - np.asarray(table["row"]), pa.int32()))
    pq.write_table(turned, path)
    with pytest.raises(DatasetError, match=r"Remove the folder lookup/"):
        look_up(begun.ledger, keys("rs1"))


def test_who_may_only_read_is_answered(begun, monkeypatch):
    begun.commit_all()

    def refused(self, key, content):
        raise StorageError(f"{key}: read-only")

    monkeypatch.setattr(LocalStore, "put_if_absent", refused)
    answer = look_up(begun.ledger, keys("rs4"))
    assert answer.found() == {"rs4"}
    assert "read-only" in answer.note


def test_a_plan_without_ids_has_an_index(tmp_path):
    begun = begun_toy_run(LocalStore(tmp_path), ROWS, CONTIGS, shard_size=2)
    begun.commit_all()
    assert not look_up(begun.ledger, keys("rs1")).alleles
    assert len(look_up(begun.ledger, keys("chr1:1")).alleles) == 1
    index = open_index(begun.store, begun.run)
    assert index.spans.holding("chr1", [0, 1]) == [0]
    assert index.spans.holding("chr1", [2, 1]) == [0, 1]
    # between two shards, before and behind all of them
    assert index.spans.holding("chr1", [-1, 900]) == []
    assert index.spans.holding("chr9", [1, 2]) == []


def test_a_run_of_another_kind_and_a_damaged_file_are_named(begun):
    tiles = toy_ledger(begun.store, toy_run(toy_identity("tiles")), run_type=_tiles())
    with pytest.raises(InputError, match=r"has no alleles to look up"):
        look_up(tiles, keys("rs1"))
    begun.commit_all()
    path = next((begun.store.root / "scores").rglob("shard-00000000.parquet"))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DatasetError, match=r"its receipt says"):
        look_up(begun.ledger, keys("rs1"))
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(DatasetError, match=r"damaged"):
        look_up(begun.ledger, keys("rs1"))


def _tiles():
    from enformer_core.analyses import run_type_of  # noqa: PLC0415

    return run_type_of("tiles")
