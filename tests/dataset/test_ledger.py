"""Commits, twins, damage: what lies in the directory is one run, each shard once, and any change is found."""

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.digests import content_digest
from enformer_core.dataset.keys import MANIFEST_KEY, RUN_KEY, chrom_of_key, receipt_key, table_key
from enformer_core.dataset.progress import run_progress
from enformer_core.dataset.run import read_run
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.verify import verify_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.storage.local import LocalStore
from tests.support.toy_runs import (
    CONVENTIONS,
    ROWS,
    TRACKS,
    CountingScorer,
    begun_toy_run,
    scoring_worker,
    toy_ledger,
)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "run")


@pytest.fixture
def run(store):
    begun = begun_toy_run(store)
    return begun.run, begun.plan


def shard_scorer(store, run, scorer=None):
    return scoring_worker(scorer or CountingScorer(), toy_ledger(store, run), CONVENTIONS, TRACKS)


def score_all(store, run, plan):
    scorer = shard_scorer(store, run)
    for shard in plan.shards:
        scorer(ShardTask(shard))
    return toy_ledger(store, run).finish(plan)


def tables(store, kind):
    return [from_parquet(store.get(key), key)[0] for key in store.keys(f"{kind}/")]


def test_a_finished_run_has_each_allele_once_and_verifies(store, run):
    manifest = score_all(store, *run)
    assert manifest.rows == len(ROWS)
    assert manifest.by_status == {"malformed": 1, "ok": 9}
    verdict = verify_run(toy_ledger(store, run[0]))
    assert verdict.problems == ()
    assert verdict.complete
    assert verdict.rows == len(ROWS)
    progress = run_progress(toy_ledger(store, run[0]))
    assert (progress.shards_done, progress.rows_done, progress.finished) == (
        len(run[1].shards),
        len(ROWS),
        True,
    )


def test_rows_carry_the_scores_of_their_allele(store, run):
    score_all(store, *run)
    rows = [row for part in tables(store, "scores") for row in part.to_pylist()]
    for row in rows:
        if row["status"] == "malformed":
            assert row["sad"] is None
            assert row["max_abs_sad"] is None
            assert row["window_start"] is None
            continue
        start = row["pos"] - 1
        assert row["sad"] == [start, -start - 0.5, 1]
        assert row["max_abs_sad"] == (start + 0.5 if start > 0 else 1)
        assert row["max_abs_sad_track"] == (5 if start > 0 else 7)
        assert row["window_start"] == start - 98_303
        assert row["offset_bp"] == 0
        chrom = "chr2" if row["ref"] == "C" else "chr1"
        assert row["variant_id"] == f"{chrom}:{row['pos']}:{row['ref']}:{row['alt']}"


def test_duplicates_are_scored_once_and_answered_twice(store, run):
    scorer = CountingScorer()
    for shard in run[1].shards:
        shard_scorer(store, run[0], scorer)(ShardTask(shard))
    assert len(scorer.scored) == 8
    twice = [
        row
        for part in tables(store, "scores")
        for row in part.to_pylist()
        if row["variant_id"] == "chr1:4:A:G"
    ]
    assert [row["flags"] for row in twice] == [[], ["duplicate"]]
    assert twice[0]["sad"] == twice[1]["sad"]
    effects = [row for part in tables(store, "effects") for row in part.to_pylist()]
    assert (
        sum(row["variant_id"] == "chr1:4:A:G" for row in effects) == 2 * 2
    )  # statistics × top tracks, once


def test_effects_are_the_strongest_tracks_with_ties_by_index(store, run):
    score_all(store, *run)
    effects = [row for part in tables(store, "effects") for row in part.to_pylist()]
    of_first = [
        row for row in effects if row["variant_id"] == "chr1:1:A:G" and row["statistic"] == "d1"
    ]
    # values 0, 0.5 and 1 of tracks 0, 5, 7
    assert [(row["rank"], row["track"], row["value"]) for row in of_first] == [
        (2, 5, 0.5),
        (1, 7, 1.0),
    ]
    for part in tables(store, "effects"):
        keys = list(zip(part["track"].to_pylist(), part["pos"].to_pylist(), strict=True))
        assert keys == sorted(keys)


def test_scores_that_are_not_finite_fail_with_a_reason(store, run):
    scorer = CountingScorer()
    scorer.offset = np.array([0, np.nan, 0])
    committed = shard_scorer(store, run[0], scorer)(ShardTask(run[1].shards[0]))
    assert committed.by_status == {"failed": committed.rows}
    row = tables(store, "scores")[0].to_pylist()[0]
    assert row["sad"] is None
    assert row["reason"] == "sad of 1 tracks is not finite, the first 5"
    assert tables(store, "effects")[0].num_rows == 0


def test_a_twin_that_comes_second_takes_the_first_ones_scores(store, run):
    shard = run[1].shards[0]
    shard_scorer(store, run[0])(ShardTask(shard))
    first = json.loads(store.get(receipt_key(shard.number)))
    (store.root / receipt_key(shard.number)).unlink()
    (store.root / table_key("effects", shard.chrom, shard.number)).unlink()
    committed = shard_scorer(store, run[0], CountingScorer(offset=1e-3))(ShardTask(shard))
    assert committed.found == 1  # the scores
    second = json.loads(store.get(receipt_key(shard.number)))
    assert second["tables"]["scores"] == first["tables"]["scores"]
    assert second["tables"]["effects"] == first["tables"]["effects"]


def test_an_object_of_another_run_stops_the_commit(store, run):
    shard = run[1].shards[0]
    shard_scorer(store, run[0])(ShardTask(shard))
    other = replace(run[0], identity={**run[0].identity, "seed": 2}, notice=None)
    with pytest.raises(DatasetError, match=f"belongs to run {run[0].digest}"):
        shard_scorer(store, other)(ShardTask(shard))


def test_finishing_needs_every_receipt(store, run):
    shard_scorer(store, run[0])(ShardTask(run[1].shards[0]))
    with pytest.raises(DatasetError, match=r"shards have no receipt, the first \[1, "):
        toy_ledger(store, run[0]).finish(run[1])
    assert store.get(MANIFEST_KEY) is None


def _flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _without_objects(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"objects": []}))


def _swap_two_files(path):
    other = next(p for p in sorted(path.parent.glob("*.parquet")) if p != path)
    mine = path.read_bytes()
    path.write_bytes(other.read_bytes())
    other.write_bytes(mine)


@pytest.mark.parametrize(
    ("place", "harm", "found"),
    [
        ("scores/chrom=chr1/*", _flip_a_byte, "sha256 is"),
        ("scores/chrom=chr1/*", lambda path: path.unlink(), "missing"),
        ("scores/chrom=chr1/*", _swap_two_files, "sha256 is"),
        ("effects/chrom=chr1/*", _flip_a_byte, "sha256 is"),
        ("plan/*", _flip_a_byte, "damaged|differ|does not hold|sha256|planned"),
        ("commits/*", lambda path: path.write_text("{"), "damaged"),
        ("manifest.json", _without_objects, "lists other objects"),
        (
            "scores/chrom=chr1/*",
            lambda path: path.with_name("extra.parquet").write_bytes(b"x"),
            "no receipt names it",
        ),
    ],
)
def test_any_damage_is_found_and_named(store, run, place, harm, found):
    score_all(store, *run)
    harm(min(store.root.glob(place)))
    problems = verify_run(toy_ledger(store, run[0])).problems
    assert problems
    assert re.search(found, "\n".join(problems))


def test_a_missing_receipt_makes_a_run_incomplete_not_damaged(store, run):
    for shard in list(run[1].shards)[:2]:
        shard_scorer(store, run[0])(ShardTask(shard))
    verdict = verify_run(toy_ledger(store, run[0]))
    assert verdict.problems == ()
    assert not verdict.complete
    assert verdict.missing_shards == len(run[1].shards) - 2


def test_another_identity_is_refused_and_the_fields_are_named(store, run):
    tracks = {**run[0].identity["tracks"], "count": 4}
    other = replace(run[0], identity={**run[0].identity, "seed": 2, "tracks": tracks})
    with pytest.raises(
        InputError, match=r"(?s)seed: there 1, now 2.*tracks\.count: there 3, now 4"
    ):
        other.claim(store)
    replace(run[0], configuration={"workers": 7}).claim(store)  # no part of the identity


def test_a_changed_run_json_is_noticed(store, run):
    path = store.root / RUN_KEY
    content = json.loads(path.read_text())
    content["identity"]["seed"] = 3
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="digest"):
        read_run(store)


def test_the_content_digest_is_of_values_not_of_their_encoding():
    values = pa.table(
        {"a": ["x", None, ""], "b": pa.array([[1.0, 2.0], None, []], pa.list_(pa.float32()))}
    )
    chunked = pa.concat_tables([values.slice(0, 1), values.slice(1)])
    sliced = pa.concat_tables([values, values]).combine_chunks().slice(3)
    digest = content_digest(values)
    assert digest == content_digest(chunked) == content_digest(sliced)
    for other in (
        {"a": ["x", "", ""], "b": values["b"]},
        {"a": ["x", None, ""], "b": pa.array([[1.0], [2.0], []], pa.list_(pa.float32()))},
        {"a": ["x", None, ""], "b": pa.array([[1.0, 2.0], [], []], pa.list_(pa.float32()))},
    ):
        assert content_digest(pa.table(other)) != digest
    truths = [[True, None, False], [True, False, False], [True, None, True], [True, False, None]]
    assert len({content_digest(pa.table({"a": each})) for each in truths}) == len(truths)


def test_contigs_with_odd_names_go_round():
    key = table_key("scores", "HLA*01:01/x", 3)
    assert key == "scores/chrom=HLA%2A01%3A01%2Fx/shard-00000003.parquet"
    assert chrom_of_key(key) == "HLA*01:01/x"


def test_a_receipt_under_another_number_answers_for_no_shard(store, run):
    score_all(store, *run)
    copied = (store.root / receipt_key(0)).read_bytes()
    (store.root / receipt_key(len(run[1].shards))).write_bytes(copied)
    (problem,) = verify_run(toy_ledger(store, run[0])).problems
    assert "is the receipt of shard 0. Run `enformer-ray repair " in problem


def test_what_lies_among_the_receipts_and_is_none_is_passed_over(store, run):
    score_all(store, *run)
    strays = ("desktop.ini", "shard-00000000 copy.json", "@eaDir/shard-00000000.json@SynoResource")
    for name in (*strays, ".shard-00000000.json.swp"):
        path = store.root / "commits" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    verdict = verify_run(toy_ledger(store, run[0]))
    assert verdict.problems == ()
    assert verdict.complete
    told = "\n".join(verdict.notes)
    assert all(f"commits/{name}: is no receipt, and nothing reads it" in told for name in strays)
    assert run_progress(toy_ledger(store, run[0])).finished


def read_everything(store):
    ledger = toy_ledger(store, read_run(store))
    return ledger.manifest(), list(ledger.receipts())


@pytest.mark.parametrize("key", [RUN_KEY, MANIFEST_KEY, receipt_key(0)])
def test_letters_that_are_no_utf8_are_damage(store, run, key):
    score_all(store, *run)
    path = store.root / key
    path.write_bytes(path.read_bytes().replace(b"only a test", b"only \xff test"))
    with pytest.raises(DatasetError, match=f"{key}: damaged"):
        read_everything(store)


def test_a_run_of_the_first_format_is_read(store, run):
    score_all(store, *run)
    path = store.root / RUN_KEY
    content = json.loads(path.read_text()) | {"format": 1}
    content["plan"] |= {"alleles": len(ROWS)}
    path.write_text(json.dumps(content))
    for receipt in (store.root / "commits").iterdir():
        stored = json.loads(receipt.read_text())
        tables, provenance = stored.pop("tables"), stored.pop("provenance")
        receipt.write_text(json.dumps(stored | tables | provenance))
    manifest = store.root / MANIFEST_KEY
    stored = json.loads(manifest.read_text())
    stored["objects"] = [entry | entry.pop("tables") for entry in stored["objects"]]
    manifest.write_text(json.dumps(stored))
    ledger = toy_ledger(store, read_run(store))
    assert verify_run(ledger).problems == ()
    assert run_progress(ledger).finished
    content["format"] = 3
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="format 3, this program reads 1 and 2"):
        read_run(store)
