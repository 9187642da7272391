"""Tables beside toy runs: what is made of them, so simple that it can be said by heart."""

import os
import signal
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.dataset.ledger import ShardValues
from enformer_core.dataset.plan_storage import read_shard
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.stored_tables import stored_tables
from enformer_core.storage.local import LocalStore
from enformer_core.summaries import write_summary
from tests.support.toy_runs import begun_toy_run


@dataclass(frozen=True)
class Times:
    """So many times the largest size of `sad`, and the process that has reckoned it."""

    factor: float

    def __call__(self, scores):
        largest = pc.multiply(scores["max_abs_sad"], pa.scalar(self.factor, pa.float32()))
        process = pa.array([os.getpid()] * scores.num_rows, pa.int64())
        return pa.table({"times": largest, "process": process})


@dataclass(frozen=True)
class Killed(Times):
    """The same, by a process that is killed."""

    def __call__(self, scores):
        os.kill(os.getpid(), signal.SIGKILL)


def _ranks_by_place(scores):
    """As `percentiles` has it: a PHRED for each row that has scores."""
    phred = pc.add(pc.multiply(scores["pos"], 2.0), 1.0)
    return pa.table({"max_sad_phred": pc.cast(phred, pa.float32())})


def write_ranks_by_place(ledger):
    """A table `percentiles` beside a run, whose PHREDs are twice an allele's place and 1."""
    return write_summary(ledger, "percentiles", {"version": 1}, _ranks_by_place, columns=["pos"])


def finished_toy_run(place, **options):
    """A run that is complete, of 10 alleles in shards of three, or what `begun_toy_run` is told."""
    run = begun_toy_run(LocalStore(place), **options)
    run.commit_all()
    run.ledger.finish(run.plan)
    return run


class GivenScorer:
    """Scores that are given: of each allele, by its place on the contig, the values of `sad` in three tracks.

    `d1` is their size. What is not finite fails.
    """

    def __init__(self, values):
        self._values = values

    def score(self, alleles, start):
        values = [np.array(self._values[allele.start], np.float64) for allele in alleles]
        return [{"sad": each, "d1": np.abs(each)} for each in values]


def given_run(place, values, *, shard_size=3, order=None, tracks=None):
    """A finished run of one allele for each row of `values`, by place from 0 on.

    Args:
        place: where it lies.
        values: rows of three.
        shard_size: alleles of a shard.
        order: in which the input has them, by row; an allele may come twice.
        tracks: three; without names by default.
    """
    order = range(len(values)) if order is None else order
    rows = [("chr1", int(start), "A", "G") for start in order]
    return finished_toy_run(
        place,
        rows=rows,
        contigs={"chr1": len(values) + 1},
        shard_size=shard_size,
        scorer=GivenScorer(values),
        tracks=tracks,
    )


def stored_run(place, values, tracks=None):
    """As `given_run`, of any values that a file can hold; the engine would let those fail that are not finite."""
    values = np.array(values, np.float32)
    known = given_run(place / "known", np.nan_to_num(values))
    run = begun_toy_run(
        LocalStore(place / "stored"),
        [("chr1", start, "A", "G") for start in range(len(values))],
        {"chr1": len(values) + 1},
        tracks=tracks,
    )
    for shard in run.plan.shards:
        _, scores = next(stored_tables(known.ledger, "scores", shards={shard.number}))
        _, effects = next(stored_tables(known.ledger, "effects", shards={shard.number}))
        own = values[np.asarray(scores["input_line"]) - 1]
        for name, lists in (("sad", own), ("d1", np.abs(own))):
            column = pa.array(lists.tolist(), pa.list_(pa.float32()))
            scores = scores.set_column(scores.column_names.index(name), name, column)
        planned = read_shard(run.store, shard, digest=run.run.plan.sha256[shard.part])
        run.ledger.commit(
            shard,
            planned,
            ShardValues({"scores": scores}, Provenance()),
            derive=lambda _, effects=effects: {"effects": effects},
        )
    run.ledger.finish(run.plan)
    return run
