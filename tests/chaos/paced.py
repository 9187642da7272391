"""`enformer-ray` whose shards take at least so long, so that there is time to kill something on any machine.

    python -m tests.chaos.paced {model | toy} SECONDS score VARIANTS … --out …

`toy` computes nothing beside: values follow from the alleles by themselves, and workers do without torch. So drivers
can race for shards on a machine that could not feed eight models.
"""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from enformer_core.analyses.base import Computation, ComputedRows, Loader, WorkerResources
from enformer_core.analyses.strongest_effects import strongest_effects
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.schemas import scores_schema
from enformer_core.dataset.shard_task import LeftOut
from tests.chaos.drivers import TALLY

TRACKS = 8


@dataclass(frozen=True)
class SlowLoader:
    """Loads what a worker computes with, so that it takes its time."""

    loader: Loader
    seconds: float

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "SlowComputation":
        return SlowComputation(self.loader.load(resources, planned_contigs), self.seconds)


@dataclass(frozen=True)
class SlowComputation:
    """Computes, and waits; counts what it begins."""

    computation: Computation
    seconds: float

    @property
    def provenance(self) -> Provenance:
        return self.computation.provenance

    def compute(self, rows: pa.Table, left_out: LeftOut) -> ComputedRows:
        with Path(os.environ[TALLY]).open("ab") as tally:
            tally.write(b".")
        computed = self.computation.compute(rows, left_out)
        time.sleep(self.seconds)
        return computed

    def derive(self, stored: Tables) -> Tables:
        return self.computation.derive(stored)


@dataclass(frozen=True)
class ToyLoader:
    """Loads nothing."""

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "ToyComputation":
        return ToyComputation()


@dataclass(frozen=True)
class ToyComputation:
    """Answers with values that can be worked out."""

    provenance: Provenance = field(default_factory=Provenance)

    def compute(self, rows: pa.Table, left_out: LeftOut) -> ComputedRows:
        return ComputedRows({"scores": _scores(rows)}, rows.num_rows)

    def derive(self, stored: Tables) -> Tables:
        return {"effects": _effects(stored["scores"])}


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
    from enformer_core.analyses.variant_effects import VariantEffects  # noqa: PLC0415
    from jobs import cli  # noqa: PLC0415 - workers import this module too, and not torch
    from tests.chaos import paced  # noqa: PLC0415 - by the name that workers find

    kind = sys.argv.pop(1)
    seconds = float(sys.argv.pop(1))
    loader_of = VariantEffects.loader.fget
    VariantEffects.loader = property(
        {
            "model": lambda analysis: paced.SlowLoader(loader_of(analysis), seconds),
            "toy": lambda analysis: paced.SlowLoader(paced.ToyLoader(), seconds),
        }[kind]
    )
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
