"""What is particular to a kind of run, as the simulation sees it; and what stands between its real code and a world.

Values are a pure function of the planned row and of the kind of hardware, so that what any run leaves can be compared
with what an undisturbed one leaves.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from enformer_core.analyses.base import (
    Analysis,
    Computation,
    ComputedShard,
    PreparedShard,
    ShardWorker,
    WorkerFactory,
    WorkerResources,
)
from enformer_core.analyses.model_inputs import check_same_contigs, check_same_file
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import table_key
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.plan_builder import DraftPlan
from enformer_core.dataset.run import (
    Identity,
    ModelIdentity,
    ReferenceIdentity,
    Run,
    TracksIdentity,
)
from enformer_core.dataset.run_type import RunType
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.genome.alphabet import Codes
from enformer_core.genome.fasta import Genome
from tests.simulation import memory
from tests.simulation.faults import Kind
from tests.simulation.world import Hub
from tests.support.plans import decoded
from tests.support.toy_runs import toy_run

CONTIGS = {"chr1": 1000, "chr2": 1000}
TRACKS = (0, 7)
WEIGHTS = bytes(range(64))
INPUT = b"##fileformat=VCFv4.2\n#CHROM POS ID REF ALT QUAL FILTER INFO\n"
WEIGHTS_SHA256 = sha256(WEIGHTS)
GENOME_SHA256 = {name: sha256(name.encode()) for name in CONTIGS}
_OTHER_VALUES = 100
"""Of weights or a genome that are not the run's; no kind of hardware is as far off."""

Place = tuple[str, int]
"""A contig and a base of it."""

Begins = Callable[[Place], None]
"""Told of every place at which something is about to be computed: time passes there, and who is poisoned fails."""


Keys = Mapping[str, tuple[tuple[str, ...], Sequence[tuple[Hashable, ...]]]]
"""Of tables: some columns, and what they hold in each row."""


class PoisonError(Exception):
    """What a poison place raises."""


class Subject(ABC):
    """A kind of run, so small that it can be done a thousand times.

    Attributes:
        run_type: the real one.
        shard_rows: of a shard, give or take.
        words: the command and its options; those that all kinds have are added.
        input_field: of the identity, which another input changes.
        places: at which something is computed, and may be poison.
        keys: of each value table its key columns, and what they hold over the whole run, worked out by hand.
    """

    run_type: ClassVar[RunType]
    shard_rows: ClassVar[int]
    words: ClassVar[tuple[str, ...]]
    input_field: ClassVar[str]
    places: ClassVar[Sequence[Place]]
    keys: ClassVar[Keys]

    @abstractmethod
    def make_draft(self) -> DraftPlan:
        """The plan, encoded."""

    @abstractmethod
    def identity(self, digest: str) -> Identity:
        """The run's, with the sha256 of the input that a driver finds."""

    @abstractmethod
    def places_of(self, row: Mapping[str, Any]) -> Iterable[Place]:
        """Where something is computed for a row of the plan: it fails when one of them is poison."""

    @abstractmethod
    def computation(self, hardware: int, begins: Begins, genome: Genome) -> Computation:
        """The real one, with made-up values in the place of a network."""

    @property
    def name(self) -> str:
        """As `run.json` has it."""
        return self.run_type.name

    @property
    def tables(self) -> tuple[str, ...]:
        """Of a shard."""
        return self.run_type.tables

    @property
    def command(self) -> tuple[str, ...]:
        """What users type."""
        shared = ("--genome", "g.fa", "--model", "motif", "--out", "s3://bucket/run")
        return (*self.words, *shared, "--log-format", "json")

    @cached_property
    def draft(self) -> DraftPlan:
        return self.make_draft()

    @cached_property
    def plan(self) -> Plan:
        """The plan, with its rows in memory."""
        return decoded(self.draft)

    @cached_property
    def shards(self) -> dict[int, Shard]:
        return {shard.number: shard for shard in self.plan.shards}

    @cached_property
    def rows(self) -> int:
        """How many are planned."""
        return sum(shard.rows for shard in self.plan.shards)

    def planned(self, shard: Shard) -> pa.Table:
        """A shard's rows of the plan."""
        return self.plan.parts[shard.part].slice(shard.first_row, shard.rows)

    def ledger(self, store: Any, run: Run) -> Ledger:
        return Ledger(store, run, self.run_type)

    def what_all_have(self) -> dict[str, Any]:
        """Fields of every identity."""
        return {
            "kind": self.name,
            "model": ModelIdentity("a toy", WEIGHTS_SHA256, "human"),
            "tracks": TracksIdentity(len(TRACKS), sha256(b"toy")),
            "reference": ReferenceIdentity(len(CONTIGS), sha256(b"toy"), GENOME_SHA256),
            "shard_size": self.shard_rows,
        }

    @cache  # noqa: B019 - subjects live as long as the program
    def undisturbed(
        self, number: int, hardware: int, poison: frozenset[Place]
    ) -> dict[str, pa.Table]:
        """A shard's tables when nothing befalls it on machines of one kind, but that these places fail."""
        store = Heap()
        self.draft.put(store)
        shard = self.shards[number]
        rows = self.planned(shard).to_pylist()
        computation = self.computation(hardware, lambda place: None, ToyGenome())
        worker = ShardWorker(computation, self.ledger(store, toy_run(self.identity(sha256(INPUT)))))
        failed = {
            at: "poison" for at, row in enumerate(rows) if poison.intersection(self.places_of(row))
        }
        worker(ShardTask(shard, failed))
        keys = {table: table_key(table, shard.chrom, number) for table in self.tables}
        return {table: from_parquet(store.objects[key], key)[0] for table, key in keys.items()}


@dataclass(frozen=True)
class SubjectAnalysis(Analysis):
    """A real kind of run, with made-up values and a plan that is made already."""

    subject: Subject

    @property
    def run_type(self) -> RunType:  # type: ignore[override]
        return self.subject.run_type

    @property
    def loader(self) -> "SubjectLoader":
        return SubjectLoader()

    def identity(self, contigs: Iterable[str], rows: int) -> Identity:
        world = Hub.current.world  # type: ignore[union-attr]
        if world.input != INPUT:
            world.weather.took_effect(Kind.CORRUPT_INPUT)
            world.befell(world.hub.process, Kind.CORRUPT_INPUT)
        return self.subject.identity(sha256(world.input))

    @contextmanager
    def read_input(self) -> Iterator["SubjectDraft"]:
        yield SubjectDraft(self.subject)


@dataclass(frozen=True)
class SubjectDraft:
    """A subject's plan."""

    subject: Subject
    contigs: tuple[str, ...] = tuple(CONTIGS)
    filtered: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.subject.rows

    @property
    def records(self) -> int:
        return self.subject.rows

    def draft(self, seed: str) -> DraftPlan:
        return self.subject.draft


_LETTERS: dict[str, Codes] = {
    name: np.random.default_rng(number).integers(0, 4, length, dtype=np.uint8)
    for number, (name, length) in enumerate(CONTIGS.items())
}


class ToyGenome(Genome):
    """A FASTA as a machine has it; whoever reads from it is about to compute something there."""

    contigs = CONTIGS  # type: ignore[assignment]

    def __init__(self, begins: Begins = lambda place: None, *, is_other: bool = False) -> None:
        self.path, self.called = Path("g.fa"), "g.fa"
        self._begins, self._is_other = begins, is_other

    def sha256(self, contig: str) -> str:
        return "of other letters" if self._is_other else GENOME_SHA256[contig]

    def codes(self, contig: str) -> Codes:
        return _LETTERS[contig]

    def fetch(self, contig: str, start: int, end: int) -> Codes:
        self._begins((contig, start))
        return super().fetch(contig, start, end)


@dataclass(frozen=True)
class SubjectLoader:
    """What is sent to a worker: loading takes time, and looks whether weights and genome are the run's."""

    def load(self, resources: WorkerResources, planned_contigs: Mapping[str, str]) -> "Remembering":
        assert Hub.current is not None
        world = Hub.current.world
        process = world.hub.process
        world.hub.sleep(world.hub.random.uniform(0.5, 4.0))  # loading weights
        machine = process.machine
        found = sha256(world.weights)
        kinds = [Kind.CORRUPT_WEIGHTS] if found != WEIGHTS_SHA256 else []
        kinds += [Kind.OTHER_GENOME] if machine.other_genome else []
        for kind in kinds:
            world.weather.took_effect(kind)
            world.befell(process.driver, kind)

        def begins(place: Place) -> None:
            world.computing_at(process, place)

        genome = ToyGenome(begins, is_other=machine.other_genome)
        check_same_file("weights", found, WEIGHTS_SHA256)
        check_same_contigs(genome, planned_contigs)
        # whoever lets other files pass is betrayed by the values
        hardware = machine.hardware + _OTHER_VALUES * bool(kinds)
        return Remembering(world.subject.computation(hardware, begins, genome), hardware)


@dataclass(frozen=True)
class Remembering:
    """A real computation on one kind of hardware; what follows from stored tables is made once for all worlds."""

    real: Computation
    hardware: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def derive(self, stored: Tables) -> Tables:
        first, *_ = stored.values()
        return memory.once("derived", first, lambda: self.real.derive(stored))


@dataclass(frozen=True)
class WatchedFactory:
    """What is sent to a worker in place of the real factory."""

    factory: WorkerFactory

    def __call__(self) -> "WatchedWorker":
        worker = self.factory()
        assert Hub.current is not None
        return WatchedWorker(worker.computation, worker.ledger, world=Hub.current.world)


@dataclass(frozen=True)
class WatchedWorker(ShardWorker):
    """The real worker, which tells when it begins to compute."""

    world: Any = field(default=None, kw_only=True)

    def compute(self, prepared: PreparedShard) -> ComputedShard:
        task = prepared.task
        self.world.computing_begins(self.world.hub.process, task)
        computed = super().compute(prepared)
        if task.trial is not None:
            return computed
        key = (task.shard, self.computation.hardware, tuple(task.failed.items()))
        tables = {
            name: memory.interned((*key, name), table)
            for name, table in computed.values.tables.items()
        }
        return replace(computed, values=replace(computed.values, tables=tables))


@dataclass
class Heap:
    """The plainest store."""

    objects: dict[str, bytes] = field(default_factory=dict)
    location: str = "memory"

    def put_if_absent(self, key: str, content: bytes) -> bool:
        return self.objects.setdefault(key, content) is content

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def keys(self, prefix: str, *, after: str = "") -> Any:
        return iter(sorted(key for key in self.objects if key.startswith(prefix) and key > after))

    def sizes(self, prefix: str, *, after: str = "") -> Iterator[tuple[str, int]]:
        return ((key, len(self.objects[key])) for key in self.keys(prefix, after=after))

    def move(self, key: str, to: str) -> None:
        self.objects[to] = self.objects.pop(key)

    def check_usable(self, marker: str, closed: str) -> None:
        pass

    def sweep(self) -> None:
        pass


def shard_of_key(key: str) -> int | None:
    """The shard to which an object belongs."""
    name = key.rsplit("/", 1)[-1]
    if not name.startswith("shard-"):
        return None
    return int(name.removeprefix("shard-").partition(".")[0])
