"""What a kind of run is: one file beside this one for each, and everything that they share.

An `Analysis` is a run as it was asked for, resolved and checked. The driver asks it for its identity
and its plan. Its `Loader` is sent to workers, where it becomes a `Computation` that holds the model and
computes shards. `ShardWorker` does with a shard what every kind of run does: read its rows, compute
them, commit them.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import pyarrow as pa

from enformer_core.dataset.codec import JsonObject
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.ledger import Committed, Ledger, ShardValues
from enformer_core.dataset.plan_builder import DraftPlan
from enformer_core.dataset.plan_storage import read_shard
from enformer_core.dataset.receipts import AuditedAllele, Manifest, Provenance, ReusedRows
from enformer_core.dataset.run import Identity
from enformer_core.dataset.run_type import RunType
from enformer_core.dataset.shard_task import LeftOut, ShardTask, TrialResult
from enformer_core.machine import hardware, software

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class WorkerResources:
    """What one worker may use of its machine.

    Attributes:
        device: `cpu` or `cuda`.
        cpus: threads.
        gpus: GPUs.
        memory_bytes: host memory that it is held to where it can choose.
    """

    device: str
    cpus: int
    gpus: int
    memory_bytes: int


@dataclass(frozen=True)
class ComputedRows:
    """What a computation made of rows of the plan.

    Attributes:
        tables: the value tables of the run type, by name; their rows answer the planned ones in order.
        computed: how many planned rows something was computed for.
        audits: alleles that were scored twice.
        reused: rows of the first table that were copied from other runs.
    """

    tables: Tables
    computed: int
    audits: tuple[AuditedAllele, ...] = ()
    reused: tuple[ReusedRows, ...] = ()


@runtime_checkable
class Computation(Protocol):
    """An analysis in a worker, its model loaded."""

    @property
    def provenance(self) -> Provenance:
        """Software, hardware and arithmetic, for receipts; the times are filled in by the caller."""
        ...

    def compute(
        self,
        rows: pa.Table,
        left_out: LeftOut,
    ) -> ComputedRows:
        """Compute the value tables of a shard.

        Args:
            rows: of the plan.
            left_out: rows that are not computed; they get rows without values all the same.
        """
        ...

    def derive(self, stored: Tables) -> Tables:
        """The derived tables, from the value tables as stored."""
        ...


def provenance_of(
    device: "torch.device", arithmetic: str, *, engine: str | None = None
) -> Provenance:
    """What a receipt says of this process: software, hardware, arithmetic."""
    return Provenance(engine=engine, arithmetic=arithmetic, **software(), **hardware(device))


@runtime_checkable
class DraftInput(Protocol):
    """What was read and counted, ready to be planned.

    Attributes:
        rows: rows that the plan will have.
        contigs: contigs on which some of them lie.
        records: input records that they come from, where rows are not records themselves.
        filtered: records that the user's filters took out, by filter.
    """

    @property
    def rows(self) -> int: ...  # noqa: D102
    @property
    def contigs(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def records(self) -> int | None: ...  # noqa: D102
    @property
    def filtered(self) -> Mapping[str, int]: ...  # noqa: D102

    def draft(self, seed: str) -> DraftPlan:
        """Sort and cut the rows into shards; `seed` decides whatever is drawn by chance."""
        ...


@runtime_checkable
class Loader(Protocol):
    """What of an analysis is sent to workers: names and settings, no data."""

    def load(
        self,
        resources: WorkerResources,
        planned_contigs: Mapping[str, str],
    ) -> Computation:
        """Load the model.

        Args:
            resources: what the worker may use.
            planned_contigs: sha256 of each contig that the run reads, as `run.json` has it.

        Raises:
            InputError: when this node has other weights, or another genome, than the driver.
        """
        ...


class Analysis(ABC):
    """A run as it was asked for: everything named in it found, nothing computed yet.

    Attributes:
        run_type: its tables and keys.
    """

    run_type: ClassVar[RunType]

    @property
    @abstractmethod
    def loader(self) -> Loader:
        """What of this run is sent to workers; it loads the model there."""

    @abstractmethod
    def identity(
        self,
        contigs: Iterable[str],
        rows: int,
    ) -> Identity:
        """Everything that decides the run's values.

        Args:
            contigs: those whose letters are part of it: where planned rows lie.
            rows: how many are planned.
        """

    @abstractmethod
    def read_input(self) -> AbstractContextManager[DraftInput]:
        """Read what is to be planned, while the block lasts.

        Raises:
            InputError: when the input or the weights cannot be used.
        """

    def report(self, manifest: Manifest) -> Sequence[str]:
        """Lines about a finished run that only this kind has."""
        del manifest
        return ()

    def columns_taken(self, draft_input: DraftInput) -> tuple[JsonObject, ...]:
        """Which columns of the input were taken for what, for `run.json`; nothing where the input has none."""
        del draft_input
        return ()

    def columns_in_words(
        self,
        taken: Sequence[JsonObject],
    ) -> Sequence[str]:
        """The same, as `run.json` has it, for people."""
        del taken
        return ()

    def input_in_words(self) -> Mapping[str, str]:
        """What people call parts of the identity that are digests, for `run.json`; nothing by default."""
        return {}

    def example_query(self) -> str:
        """SQL that shows a user what is in a finished run."""
        return f"FROM {self.run_type.tables[0]} LIMIT 10"

    def further_queries(self) -> Sequence[str]:
        """SQL that shows what else is in it, where one table does not say all; none by default."""
        return ()

    query_of_unscored: ClassVar[str | None] = None
    """SQL that shows which rows of a finished run have no values, and why; None where no table says it."""

    def example_of_nothing(self, ledger: Ledger) -> Sequence[str]:
        """Of a finished run without values: why one of its rows has none, in words.

        Args:
            ledger: of the run.
        """
        del ledger
        return ()


@dataclass(frozen=True)
class WorkerFactory:
    """Makes the one kind of worker there is; sent to the worker's process and called there, once."""

    loader: Loader
    ledger: Ledger
    resources: WorkerResources

    def __call__(self) -> "ShardWorker":
        """Load the model, and make the worker that uses it."""
        # by the run's description: a node with another genome must not compute
        reference = self.ledger.run.typed_identity.reference
        computation = self.loader.load(self.resources, reference.sha256)
        return ShardWorker(computation, self.ledger)


@dataclass(frozen=True)
class PreparedShard:
    """A shard's rows of the plan."""

    task: ShardTask
    rows: pa.Table


@dataclass(frozen=True)
class ComputedShard:
    """A shard's values; nothing of a trial's is kept."""

    prepared: PreparedShard
    values: ShardValues
    computed: int


@dataclass
class RowCount:
    """How many rows of a shard are through; written by the thread that computes, read by any."""

    rows: int = 0


@dataclass(frozen=True)
class ShardWorker:
    """Reads, computes and commits shards: three stages, so that a pool may overlap them.

    Attributes:
        computation: what computes.
        ledger: where shards are committed.
    """

    computation: Computation
    ledger: Ledger

    @property
    def items_done(self) -> int:
        """How many rows of the shard that is being computed are through; 0 where the computation does not count."""
        # no part of `Computation`: whoever adds a kind of run need not count
        count = getattr(self.computation, "rows_through", None)
        return count.rows if isinstance(count, RowCount) else 0

    def __call__(self, task: ShardTask) -> Committed | TrialResult:
        """All three stages, one after another."""
        return self.finish(self.compute(self.prepare(task)))

    def prepare(self, task: ShardTask) -> PreparedShard:
        """Read the shard's rows of the plan."""
        digests = self.ledger.run.plan.sha256
        digest = digests[task.shard.part] if digests else None
        return PreparedShard(task, read_shard(self.ledger.store, task.shard, digest=digest))

    def compute(self, prepared: PreparedShard) -> ComputedShard:
        """Compute every row that can be; all get their row."""
        started_at = datetime.now(UTC).replace(microsecond=0)
        # the calendar may jump while a shard computes; its duration must not
        began_s = time.monotonic()
        rows = self.computation.compute(prepared.rows, prepared.task.left_out())
        provenance = replace(
            self.computation.provenance,
            started_at=started_at,
            seconds=round(time.monotonic() - began_s, 3),
        )
        values = ShardValues(rows.tables, provenance, rows.audits, rows.reused)
        return ComputedShard(prepared, values, rows.computed)

    def finish(self, computed: ComputedShard) -> Committed | TrialResult:
        """Commit the shard; of a trial nothing is kept."""
        task = computed.prepared.task
        # only who looks for the rows that break a shard asks for trials: the store never sees one
        if task.trial is not None:
            return TrialResult(computed.computed)
        committed = self.ledger.commit(
            task.shard,
            computed.prepared.rows,
            computed.values,
            derive=self.computation.derive,
        )
        return replace(committed, computed=computed.computed)
