"""A run small enough to be done a thousand times: its alleles and genes, what they come to, and who computes them.

Values are a pure function of the allele and of the kind of hardware, so that what any run leaves can be compared with
what an undisturbed one leaves.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.analyses.base import (
    Analysis,
    ComputedShard,
    PreparedShard,
    ShardWorker,
    WorkerFactory,
    WorkerResources,
)
from enformer_core.analyses.gene_run_type import GENE_IDS, GeneEffectsType
from enformer_core.analyses.gene_table import GeneTable
from enformer_core.analyses.model_inputs import check_same_contigs, check_same_file
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import table_key
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, Shard
from enformer_core.dataset.plan_builder import DraftPlan
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.run import (
    Identity,
    ModelIdentity,
    ReferenceIdentity,
    Run,
    TracksIdentity,
)
from enformer_core.dataset.shard_task import ShardTask
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.gene_bins import GeneReach
from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele
from enformer_core.scoring.windows import Allele
from enformer_core.variants.table import PLACED_SCHEMA
from tests.simulation import memory
from tests.simulation.faults import Kind
from tests.simulation.fleet import Machine
from tests.simulation.world import Hub
from tests.support.genes import gene, genes
from tests.support.plans import decoded, make_draft
from tests.support.toy_runs import score_spec, scoring_worker, toy_ledger

CONTIGS = {"chr1": 1000, "chr2": 1000}
CONVENTIONS = Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303)
TRACKS = (0, 7)
REACH = GeneReach(
    genes(
        gene("one", 100, 300, chrom="chr1"),
        gene("two", 500, chrom="chr1", strand="-"),
        gene("three", 60, chrom="chr2"),
    ),
    CONVENTIONS,
)
"""Two genes of every allele of chr1, one of those of chr2."""
TABLES = ("scores", "gene_effects", "effects")
TOP_TRACKS = 1
SHARD_ROWS = 3
WEIGHTS = bytes(range(64))
INPUT = b"##fileformat=VCFv4.2\n#CHROM POS ID REF ALT QUAL FILTER INFO\n"
WEIGHTS_SHA256 = sha256(WEIGHTS)
GENOME_SHA256 = {name: sha256(name.encode()) for name in CONTIGS}
_OTHER_VALUES = 100
"""Of weights or a genome that are not the run's; no kind of hardware is as far off."""
_ROWS = [
    *(("chr1", start, "A", "G") for start in (5, 9, 9, 12, 20, 31, 40, 41, 52)),
    *(("chr2", start, "C", "CT") for start in (3, 4, 8, 15, 16, 23)),
    (None, None, None, None),
]
ALLELES = len(_ROWS)
PLACES = sorted(
    {(chrom, start) for chrom, start, _, _ in _ROWS if chrom is not None and start != 9}
)
"""Where a poison allele may be; the duplicate's place is not among them."""


@cache
def draft() -> DraftPlan:
    """The plan, encoded: six shards of about three rows; one row is a duplicate, one has no place."""
    columns = {
        "input_file": ["a.vcf"] * ALLELES,
        "input_line": list(range(1, ALLELES + 1)),
        "alt_index": [1] * ALLELES,
        **{
            name: [row[at] for row in _ROWS]
            for at, name in enumerate(("chrom", "start", "ref", "alt"))
        },
        "status": ["ok" if row[0] else "malformed" for row in _ROWS],
        "flags": [[] for _ in _ROWS],
    }
    arrays = [
        pa.array(columns.get(field.name, [None] * ALLELES), field.type) for field in PLACED_SCHEMA
    ]
    placed = pa.table(arrays, schema=PLACED_SCHEMA)
    placed = placed.append_column(GENE_IDS, REACH.gene_ids(placed))
    return make_draft(placed, CONTIGS, SHARD_ROWS, window_starts=lambda starts: starts - 98_303)


@cache
def make_toy_plan() -> Plan:
    """The plan, with its rows in memory."""
    return decoded(draft())


@dataclass(frozen=True, kw_only=True)
class ToyIdentity(Identity):
    """What the made-up command decides beside model and genome."""

    conventions: Conventions
    input: str


def identity_of(content: bytes = INPUT) -> ToyIdentity:
    """The run's, as a driver finds it that reads this input."""
    return ToyIdentity(
        kind=GeneEffectsType.name,
        model=ModelIdentity("a toy", WEIGHTS_SHA256, "human"),
        tracks=TracksIdentity(len(TRACKS), sha256(b"toy")),
        reference=ReferenceIdentity(len(CONTIGS), sha256(b"toy"), GENOME_SHA256),
        shard_size=SHARD_ROWS,
        conventions=CONVENTIONS,
        input=sha256(content),
    )


class PoisonError(Exception):
    """What a poison allele raises."""


@dataclass(frozen=True)
class ToyScorer:
    """Scores that can be worked out; `at` is told of every allele before it is scored."""

    hardware: int
    at: Any

    def score(self, alleles: Sequence[Allele], start: int) -> list[Mapping[str, Any]]:
        for allele in alleles:
            self.at(allele)
        shift = 1e-3 * self.hardware
        return [
            {"sad": np.array([allele.start + shift, -allele.start - 0.5 + shift])}
            for allele in alleles
        ]

    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]:
        scored = []
        for allele, scores in zip(alleles, self.score(alleles, start), strict=True):
            found = enumerate(REACH.of_allele(allele, start))
            of_genes = [GeneEffect(each, self._of_gene(scores["sad"] + at)) for at, each in found]
            scored.append(ScoredAllele(scores, tuple(of_genes)))
        return scored

    @staticmethod
    def _of_gene(values: Any) -> Mapping[str, Any]:
        return {"log2_ratio": values, "difference": -values}


SPEC = score_spec(CONVENTIONS, top_tracks=TOP_TRACKS)


@dataclass(frozen=True)
class ToyAnalysis(Analysis):
    """The real kind of run, with a toy for a model and a plan that is made already."""

    run_type = GeneEffectsType()

    @property
    def loader(self) -> "ToyLoader":
        return ToyLoader()

    def identity(self, contigs: Iterable[str], rows: int) -> ToyIdentity:
        world = Hub.current.world  # type: ignore[union-attr]
        if world.input != INPUT:
            world.weather.took_effect(Kind.CORRUPT_INPUT)
            world.befell(world.hub.process, Kind.CORRUPT_INPUT)
        return identity_of(world.input)

    @contextmanager
    def read_input(self) -> Iterator["ToyDraft"]:
        yield ToyDraft()


@dataclass(frozen=True)
class ToyDraft:
    """The toy plan."""

    rows: int = ALLELES
    contigs: tuple[str, ...] = tuple(CONTIGS)
    records: int = ALLELES
    filtered: Mapping[str, int] = field(default_factory=dict)

    def draft(self, seed: str) -> DraftPlan:
        return draft()


class ToyGenome(Genome):
    """A FASTA as a machine has it."""

    contigs = CONTIGS  # type: ignore[assignment]

    def __init__(self, machine: Machine) -> None:
        self.path = Path("g.fa")
        self._machine = machine

    def sha256(self, contig: str) -> str:
        return "of other letters" if self._machine.other_genome else GENOME_SHA256[contig]


@dataclass(frozen=True)
class ToyLoader:
    """What is sent to a worker: loading takes time, and looks whether weights and genome are the run's."""

    def load(self, resources: WorkerResources, planned_contigs: Mapping[str, str]) -> "ToyScoring":
        assert Hub.current is not None
        world = Hub.current.world
        process = world.hub.process
        world.hub.sleep(world.hub.random.uniform(0.5, 4.0))  # loading weights
        machine: Machine = process.machine
        found = sha256(world.weights)
        kinds = [Kind.CORRUPT_WEIGHTS] if found != WEIGHTS_SHA256 else []
        kinds += [Kind.OTHER_GENOME] if machine.other_genome else []
        for kind in kinds:
            world.weather.took_effect(kind)
            world.befell(process.driver, kind)
        check_same_file("weights", found, WEIGHTS_SHA256)
        check_same_contigs(ToyGenome(machine), planned_contigs)
        # whoever lets other files pass is betrayed by the values
        hardware = machine.hardware + _OTHER_VALUES * bool(kinds)
        scorer = ToyScorer(hardware, lambda allele: world.allele_begins(process, allele))
        table = GeneTable(scorer, REACH)
        return ToyScoring(scorer, SPEC, TRACKS, Provenance(), genes=table)


@dataclass(frozen=True)
class ToyScoring(AlleleScoring):
    """The real computation; what follows from stored scores is made once for all worlds."""

    def derive(self, stored: Tables) -> Tables:
        effects = memory.once(
            "effects",
            stored["scores"],
            lambda: super(ToyScoring, self).derive(stored)["effects"],
        )
        return {"effects": effects}


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
        key = (task.shard, self.computation.scorer.hardware, tuple(task.failed.items()))
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


def ledger_of(store: Any, run: Run | None = None) -> Ledger:
    """The ledger of the toy's run."""
    return toy_ledger(store, run, GeneEffectsType())


def tables_of(
    number: int, hardware: int, poison: frozenset[tuple[str, int]]
) -> dict[str, pa.Table]:
    """The tables that a shard has when nothing befalls it on machines of one kind, but that these alleles fail."""
    plan, store = make_toy_plan(), Heap()
    draft().put(store)
    toy_scorer = ToyScorer(hardware, lambda allele: None)
    scorer = scoring_worker(
        toy_scorer,
        ledger_of(store),
        CONVENTIONS,
        TRACKS,
        top_tracks=TOP_TRACKS,
        genes=GeneTable(toy_scorer, REACH),
    )
    shard = plan.shards[number]
    rows = plan.parts[shard.part].slice(shard.first_row, shard.rows).to_pylist()
    scorer(
        ShardTask(
            shard,
            {at: "poison" for at, row in enumerate(rows) if (row["chrom"], row["start"]) in poison},
        )
    )
    keys = {table: table_key(table, shard.chrom, number) for table in TABLES}
    return {table: from_parquet(store.objects[key], key)[0] for table, key in keys.items()}


def shard_of_key(key: str) -> int | None:
    """The shard to which an object belongs."""
    name = key.rsplit("/", 1)[-1]
    if not name.startswith("shard-"):
        return None
    return int(name.removeprefix("shard-").partition(".")[0])


def shards_by_number() -> dict[int, Shard]:
    return {shard.number: shard for shard in make_toy_plan().shards}
