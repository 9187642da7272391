"""Tables beside toy runs: what is made of them, so simple that it can be said by heart."""

import os
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.storage.local import LocalStore
from tests.support.toy_runs import begun_toy_run


@dataclass(frozen=True)
class Times:
    """So many times the largest size of `sad`, and the process that has reckoned it."""

    factor: float

    def __call__(self, scores):
        largest = pc.multiply(scores["max_abs_sad"], pa.scalar(self.factor, pa.float32()))
        process = pa.array([os.getpid()] * scores.num_rows, pa.int64())
        return pa.table({"times": largest, "process": process})


def finished_toy_run(place, **options):
    """A run that is complete, of 10 alleles in shards of three, or what `begun_toy_run` is told."""
    run = begun_toy_run(LocalStore(place), **options)
    run.commit_all()
    run.ledger.finish(run.plan)
    return run
