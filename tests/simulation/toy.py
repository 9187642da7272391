"""A run that is small enough to be done a thousand times: its alleles, what they come to, and who computes them.

Values are a pure function of the allele and of the kind of hardware, so that what any run leaves can be compared with
what an undisturbed one leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from enformer_core.analyses.variant_effects import ShardScorer
from enformer_core.dataset.codec import from_parquet
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import plan_key, table_key
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, Shard, make_plan, plan_to_parquet
from enformer_core.dataset.plan_builder import Drafted
from enformer_core.dataset.shard_task import ShardWork
from enformer_core.errors import InputError
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.windows import Allele
from enformer_core.variants.table import PLACED_SCHEMA
from tests.simulation import memory
from tests.simulation.faults import Kind
from tests.simulation.world import Hub

CONTIGS = {"chr1": 1000, "chr2": 1000}
CONVENTIONS = Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303)
TRACKS = (0, 7)
TOP_TRACKS = 1
SHARD_ROWS = 3
WEIGHTS = bytes(range(64))
INPUT = b"##fileformat=VCFv4.2\n#CHROM POS ID REF ALT QUAL FILTER INFO\n"
WEIGHTS_SHA256 = sha256(WEIGHTS)
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
def make_toy_plan() -> Plan:
    """Six shards of about three rows; one row is a duplicate, one has no place."""
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
    return make_plan(placed, CONTIGS, SHARD_ROWS, window_starts=lambda starts: starts - 98_303)


def identity_of(content: bytes = INPUT) -> dict[str, Any]:
    """The run's, as a driver finds it that reads this input."""
    return {
        "kind": "variants",
        "conventions": {"statistics": ["sad"]},
        "tracks": {"count": len(TRACKS)},
        "model": {"name": "a toy", "weights_sha256": WEIGHTS_SHA256},
        "input": sha256(content),
    }


@cache
def draft() -> Drafted:
    """The plan, encoded."""
    return Drafted.of(make_toy_plan())


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


@dataclass(frozen=True)
class ToyFactory:
    """What is sent to a worker: there it becomes a shard function whose every step is told to the world."""

    ledger: Ledger

    def __call__(self) -> "WatchedScorer":
        assert Hub.current is not None
        world = Hub.current.world
        process = world.hub.process
        world.hub.sleep(world.hub.random.uniform(0.5, 4.0))  # loading weights
        found = sha256(world.weights)
        if found != WEIGHTS_SHA256:
            world.weather.took_effect(Kind.CORRUPT_WEIGHTS)
            world.befell(process.driver, Kind.CORRUPT_WEIGHTS)
            raise InputError(
                f"weights: sha256 is {found} on {process.machine.name}, and {WEIGHTS_SHA256} where the run was "
                "planned. Give every node the same file."
            )
        hardware = process.machine.hardware if process.machine is not None else 0
        scorer = ToyScorer(hardware, lambda allele: world.allele_begins(process, allele))
        return WatchedScorer(scorer, self.ledger, CONVENTIONS, TRACKS, TOP_TRACKS, world=world)


@dataclass(frozen=True)
class WatchedScorer(ShardScorer):
    """The real shard function, which tells when it begins and ends to compute."""

    world: Any = field(default=None, kw_only=True)

    def compute(self, prepared: Any) -> Any:
        self.world.computing_begins(self.world.hub.process, prepared.work)
        computed = super().compute(prepared)
        if computed.table is not None:
            key = (prepared.work.shard, self.scorer.hardware, tuple(prepared.work.failed.items()))
            computed = replace(computed, table=memory.interned(key, computed.table))
        return computed

    def _effects(self, scores: pa.Table) -> pa.Table:
        return memory.once("effects", scores, lambda: super(WatchedScorer, self)._effects(scores))


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

    def check_usable(self, marker: str) -> None:
        pass

    def sweep(self) -> None:
        pass


def tables_of(
    number: int, hardware: int, poison: frozenset[tuple[str, int]]
) -> dict[str, pa.Table]:
    """The tables that a shard has when nothing befalls it on machines of one kind, but that these alleles fail."""
    plan, store = make_toy_plan(), Heap()
    for part, content in enumerate(plan_to_parquet(plan)):
        store.put_if_absent(plan_key(part), content)
    scorer = ShardScorer(
        ToyScorer(hardware, lambda allele: None),
        Ledger(store, "undisturbed"),
        CONVENTIONS,
        TRACKS,
        TOP_TRACKS,
    )
    shard = plan.shards[number]
    rows = plan.parts[shard.part].slice(shard.first_row, shard.rows).to_pylist()
    scorer(
        ShardWork(
            shard,
            {at: "poison" for at, row in enumerate(rows) if (row["chrom"], row["start"]) in poison},
        )
    )
    keys = {table: table_key(table, shard.chrom, number) for table in ("scores", "effects")}
    return {table: from_parquet(store.objects[key], key)[0] for table, key in keys.items()}


def shard_of_key(key: str) -> int | None:
    """The shard to which an object belongs."""
    name = key.rsplit("/", 1)[-1]
    if not name.startswith("shard-"):
        return None
    return int(name.removeprefix("shard-").partition(".")[0])


def shards_by_number() -> dict[int, Shard]:
    return {shard.number: shard for shard in make_toy_plan().shards}
