"""`enformer-ray score`: plan the alleles, score them in shards, say what came of it."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from enformer_core.conventions import Conventions, parse_indel_rule, parse_statistics
from enformer_core.dataset import layout
from enformer_core.dataset.audits import AuditSummary, audit_failed, audit_lines
from enformer_core.dataset.kinds import VARIANTS
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Audit, Plan, default_shard_size
from enformer_core.dataset.planning import Drafted, Gathered, gather
from enformer_core.dataset.run import Run, identity_digest
from enformer_core.errors import InputError
from enformer_core.genome import Genome
from enformer_core.geometry import Geometry
from enformer_core.models.base import SequenceModel
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.audit import Auditor
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.memory import choose_batch
from enformer_core.scoring.delta.network import delta_network
from enformer_core.scoring.delta.precision import EXACT, choose_arithmetic
from enformer_core.scoring.direct import DirectScorer, Predictor
from enformer_core.scoring.policy import AUDIT_TOLERANCE, AUDITED_AT_LEAST, Engine, Policy
from enformer_core.scoring.shard import Scorer, ShardScorer, hardware
from enformer_core.variants.assembly import check_assemblies
from enformer_core.variants.filters import Filters, filtered, regions_of, with_sample
from enformer_core.variants.naming import input_digests
from enformer_core.variants.place import place_alleles
from enformer_core.variants.sources import Source, open_sources
from enformer_core.windows import window_start
from jobs import exit_codes
from jobs.run_shards import ModelLoader, RunRequest, exit_code, find_named, located, print_counts, put_run, run_shards
from jobs.settings import ScoreSettings


@dataclass(frozen=True)
class ScoringFactory(ModelLoader):
    """Builds the shard function in a worker."""

    conventions: Conventions
    top_tracks: int
    ledger: Ledger
    engine: Engine
    precision: Policy
    audit_tolerance: float

    def __call__(self) -> ShardScorer:
        """Load the model and open the genome."""
        model, genome, device = self.load()
        direct = DirectScorer(Predictor(model, self.head, self.asked_tracks, self.conventions, device), genome)
        scorer, arithmetic = self._engine(model, genome, device) or (direct, "float32")
        return ShardScorer(
            scorer=scorer,
            ledger=self.ledger,
            conventions=self.conventions,
            tracks=self.tracks,
            top_tracks=self.top_tracks,
            circumstances={"engine": self.engine, "arithmetic": arithmetic, **hardware(device)},
            audit=None if scorer is direct else Auditor(direct, self.audit_tolerance),
        )

    def _engine(self, model: SequenceModel, genome: Genome, device: torch.device) -> tuple[Scorer, str] | None:
        """The engine that scores by differences and its arithmetic; None where `direct` is asked for."""
        if self.engine == "direct":
            return None
        arithmetic = choose_arithmetic(self.precision, device)
        network = delta_network(model, self.head, self.asked_tracks, device=device, arithmetic=arithmetic)
        batch_alts = choose_batch(
            network, len(self.tracks), self.workers.memory_bytes_each, readings=self.conventions.readings
        )
        return DeltaScorer(network, genome, self.conventions, batch_alts=batch_alts), str(arithmetic)


@dataclass(frozen=True)
class ScoreRequest(RunRequest):
    """A scoring run as asked for, everything named in it found and fit to be used."""

    settings: ScoreSettings
    conventions: Conventions
    inputs: tuple[Path, ...]
    sites: Path | None
    filters: Filters

    @property
    def max_allele_bp(self) -> int:
        """Longest REF or ALT scored: by default one that cannot push the other flank out of the predicted bins."""
        return self.settings.max_allele_bp or self.source.geometry.output_bp // 2

    @property
    def audit_fraction(self) -> float:
        """Part of the alleles that are scored again; none where that would repeat the same."""
        return 0.0 if self.settings.engine == "direct" else self.settings.audit_fraction

    @property
    def audit_tolerance(self) -> float:
        """Relative error at which the audit warns."""
        return self.settings.audit_tolerance or AUDIT_TOLERANCE[self.settings.precision]


def score_variants(settings: ScoreSettings) -> int:
    """Score every variant of the input; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    request = check_request(settings)
    manifest = run_shards(
        request,
        identity_of=lambda run: _identity(request, _hashed_contigs(run), run.plan.get("alleles", 0)),
        make=lambda: _make_run(request),
        factory_of=lambda ledger: _factory(request, ledger),
    )
    return _report(request, manifest)


def _hashed_contigs(run: Run) -> Iterable[str]:
    """Contigs that the directory's run has variants on; none where it is a run of another kind."""
    hashed: Mapping[str, str] = run.identity.get("reference", {}).get("sha256", {})
    return hashed


def check_request(settings: ScoreSettings) -> ScoreRequest:
    """Find everything that the settings name.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    source = ModelSource(settings.model, located(settings.weights))
    conventions = _conventions(settings, source.geometry)
    found = find_named(settings, source)
    inputs = tuple(Path(located(path)) for path in settings.variants)
    return ScoreRequest(
        **{**vars(found), "settings": settings},
        conventions=conventions,
        inputs=inputs,
        sites=None if settings.sites is None else Path(located(settings.sites)),
        filters=Filters(
            regions=regions_of(settings.regions, found.genome) if settings.regions else None,
            min_maf=settings.min_maf,
            max_maf=settings.max_maf,
            only_pass=settings.only_pass,
            max_indel_bp=settings.max_indel_bp,
            seed=settings.sample_seed,
        ),
    )


def _conventions(settings: ScoreSettings, geometry: Geometry) -> Conventions:
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
        max_offset_bp=settings.max_offset_bp,
    )
    conventions.check(geometry)
    return conventions


def _make_run(request: ScoreRequest) -> tuple[Run, Plan]:
    request.source.build(torch.device("cpu"))  # refuses weights that do not fit, before anything is written
    gathered, removed = gather_alleles(request)
    with gathered:
        identity = _identity(request, [name for name in gathered.by_contig if name is not None], gathered.alleles)
        drafted = draft_plan(request, gathered, identity_digest(identity))
        counts = {"records": gathered.records, "alleles": gathered.alleles, "filtered": removed}
        return put_run(request, drafted, identity=identity, counts=counts)


def gather_alleles(request: ScoreRequest) -> tuple[Gathered, Mapping[str, int]]:
    """Read and place all alleles of the input that the filters leave.

    Returns:
        The alleles, and how many records each filter took out.

    Raises:
        InputError: when there are none, or the input cannot be used.
    """
    settings, genome = request.settings, request.genome
    sources = open_sources(request.inputs, sites=request.sites)
    for check in check_assemblies(
        sources, genome, allow_swapped=settings.allow_swapped, allow_mismatch=settings.allow_mismatch
    ):
        for note in check.notes():
            print(f"note: {note}", file=sys.stderr)
    wanted = filtered(sources, _sampled(request, sources), genome.contigs)
    gathered = gather(
        wanted.batches,
        genome.contigs,
        place=lambda raw: place_alleles(
            raw,
            genome,
            max_allele_bp=request.max_allele_bp,
            allow_swapped=settings.allow_swapped,
            refuse_wrong_genome=False,
        ),
    )
    removed = {name: count for name, count in wanted.removed.items() if count}
    if not gathered.alleles:
        gathered.dispose()
        filters = f"; filters took out {removed}" if removed else ""
        raise InputError(f"{', '.join(map(str, request.inputs))}: no variants in the input{filters}")
    if removed:
        counts = ", ".join(f"{count:,} by {name}" for name, count in removed.items())
        print(f"note: filters took out records: {counts}", file=sys.stderr)
    return gathered, removed


def _sampled(request: ScoreRequest, sources: Sequence[Source]) -> Filters:
    """The filters, with the sample drawn where one is asked for."""
    filters, contigs = request.filters, request.genome.contigs
    if request.settings.sample is None:
        return filters
    batches = (raw for source in sources for raw in source.batches(details=filters.needs_details))
    return with_sample(filters, batches, contigs, size=request.settings.sample)


def draft_plan(request: ScoreRequest, gathered: Gathered, seed: str) -> Drafted:
    """Cut the alleles into shards; `seed` decides which are audited."""
    return gathered.draft(
        request.settings.shard_size or default_shard_size(gathered.alleles),
        window_starts=lambda starts: window_start(starts, request.conventions, request.source.geometry.bin_bp),
        audit=Audit(request.audit_fraction, AUDITED_AT_LEAST, seed),
    )


def _identity(request: ScoreRequest, contigs: Iterable[str], alleles: int) -> dict[str, Any]:
    """Everything that decides the values of a run."""
    settings = request.settings
    return {
        **request.identity(VARIANTS, contigs),
        "engine": settings.engine,
        "precision": settings.precision if settings.engine == "delta" else None,
        "audit_fraction": request.audit_fraction,
        "conventions": asdict(request.conventions),
        "top_tracks": settings.top_tracks,
        "max_allele_bp": request.max_allele_bp,
        "shard_size": settings.shard_size or default_shard_size(alleles),
        "input": input_digests(request.inputs),
        "sites": None if request.sites is None else input_digests([request.sites]),
        "allow_swapped": settings.allow_swapped,
        "filters": _filters_identity(request),
    }


def _filters_identity(request: ScoreRequest) -> dict[str, Any]:
    """What decides which records have rows. Regions count by the bases that they come to."""
    settings, regions = request.settings, request.filters.regions
    asked = None if regions is None else {contig: intervals.tolist() for contig, intervals in regions.items()}
    names = ("min_maf", "max_maf", "only_pass", "max_indel_bp", "sample", "sample_seed")
    return {
        "regions_sha256": None if asked is None else layout.sha256(layout.canonical_json(asked)),
        **{name: getattr(settings, name) for name in names},
    }


def _factory(request: ScoreRequest, ledger: Ledger) -> ScoringFactory:
    settings = request.settings
    return ScoringFactory(
        **request.loading(),
        conventions=request.conventions,
        top_tracks=settings.top_tracks,
        ledger=ledger,
        engine=settings.engine,
        precision=settings.precision,
        audit_tolerance=request.audit_tolerance,
    )


def _fallback(request: ScoreRequest, arithmetic: Iterable[str]) -> list[str]:
    """What `fast` came to where the hardware is not quick at 16 bits."""
    if request.settings.engine == "direct" or request.settings.precision != "fast" or EXACT not in arithmetic:
        return []
    return ["note: fast came to float32 on some workers, whose hardware multiplies 16-bit numbers no faster"]


def _report(request: ScoreRequest, manifest: Mapping[str, Any]) -> int:
    audit = {
        name: AuditSummary(**{**summary, "exceeded": tuple(summary["exceeded"])})
        for name, summary in manifest["audit"].items()
    }
    print_counts(manifest, VARIANTS)
    for line in (*_fallback(request, manifest["arithmetic"]), *audit_lines(audit)):
        print(line)
    out = request.settings.out
    print(f"output: {request.store.location}")
    strongest = f"max_abs_{request.conventions.statistics[0]}"
    print(f'ask it: enformer-ray query {out} "FROM scores SELECT variant_id, {strongest} ORDER BY ALL DESC LIMIT 10"')
    if request.settings.strict and audit_failed(audit):
        return exit_codes.AUDIT_FAILED
    return exit_code(manifest)
