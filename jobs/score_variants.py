"""`enformer-ray score`: plan, let a pool of workers score the shards, close the run.

Joins the rooms: what a worker computes comes from `enformer_core`, where it runs from `cluster`.
"""

import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from cluster.pool import InProcessPool, Pool, PoolNotice, Task, TaskDone, TaskFailed, WorkerLost
from cluster.progress import Progress
from enformer_core.conventions import Conventions, parse_indel_rule, parse_statistics
from enformer_core.dataset import layout
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan, default_shard_size, make_plan, read_plan, write_plan
from enformer_core.dataset.run import SCORE_VERSION, Run, check_same, read_run
from enformer_core.dataset.store import LocalStore
from enformer_core.errors import DatasetError, InputError
from enformer_core.genome import Genome
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.direct import DirectScorer, Predictor
from enformer_core.scoring.shard import ShardScorer, hardware
from enformer_core.tracks import Tracks, select_tracks
from enformer_core.variants.place import place_alleles
from enformer_core.variants.readers import input_digests, read_alleles
from jobs import exit_codes
from jobs.settings import ScoreSettings
from jobs.workers import Workers, choose_workers


@dataclass(frozen=True)
class ScoringFactory:
    """Builds the shard function in a worker: everything it needs, small enough to be sent."""

    source: ModelSource
    genome: Genome
    head: str
    tracks: tuple[int, ...]
    conventions: Conventions
    top_tracks: int
    ledger: Ledger
    workers: Workers

    def __call__(self) -> ShardScorer:
        """Load the model and open the genome."""
        torch.set_num_threads(self.workers.cpus_each)
        device = torch.device(self.workers.device)
        every = self.tracks == tuple(range(self.source.output_tracks[self.head]))
        predictor = Predictor(
            model=self.source.build(device),
            head=self.head,
            tracks=None if every else self.tracks,
            conventions=self.conventions,
            device=device,
        )
        return ShardScorer(
            scorer=DirectScorer(predictor, self.genome),
            ledger=self.ledger,
            conventions=self.conventions,
            tracks=self.tracks,
            top_tracks=self.top_tracks,
            circumstances={"engine": "direct", "arithmetic": "float32", **hardware(device)},
        )


@dataclass(frozen=True)
class Request:
    """A scoring run as asked for, everything named in it found and fit to be used."""

    settings: ScoreSettings
    source: ModelSource
    genome: Genome
    conventions: Conventions
    tracks: Tracks
    inputs: tuple[Path, ...]
    store: LocalStore
    workers: Workers

    @property
    def max_allele_bp(self) -> int:
        """Longest REF or ALT scored: by default one that cannot push the other flank out of the predicted bins."""
        return self.settings.max_allele_bp or self.source.geometry.output_bp // 2


def score_variants(settings: ScoreSettings) -> int:
    """Score every variant of the input; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    request = check_request(settings)
    run, plan = planned(request)
    ledger = Ledger(request.store, run.digest, run.notice)
    manifest = ledger.manifest()
    if manifest is not None:
        print(f"already complete: {settings.out}")
    else:
        _score_shards(request, ledger, plan)
        manifest = ledger.finish(plan)
        request.store.sweep()
    return _report(request, manifest)


def check_request(settings: ScoreSettings) -> Request:
    """Find everything that the settings name.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    source = ModelSource(settings.model, settings.weights)
    geometry = source.geometry
    centre_bin = geometry.bins // 2 - 1 if settings.centre_bin is None else settings.centre_bin
    conventions = Conventions(
        statistics=parse_statistics(settings.statistics),
        # the last base of the bin left of the window's middle, or the first base of the one to its right
        centre_index=geometry.window_bp // 2 + centre_bin - geometry.bins // 2,
        strands="forward" if settings.strands == "forward" else "both",
        shifts=settings.shifts,
        central_bins=settings.central_bins,
        centre_mask_bp=settings.centre_mask_bp,
        indel_rule=parse_indel_rule(settings.indel_rule),
    )
    conventions.check(geometry)
    tracks, notes = select_tracks(source.tracks(settings.head, settings.targets), settings.tracks)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    store = LocalStore(Path(settings.out))
    store.check_usable(layout.RUN_KEY)
    return Request(
        settings=settings,
        source=source,
        genome=Genome(settings.genome),
        conventions=conventions,
        tracks=tracks,
        inputs=tuple(Path(path) for path in settings.variants),
        store=store,
        workers=choose_workers(settings, source),
    )


def planned(request: Request) -> tuple[Run, Plan]:
    """The run's description and plan: those of the directory if it holds this run, else made and put.

    Raises:
        InputError: when the directory holds another run, or the input cannot be used.
    """
    found = read_run(request.store)
    if found is not None:
        contigs = found.identity.get("reference", {}).get("sha256", {})
        check_same(found.identity, _identity(request, contigs, found.plan["alleles"]))
        try:
            return found, read_plan(request.store, found.plan["parts"])
        except DatasetError:
            pass  # a driver died between run.json and the plan, which follows from the same input
    return _make_run(request)


def _make_run(request: Request) -> tuple[Run, Plan]:
    request.source.build(torch.device("cpu"))  # refuses weights that do not fit, before anything is written
    raw = read_alleles(request.inputs)
    if raw.num_rows == 0:
        raise InputError(f"{', '.join(map(str, request.inputs))}: no variants in the input")
    placed = place_alleles(raw, request.genome, max_allele_bp=request.max_allele_bp)
    shard_size = request.settings.shard_size or default_shard_size(placed.num_rows)
    plan = make_plan(placed, request.genome.contigs, shard_size)
    contigs = [contig for contig in dict.fromkeys(shard.chrom for shard in plan.shards) if contig is not None]
    run = Run(
        identity=_identity(request, contigs, placed.num_rows),
        configuration=asdict(request.settings),
        plan={
            "parts": len(plan.parts),
            "shards": len(plan.shards),
            "records": raw.group_by(["input_file", "input_line"]).aggregate([]).num_rows,
            "alleles": placed.num_rows,
            "by_status": plan.counts(),
        },
        notice=request.source.notice,
    )
    run.claim(request.store)
    request.store.put_if_absent(layout.TRACKS_KEY, _tracks_parquet(request, run))
    write_plan(request.store, plan)
    return run, plan


def _identity(request: Request, contigs: Iterable[str], alleles: int) -> dict[str, Any]:
    """Everything that decides the values of a run."""
    lengths = request.genome.contigs
    settings = request.settings
    indices = request.tracks.indices()
    return {
        "score_version": SCORE_VERSION,
        "kind": "variants",
        "engine": "direct",
        "model": {
            "name": request.source.name,
            "weights_sha256": request.source.weights_sha256(),
            "head": settings.head,
        },
        "tracks": {"count": len(indices), "sha256": layout.sha256(layout.canonical_json(indices))},
        "conventions": asdict(request.conventions),
        "top_tracks": settings.top_tracks,
        "max_allele_bp": request.max_allele_bp,
        "shard_size": settings.shard_size or default_shard_size(alleles),
        "input": input_digests(request.inputs),
        "reference": {
            "contigs": len(lengths),
            "names_and_lengths_sha256": layout.sha256(layout.canonical_json(dict(lengths))),
            "sha256": {contig: request.genome.sha256(contig) for contig in contigs if contig in lengths},
        },
    }


def _tracks_parquet(request: Request, run: Run) -> bytes:
    footer = {"kind": "tracks", "identity": run.digest, "notice": run.notice}
    return layout.to_parquet(request.tracks.to_arrow(), footer)


def _score_shards(request: Request, ledger: Ledger, plan: Plan) -> None:
    done = ledger.committed()
    todo = [shard for shard in plan.shards if shard.number not in done]
    rows_done = sum(shard.rows for shard in plan.shards if shard.number in done)
    factory = ScoringFactory(
        source=request.source,
        genome=request.genome,
        head=request.settings.head,
        tracks=tuple(request.tracks.indices()),
        conventions=request.conventions,
        top_tracks=request.settings.top_tracks,
        ledger=ledger,
        workers=request.workers,
    )
    if not todo:
        return
    total = sum(shard.rows for shard in plan.shards)
    tasks = (Task(f"shard {shard.number}", shard) for shard in todo)
    with Progress(total, unit="alleles", done_before=rows_done) as progress, _pool(request, factory) as pool:
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


def _pool(request: Request, factory: ScoringFactory) -> Pool:
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


def _report(request: Request, manifest: Mapping[str, Any]) -> int:
    counts = ", ".join(f"{rows:,} {status}" for status, rows in manifest["by_status"].items())
    print(f"{manifest['rows']:,} alleles in {manifest['shards']:,} shards: {counts}")
    if manifest["notice"]:
        print(manifest["notice"])
    out = request.settings.out
    print(f"output: {Path(out).resolve()}")
    strongest = f"max_abs_{request.conventions.statistics[0]}"
    print(f'ask it: enformer-ray query {out} "FROM scores SELECT variant_id, {strongest} ORDER BY ALL DESC LIMIT 10"')
    return exit_codes.FAILED_ROWS if manifest["by_status"].get("failed") else exit_codes.DONE
