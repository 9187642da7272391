"""Shards of a run with genes: whoever stores which of its tables, and whenever somebody dies, they agree."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from enformer_core.analyses.gene_run_type import GENE_IDS, GeneEffectsType, gene_rows
from enformer_core.analyses.gene_table import GeneTable
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.commit import ContradictionError
from enformer_core.dataset.keys import receipt_key, table_key
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.dataset.verify import verify_run
from enformer_core.scoring.gene_bins import GeneReach
from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele
from tests.simulation.subject import Heap
from tests.support.genes import gene, genes
from tests.support.plans import make_draft, placed_table
from tests.support.toy_runs import (
    CONTIGS,
    CONVENTIONS,
    TRACKS,
    CountingScorer,
    put_tracks,
    scoring_worker,
    toy_identity,
    toy_ledger,
    toy_run,
)

ROWS = [
    *(("chr1", start, "A", "G") for start in (10, 20, 20, 30)),
    ("chr1", 40, "C", "CT"),
    ("chr2", 50, "A", "G"),
    ("chr10", 60, "A", "G"),
    (None, None, None, None),
]
"""Of chr1 all have two genes, the one at 20 twice; of chr2 one; of chr10 and of what has no place none."""

REACH = GeneReach(
    genes(
        gene("near", 300, 700, chrom="chr1"),
        gene("left", 5, chrom="chr1", strand="-"),
        gene("other", 900, chrom="chr2"),
    ),
    CONVENTIONS,
)

TABLES = ("scores", "gene_effects", "effects")


class GeneScorer(CountingScorer):
    """Of the gene at place n of an allele's: start + n, and the same of the other value with its sign turned."""

    def __init__(self, offset=0.0, broken=()):
        super().__init__(offset)
        self.broken = broken

    def score_with_genes(self, alleles, start):
        scored = []
        for allele, scores in zip(alleles, self.score(alleles, start), strict=True):
            found = REACH.of_allele(allele, start)
            values = [
                np.array([allele.start + at, -1.0, 0.5]) + self.offset for at in range(len(found))
            ]
            if allele.start in self.broken:
                values = [value * np.nan for value in values]
            effects = [
                GeneEffect(each, {"log2_ratio": value, "difference": -value})
                for each, value in zip(found, values, strict=True)
            ]
            scored.append(ScoredAllele(scores, tuple(effects)))
        return scored


def begun():
    """A store with a plan of two shards and more, and a maker of workers."""
    placed = placed_table(ROWS)
    placed = placed.append_column(GENE_IDS, REACH.gene_ids(placed))
    draft = make_draft(placed, CONTIGS, 9, window_starts=lambda starts: starts - 98_303)
    run = toy_run(
        toy_identity("variants_and_genes", statistics=("sad", "d1")),
        sha256=draft.sha256,
        shards=len(draft.shards),
        by_status=draft.by_status,
    )
    store = Heap()
    run.claim(store)
    put_tracks(store, run)
    plan = draft.put(store)

    def worker(scorer, through=store):
        ledger = toy_ledger(through, run, GeneEffectsType())
        return scoring_worker(scorer, ledger, CONVENTIONS, TRACKS, genes=GeneTable(scorer, REACH))

    return store, run, plan, worker


def shard_of(plan, chrom):
    return next(shard for shard in plan.shards if shard.chrom == chrom)


def stored(store, shard):
    return {
        name: from_parquet(store.objects[table_key(name, shard.chrom, shard.number)], name)[0]
        for name in TABLES
    }


def test_rows_answer_the_planned_alleles_and_genes():
    store, _, plan, worker = begun()
    for shard in plan.shards:
        worker(GeneScorer())(ShardTask(shard))
    table = stored(store, shard_of(plan, "chr1"))["gene_effects"].to_pylist()
    assert [(row["pos"], row["gene_id"], row["distance"]) for row in table] == [
        (11, "left", -5),
        (11, "near", -290),
        *[(21, "left", -15), (21, "near", -280)] * 2,
        (31, "left", -25),
        (31, "near", -270),
        (41, "left", -35),
        (41, "near", -260),
    ]
    assert table[1]["log2_ratio"] == [11.0, -1.0, 0.5]
    assert table[1]["difference"] == [-11.0, 1.0, -0.5]
    assert (table[1]["max_abs_difference"], table[1]["max_abs_difference_track"]) == (11.0, 0)
    assert table[2]["log2_ratio"] == table[4]["log2_ratio"]  # of an allele and its repeat
    # 300 and 700 lie in bins 449 and 452 of the window around 10, of which 448 begins at base 11
    assert table[1]["tss_bins"] == [449, 450, 451, 452, 453, 454]
    assert stored(store, shard_of(plan, "chr10"))["gene_effects"].num_rows == 0
    assert stored(store, shard_of(plan, None))["gene_effects"].num_rows == 0


def test_where_all_tracks_have_0_none_is_the_strongest():
    store, _, plan, worker = begun()

    class Idle(GeneScorer):
        def score_with_genes(self, alleles, start):
            nothing = {"log2_ratio": np.zeros(3), "difference": np.array([0.0, 2.0, -2.0])}
            return [
                replace(scored, genes=tuple(replace(each, values=nothing) for each in scored.genes))
                for scored in super().score_with_genes(alleles, start)
            ]

    worker(Idle())(ShardTask(shard_of(plan, "chr2")))
    (row,) = stored(store, shard_of(plan, "chr2"))["gene_effects"].to_pylist()
    assert (row["max_abs_log2_ratio"], row["max_abs_log2_ratio_track"]) == (0.0, None)
    # of equals the first
    assert (row["max_abs_difference"], row["max_abs_difference_track"]) == (2.0, TRACKS[1])


class Watched(Heap):
    """A store before each of whose puts something happens."""

    def __init__(self, objects, before):
        super().__init__(objects)
        self.puts = 0
        self.before = before

    def put_if_absent(self, key, content):
        self.before(self.puts)
        self.puts += 1
        return super().put_if_absent(key, content)


class DiedError(Exception):
    pass


def dies_before(put):
    def before(number):
        if number == put:
            raise DiedError

    return before


@pytest.mark.parametrize("put", range(4))
def test_a_worker_dies_before_any_put_and_another_with_other_digits_goes_on(put):
    store, run, plan, worker = begun()
    shard = shard_of(plan, "chr1")
    with pytest.raises(DiedError):
        worker(GeneScorer(), Watched(store.objects, dies_before(put)))(ShardTask(shard))
    for each in plan.shards:
        worker(GeneScorer(offset=0.25))(ShardTask(each))
    tables = stored(store, shard)
    own = [10.0 + 0.25 * (put < 1), 10.0 + 0.25 * (put < 2)]
    assert [
        tables["scores"]["sad"][0].as_py()[0],
        tables["gene_effects"]["log2_ratio"][0].as_py()[0],
    ] == own
    verdict = verify_run(toy_ledger(store, run, GeneEffectsType()))
    assert not verdict.problems


@pytest.mark.parametrize("put", range(4))
def test_another_worker_overtakes_before_any_put(put):
    store, run, plan, worker = begun()
    shard = shard_of(plan, "chr1")

    def overtake(number):
        if number == put:
            worker(GeneScorer(offset=0.25))(ShardTask(shard))

    committed = worker(GeneScorer(), Watched(store.objects, overtake))(ShardTask(shard))
    # four objects in all; those before the overtaking are the first one's
    assert committed.found == 4 - put
    assert not verify_run(toy_ledger(store, run, GeneEffectsType())).problems


def test_a_gene_that_cannot_be_computed_fails_its_allele():
    store, run, plan, worker = begun()
    for shard in plan.shards:
        worker(GeneScorer(broken=(20,)))(ShardTask(shard))
    tables = stored(store, shard_of(plan, "chr1"))
    statuses = tables["scores"]["status"].to_pylist()
    assert statuses == ["ok", "failed", "failed", "ok", "ok"]
    reason = tables["scores"]["reason"][1].as_py()
    assert reason == "log2_ratio of 3 tracks is not finite, the first 0"
    genes_of_failed = tables["gene_effects"].slice(2, 4).to_pylist()
    for row in genes_of_failed:
        assert row["log2_ratio"] is row["difference"] is row["max_abs_log2_ratio"] is None
        assert row["tss_bins"]
    assert not verify_run(toy_ledger(store, run, GeneEffectsType())).problems


def test_what_failed_for_one_attempt_has_no_values_of_another():
    """The first has stored that an allele fails, and dies: the second, which could score it, leaves its genes null."""
    store, run, plan, worker = begun()
    shard = shard_of(plan, "chr1")
    task = ShardTask(shard).without({3: "poison"})
    with pytest.raises(DiedError):
        worker(GeneScorer(), Watched(store.objects, dies_before(1)))(task)
    for each in plan.shards:
        worker(GeneScorer())(ShardTask(each))
    table = stored(store, shard)["gene_effects"].slice(6, 2).to_pylist()
    for row in table:
        assert (row["pos"], row["log2_ratio"], row["max_abs_difference"]) == (31, None, None)
        assert row["max_abs_log2_ratio_track"] is None
    assert not verify_run(toy_ledger(store, run, GeneEffectsType())).problems
    # the other way round the two contradict each other, and nothing is stored
    store, _, plan, worker = begun()
    with pytest.raises(DiedError):
        worker(GeneScorer(), Watched(store.objects, dies_before(1)))(ShardTask(shard))
    with pytest.raises(ContradictionError):
        worker(GeneScorer())(task)
    assert receipt_key(shard.number) not in store.objects


@pytest.mark.parametrize(
    "spoil",
    [
        lambda table: table.slice(1),
        lambda table: pa.concat_tables([table, table.slice(0, 1)]),
        lambda table: table.take(pa.array([1, 0, *range(2, table.num_rows)])),
    ],
    ids=["a row less", "a row twice", "two exchanged"],
)
def test_rows_that_are_not_the_planned_ones_are_refused(spoil, monkeypatch):
    _, _, plan, worker = begun()
    right = GeneTable.table
    monkeypatch.setattr(GeneTable, "table", lambda *given: spoil(right(*given)))
    with pytest.raises(Exception, match="does not hold this shard's alleles in the plan's order"):
        worker(GeneScorer())(ShardTask(shard_of(plan, "chr1")))


def test_keys_of_rows():
    planned = pa.table(
        {
            "input_file": ["f"] * 3,
            "input_line": [4, 5, 6],
            "alt_index": [1, 1, 1],
            GENE_IDS: pa.array([["a", "b"], [], ["c"]], pa.list_(pa.string())),
        }
    )
    for rows, genes_of, lines in (
        (planned, ["a", "b", "c"], [4, 4, 6]),
        (planned.slice(1), ["c"], [6]),
    ):
        keys = gene_rows(rows)
        assert keys["gene_id"].to_pylist() == genes_of
        assert keys["input_line"].to_pylist() == lines
    assert gene_rows(planned)["row"].to_pylist() == [0, 0, 2]


def test_a_trial_stores_nothing():
    store, _, plan, worker = begun()
    before = set(store.objects)
    shard = shard_of(plan, "chr1")
    worker(GeneScorer())(replace(ShardTask(shard), trial=(0, 1)))
    assert set(store.objects) == before
