"""What every command that computes shards does: find what is named, take up or make the run, let a pool work, close it.

Joins the rooms: what a worker computes comes from `enformer_core`, where it runs from `cluster`. Does not know what is
computed.
"""

import platform
import shlex
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, overload

import torch

from cluster.local_backend import InProcessPool
from cluster.pool import Pool, PoolError, Task, Verdict, WorkerFactory
from enformer_core.dataset.codec import canonical_json, to_parquet
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.keys import RUN_KEY, TRACKS_KEY
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, read_plan
from enformer_core.dataset.plan_builder import Drafted
from enformer_core.dataset.run import SCORE_VERSION, Run, check_same, read_run
from enformer_core.dataset.run_types import RunKind
from enformer_core.dataset.shard_task import ShardWork
from enformer_core.errors import DatasetError, InputError, StorageError
from enformer_core.genome.fasta import Genome, MappedGenome
from enformer_core.models.base import SequenceModel
from enformer_core.models.registry import ModelSource
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Tracks
from enformer_core.scoring.conventions import Strands
from enformer_core.storage.cache import local_copy
from enformer_core.storage.open import check_preconditions, open_store
from enformer_core.storage.store import Store
from jobs import exit_codes
from jobs.interruption import InterruptedRunError, interruptible
from jobs.progress import choose_display
from jobs.resources import Workers, choose_workers
from jobs.settings import RunSettings
from jobs.watch import ReceiptBlocks, Watch


@dataclass(frozen=True)
class RunRequest:
    """What every run names, found and fit to be used."""

    settings: RunSettings
    source: ModelSource
    genome: Genome
    tracks: Tracks
    store: Store
    workers: Workers

    @property
    def strands(self) -> Strands:
        """Which strands are read."""
        return "forward" if self.settings.strands == "forward" else "both"

    def loading(self) -> dict[str, Any]:
        """What a worker's `ModelLoader` is told."""
        return {
            "named": (self.settings.genome, self.settings.weights),
            "weights_sha256": self.source.weights_sha256(),
            "model": self.source.name,
            "head": self.settings.head,
            "tracks": tuple(self.tracks.indices()),
            "workers": self.workers,
        }

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
            "tracks": {"count": len(indices), "sha256": sha256(canonical_json(indices))},
            "reference": {
                "contigs": len(lengths),
                "names_and_lengths_sha256": sha256(canonical_json(dict(lengths))),
                "sha256": {
                    contig: self.genome.sha256(contig) for contig in contigs if contig in lengths
                },
            },
        }


@dataclass(frozen=True)
class ModelLoader:
    """Loads the model in a worker; small enough to be sent.

    Attributes:
        named: the genome and the weights (None for a model that has its own), as the user named them.
        weights_sha256: of the weights that the driver has found under that name.
        model: its name.
        head: which head.
        tracks: its columns.
        workers: what this worker may use.
    """

    named: tuple[str, str | None]
    weights_sha256: str
    model: str
    head: str
    tracks: tuple[int, ...]
    workers: Workers

    @property
    def asked_tracks(self) -> tuple[int, ...] | None:
        """Columns of the head; None where all are asked for."""
        every = self.tracks == tuple(range(self._source().output_tracks[self.head]))
        return None if every else self.tracks

    def load(self) -> tuple[SequenceModel, Genome, torch.device]:
        """The model, the genome, and where the model is, computing as this worker should.

        What lies in object storage is brought to this node once; its workers share it.

        Raises:
            InputError: when this node finds other weights under the name than the driver did.
        """
        torch.set_num_threads(self.workers.cpus_each)
        device, source = torch.device(self.workers.device), self._source()
        found = source.weights_sha256()
        if found != self.weights_sha256:
            raise InputError(
                f"{source.weights}: sha256 is {found} on {platform.node()}, and {self.weights_sha256} where the run "
                "was planned. Give every node the same file."
            )
        return source.build(device), MappedGenome(located(self.named[0])), device

    def _source(self) -> ModelSource:
        return ModelSource(self.model, located(self.named[1]))


@overload
def located(name: str) -> str: ...


@overload
def located(name: None) -> None: ...


def located(name: str | None) -> str | None:
    """A path on this node of what the user named; other addresses than `s3://` as they are."""
    return str(local_copy(name)) if name is not None and name.startswith("s3://") else name


def find_named(settings: RunSettings, source: ModelSource) -> RunRequest:
    """Find what the settings of every run name.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    tracks, notes = select_tracks(
        source.tracks(settings.head, located(settings.targets)), settings.tracks
    )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    store = open_store(settings.out, single_writer=settings.single_writer)
    store.check_usable(RUN_KEY)
    return RunRequest(
        settings=settings,
        source=source,
        genome=MappedGenome(located(settings.genome)),
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


def _take_up(
    request: RunRequest, identity_of: Callable[[Run], Mapping[str, Any]]
) -> tuple[Run, Plan] | None:
    found = read_run(request.store)
    if found is None:
        return None
    check_same(found.identity, identity_of(found))
    _check_store(request)
    try:
        return found, read_plan(request.store, found.plan["parts"])
    except DatasetError:
        return (
            None  # a driver died between run.json and the plan, which follows from the same input
        )


def _check_store(request: RunRequest) -> None:
    if not request.settings.single_writer:
        check_preconditions(request.store, RUN_KEY)


def put_run(
    request: RunRequest, drafted: Drafted, *, identity: Mapping[str, Any], counts: Mapping[str, Any]
) -> tuple[Run, Plan]:
    """Describe a run, and put its description, tracks and plan.

    Args:
        request: what the command named.
        drafted: the plan, not stored yet.
        identity: everything that decides the run's values.
        counts: numbers of planned rows and of what they came from.

    Raises:
        InputError: when the directory belongs to another run, or its storage overwrites what exists.
    """
    run = Run(
        identity=identity,
        configuration=asdict(request.settings),
        plan={
            "parts": len(drafted.parts),
            "sha256": list(drafted.sha256),
            "shards": len(drafted.shards),
            **counts,
            "by_status": dict(drafted.by_status),
        },
        notice=request.source.notice,
    )
    run.claim(request.store)
    _check_store(request)
    footer = {"kind": "tracks", "identity": run.digest, "notice": run.notice}
    request.store.put_if_absent(TRACKS_KEY, to_parquet(request.tracks.to_arrow(), footer))
    return run, drafted.put(request.store)


def _work_through(request: RunRequest, ledger: Ledger, plan: Plan, factory: WorkerFactory) -> None:
    """Compute the shards that have no receipt.

    Raises:
        InterruptedRunError: when a signal has ended it.
        PoolError: when shards are left that could not be computed or stored.
    """
    done = ledger.committed()
    if len(done) == len(plan.shards):
        return
    rows_done = sum(plan.shards[number].rows for number in done)
    tasks = (Task(f"shard {s.number}", ShardWork(s)) for s in plan.shards if s.number not in done)
    display = choose_display(
        request.settings.log_format,
        total=plan.shards.total_rows,
        unit=ledger.kind.unit,
        done_before=rows_done,
    )
    watch = Watch(display, ReceiptBlocks(ledger, done, len(plan.shards)))
    with display, watch, _pool(request, factory) as pool, interruptible(pool) as told:
        for event in pool.run(tasks):
            watch.see(event, pool)
    left = len(plan.shards) - len(done) - watch.shards_done
    if told.signal_number is not None and left:
        raise InterruptedRunError(
            told.signal_number,
            f"stopped by {signal.Signals(told.signal_number).name}: {len(plan.shards) - left:,} of "
            f"{len(plan.shards):,} shards are committed. Continue with:\n  {_command()}",
        )
    if left:
        raise PoolError(f"{watch.failures()}\nContinue with:\n  {_command()}")


def _command() -> str:
    """What the user called, as a shell takes it."""
    return shlex.join(["enformer-ray", *sys.argv[1:]])


def classify(error: BaseException) -> Verdict:
    """Whose fault an exception of a worker is."""
    if isinstance(error, InputError | DatasetError):
        return "stop"
    return "storage" if isinstance(error, StorageError) else "task"


def _pool(request: RunRequest, factory: WorkerFactory) -> Pool:
    if request.settings.ray == "off":
        return InProcessPool(factory, classify=classify)
    from cluster.ray_backend import RayPool

    workers = request.workers
    return RayPool(
        factory,
        workers=workers.count,
        address=request.settings.ray,
        cpus_per_worker=workers.cpus_each,
        gpus_per_worker=workers.gpus_each,
        memory_bytes_per_worker=workers.memory_bytes_each,
        classify=classify,
        twins=not request.settings.single_writer,
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
