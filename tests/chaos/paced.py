"""`enformer-ray` whose shards take at least so long, so that there is time to kill something on any machine.

    python -m tests.chaos.paced {model | toy} SECONDS score VARIANTS … --out …

`toy` computes nothing beside: values follow from the alleles by themselves, and workers do without torch. So drivers
can race for shards on a machine that could not feed eight models.
"""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cluster.pool import StagedFunction, WorkerFactory
from enformer_core.analyses.variant_effects import strongest_effects
from enformer_core.dataset.ledger import Committed, Ledger
from enformer_core.dataset.plan_storage import read_shard
from enformer_core.dataset.schemas import scores_schema
from enformer_core.dataset.shard_task import ShardWork
from tests.chaos.drivers import TALLY

TRACKS = 8


@dataclass(frozen=True)
class SlowFactory:
    """What is sent to a worker that computes."""

    factory: WorkerFactory
    seconds: float

    def __call__(self) -> "SlowShards":
        return SlowShards(self.factory(), self.seconds)


@dataclass(frozen=True)
class SlowShards:
    """Computes, and waits; counts what it begins."""

    shards: StagedFunction
    seconds: float

    def prepare(self, work: ShardWork) -> Any:
        return self.shards.prepare(work)

    def compute(self, prepared: Any) -> Any:
        with Path(os.environ[TALLY]).open("ab") as tally:
            tally.write(b".")
        computed = self.shards.compute(prepared)
        time.sleep(self.seconds)
        return computed

    def finish(self, computed: Any) -> Any:
        return self.shards.finish(computed)


@dataclass(frozen=True)
class ToyShards:
    """Reads its rows of the plan, waits, and commits."""

    ledger: Ledger
    seconds: float

    def prepare(self, work: ShardWork) -> Any:
        return work.shard, read_shard(self.ledger.store, work.shard)

    def compute(self, prepared: Any) -> Any:
        time.sleep(self.seconds)
        return prepared

    def finish(self, computed: Any) -> Committed:
        shard, rows = computed
        circumstances = {"seconds": self.seconds}
        return self.ledger.commit(
            shard, rows, _scores(rows), derived={"effects": _effects}, circumstances=circumstances
        )


@dataclass(frozen=True)
class ToyFactory:
    """What is sent to a worker that does not."""

    ledger: Ledger
    seconds: float

    def __call__(self) -> ToyShards:
        return ToyShards(self.ledger, self.seconds)


def _scores(rows: pa.Table) -> pa.Table:
    """A value for each track of each allele; all alleles of the small input can be scored."""
    starts = np.asarray(rows["start"])
    values = np.outer(starts % 97 + 1, np.arange(1, TRACKS + 1)).astype(np.float32)
    values += np.array([[ord(alt[0])] for alt in rows["alt"].to_pylist()], dtype=np.float32)
    schema = scores_schema(("sad",))
    columns = {
        **{name: rows[name] for name in rows.column_names},
        "variant_id": pa.array(
            [f"{at}:{number}" for number, at in enumerate(rows["start"].to_pylist())]
        ),
        "pos": pc.add(rows["start"], 1),
        "offset_bp": pa.array([0] * rows.num_rows, pa.int32()),
        "sad": pa.array(list(values), pa.list_(pa.float32())),
        "max_abs_sad": pa.array(values[:, -1]),
        "max_abs_sad_track": pa.array([TRACKS - 1] * rows.num_rows, pa.int32()),
    }
    return pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)


def _effects(scores: pa.Table) -> pa.Table:
    return strongest_effects(scores, statistics=("sad",), tracks=range(TRACKS), top_tracks=3)


def main() -> int:
    """Run the command."""
    from jobs import cli, score  # noqa: PLC0415 - workers import this module too, and not torch
    from tests.chaos import paced  # noqa: PLC0415 - by the name that workers find

    kind, seconds, make = sys.argv.pop(1), float(sys.argv.pop(1)), score._factory
    score._factory = {
        "model": lambda request, ledger: paced.SlowFactory(make(request, ledger), seconds),
        "toy": lambda request, ledger: paced.ToyFactory(ledger, seconds),
    }[kind]
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
