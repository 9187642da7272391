"""What every command that computes shards does: find what is named, take up or make the run, let a pool work, close it.

Joins the rooms: what a worker computes comes from `enformer_core`, where it runs from `cluster`. Does not know what is
computed.
"""

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from cluster.pool import InProcessPool, Pool, PoolNotice, Task, TaskDone, TaskFailed, WorkerFactory, WorkerLost
from cluster.progress import Progress
from enformer_core.conventions import Strands
from enformer_core.dataset import layout
from enformer_core.dataset.kinds import RunKind
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, plan_to_parquet, read_plan, write_plan
from enformer_core.dataset.run import SCORE_VERSION, Run, check_same, read_run
from enformer_core.errors import DatasetError, InputError
from enformer_core.genome import Genome
from enformer_core.models.base import SequenceModel
from enformer_core.models.registry import ModelSource
from enformer_core.storage.local import LocalStore
from enformer_core.tracks import Tracks, select_tracks
from jobs import exit_codes
from jobs.settings import RunSettings
from jobs.workers import Workers, choose_workers


@dataclass(frozen=True)
class RunRequest:
    """What every run names, found and fit to be used."""

    settings: RunSettings
    source: ModelSource
    genome: Genome
    tracks: Tracks
    store: LocalStore
    workers: Workers

    @property
    def strands(self) -> Strands:
        """Which strands are read."""
        return "forward" if self.settings.strands == "forward" else "both"

    def identity(self, kind: RunKind, contigs: Iterable[str]) -> dict[str, Any]:
        """What decides the values of every run, beside its own settings; the sequence of `contigs` is part of it."""
        indices, lengths = self.tracks.indices(), self.genome.contigs
        return {
            "score_version": SCORE_VERSION,
            "kind": kind.name,
            "model": {
                "name": self.source.name,
                "weights_sha256": self.source.weights_sha256(),
                "head": self.settings.head,
            },
            "tracks": {"count": len(indices), "sha256": layout.sha256(layout.canonical_json(indices))},
            "reference": {
                "contigs": len(lengths),
                "names_and_lengths_sha256": layout.sha256(layout.canonical_json(dict(lengths))),
                "sha256": {contig: self.genome.sha256(contig) for contig in contigs if contig in lengths},
            },
        }


@dataclass(frozen=True)
class ModelLoader:
    """Loads the model in a worker; small enough to be sent."""

    source: ModelSource
    genome: Genome
    head: str
    tracks: tuple[int, ...]
    workers: Workers

    @property
    def asked_tracks(self) -> tuple[int, ...] | None:
        """Columns of the head; None where all are asked for."""
        every = self.tracks == tuple(range(self.source.output_tracks[self.head]))
        return None if every else self.tracks

    def load(self) -> tuple[SequenceModel, torch.device]:
        """The model and where it is, computing as this worker should."""
        torch.set_num_threads(self.workers.cpus_each)
        device = torch.device(self.workers.device)
        return self.source.build(device), device


def find_named(settings: RunSettings, source: ModelSource) -> RunRequest:
    """Find what the settings of every run name.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    tracks, notes = select_tracks(source.tracks(settings.head, settings.targets), settings.tracks)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    store = LocalStore(Path(settings.out))
    store.check_usable(layout.RUN_KEY)
    return RunRequest(
        settings=settings,
        source=source,
        genome=Genome(settings.genome),
        tracks=tracks,
        store=store,
        workers=choose_workers(settings, source),
    )


def run_shards(
    request: RunRequest,
    *,
    identity_of: Callable[[Run], Mapping[str, Any]],
    make: Callable[[], tuple[Run, Plan]],
    factory_of: Callable[[Ledger], WorkerFactory],
) -> Mapping[str, Any]:
    """Take up the run that the directory holds, or make it, and compute what is missing.

    Args:
        request: what the command named.
        identity_of: the identity that the directory's run must have.
        make: describes and plans the run, and puts both; called where the directory holds none.
        factory_of: what makes the shard function of a worker.

    Returns:
        The manifest.

    Raises:
        InputError: when the directory holds another run, or the input cannot be used.
    """
    run, plan = _take_up(request, identity_of) or make()
    ledger = Ledger.of(request.store, run)
    manifest = ledger.manifest()
    if manifest is not None:
        print(f"already complete: {request.settings.out}")
        return manifest
    _work_through(request, ledger, plan, factory_of(ledger))
    manifest = ledger.finish(plan)
    request.store.sweep()
    return manifest


def _take_up(request: RunRequest, identity_of: Callable[[Run], Mapping[str, Any]]) -> tuple[Run, Plan] | None:
    found = read_run(request.store)
    if found is None:
        return None
    check_same(found.identity, identity_of(found))
    try:
        return found, read_plan(request.store, found.plan["parts"])
    except DatasetError:
        return None  # a driver died between run.json and the plan, which follows from the same input


def put_run(request: RunRequest, plan: Plan, *, identity: Mapping[str, Any], counts: Mapping[str, int]) -> Run:
    """Describe a run, and put its description, tracks and plan.

    Args:
        request: what the command named.
        plan: the shards.
        identity: everything that decides the run's values.
        counts: numbers of planned rows and of what they came from.

    Raises:
        InputError: when the directory belongs to another run.
    """
    contents = plan_to_parquet(plan)
    run = Run(
        identity=identity,
        configuration=asdict(request.settings),
        plan={
            "parts": len(plan.parts),
            "sha256": [layout.sha256(content) for content in contents],
            "shards": len(plan.shards),
            **counts,
            "by_status": plan.counts(),
        },
        notice=request.source.notice,
    )
    run.claim(request.store)
    footer = {"kind": "tracks", "identity": run.digest, "notice": run.notice}
    request.store.put_if_absent(layout.TRACKS_KEY, layout.to_parquet(request.tracks.to_arrow(), footer))
    write_plan(request.store, contents)
    return run


def _work_through(request: RunRequest, ledger: Ledger, plan: Plan, factory: WorkerFactory) -> None:
    done = ledger.committed()
    todo = [shard for shard in plan.shards if shard.number not in done]
    if not todo:
        return
    rows_done = sum(shard.rows for shard in plan.shards if shard.number in done)
    total = sum(shard.rows for shard in plan.shards)
    tasks = (Task(f"shard {shard.number}", shard) for shard in todo)
    with Progress(total, unit=ledger.kind.unit, done_before=rows_done) as progress, _pool(request, factory) as pool:
        for event in pool.run(tasks):
            match event:
                case TaskDone(result=receipt):
                    progress.advance(receipt["rows"])
                case WorkerLost():
                    progress.note(f"worker {event.worker} was lost ({event.reason}); its shard is tried again")
                case PoolNotice(text=text):
                    progress.note(text)
                case TaskFailed():
                    raise _explained(event)
                case _:
                    pass


def _explained(failure: TaskFailed) -> BaseException:
    """What stops the run: bad input as it is; anything else with its whole story on stderr."""
    if not isinstance(failure.error, InputError | DatasetError):
        traceback.print_exception(failure.error)
    return failure.error


def _pool(request: RunRequest, factory: WorkerFactory) -> Pool:
    if request.settings.ray == "off":
        return InProcessPool(factory)
    from cluster.ray_pool import RayPool  # `--ray off` works where Ray does not

    workers = request.workers
    return RayPool(
        factory,
        workers=workers.count,
        address=request.settings.ray,
        cpus_per_worker=workers.cpus_each,
        gpus_per_worker=workers.gpus_each,
        memory_bytes_per_worker=workers.memory_bytes_each,
    )


def print_counts(manifest: Mapping[str, Any], kind: RunKind) -> None:
    """Say how many rows of the plan came to what, and whether this was a demonstration."""
    counts = ", ".join(f"{rows:,} {status}" for status, rows in manifest["by_status"].items())
    print(f"{manifest['rows']:,} {kind.unit} in {manifest['shards']:,} shards: {counts}")
    if manifest["notice"]:
        print(manifest["notice"])


def exit_code(manifest: Mapping[str, Any]) -> int:
    """That of a complete run."""
    return exit_codes.FAILED_ROWS if manifest["by_status"].get("failed") else exit_codes.DONE
