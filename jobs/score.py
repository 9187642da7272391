"""`enformer-ray score`: plan the alleles, score them in shards, say what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from enformer_core.analyses.variant_effects import Scorer, ShardScorer, hardware
from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan
from enformer_core.dataset.run import Run, identity_digest
from enformer_core.dataset.run_types import VARIANTS
from enformer_core.dataset.summary import AuditSummary, audit_failed, audit_lines
from enformer_core.genome.fasta import Genome
from enformer_core.models.base import SequenceModel
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.audit import Auditor
from enformer_core.scoring.conventions import AUDIT_TOLERANCE, Conventions, Engine, Policy
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.memory import choose_batch
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.precision import EXACT, choose_arithmetic
from enformer_core.variants.input_files import input_digests
from jobs import exit_codes
from jobs.job import (
    ModelLoader,
    RunRequest,
    exit_code,
    find_named,
    located,
    print_counts,
    put_run,
    run_shards,
)
from jobs.settings import ScoreSettings
from jobs.variant_plan import AskedAlleles, conventions_of, find_alleles


@dataclass(frozen=True)
class ScoringFactory(ModelLoader):
    """Builds the shard function in a worker."""

    conventions: Conventions
    mantissa_bits: int
    top_tracks: int
    ledger: Ledger
    engine: Engine
    precision: Policy
    audit_tolerance: float

    def __call__(self) -> ShardScorer:
        """Load the model and open the genome."""
        model, genome, device = self.load()
        direct = DirectScorer(
            SequencePredictor(model, self.head, self.asked_tracks, self.conventions, device), genome
        )
        scorer, arithmetic = self._engine(model, genome, device) or (direct, "float32")
        return ShardScorer(
            scorer=scorer,
            ledger=self.ledger,
            conventions=self.conventions,
            tracks=self.tracks,
            top_tracks=self.top_tracks,
            mantissa_bits=self.mantissa_bits,
            circumstances={"engine": self.engine, "arithmetic": arithmetic, **hardware(device)},
            audit=None if scorer is direct else Auditor(direct, self.audit_tolerance),
        )

    def _engine(
        self, model: SequenceModel, genome: Genome, device: torch.device
    ) -> tuple[Scorer, str] | None:
        """The engine that scores by differences and its arithmetic; None where `direct` is asked for."""
        if self.engine == "direct":
            return None
        arithmetic = choose_arithmetic(self.precision, device)
        network = delta_network(
            model, self.head, self.asked_tracks, device=device, arithmetic=arithmetic
        )
        batch_alts = choose_batch(
            network,
            len(self.tracks),
            self.workers.memory_bytes_each,
            readings=self.conventions.views,
        )
        return DeltaScorer(network, genome, self.conventions, batch_alts=batch_alts), str(
            arithmetic
        )


@dataclass(frozen=True)
class ScoreRequest(RunRequest):
    """A scoring run as asked for, everything named in it found and fit to be used."""

    settings: ScoreSettings
    asked: AskedAlleles

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
        identity_of=lambda run: _identity(
            request, _hashed_contigs(run), run.plan.get("alleles", 0)
        ),
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
    conventions = conventions_of(settings, source.geometry)
    found = find_named(settings, source)
    asked = find_alleles(settings, source.geometry, conventions, found.genome)
    return ScoreRequest(**{**vars(found), "settings": settings}, asked=asked)


def _make_run(request: ScoreRequest) -> tuple[Run, Plan]:
    request.source.build(
        torch.device("cpu")
    )  # refuses weights that do not fit, before anything is written
    with request.asked.gathered() as (gathered, removed):
        identity = _identity(
            request, [name for name in gathered.by_contig if name is not None], gathered.alleles
        )
        drafted = request.asked.draft(gathered, identity_digest(identity))
        counts = {"records": gathered.records, "alleles": gathered.alleles, "filtered": removed}
        return put_run(request, drafted, identity=identity, counts=counts)


def _identity(request: ScoreRequest, contigs: Iterable[str], alleles: int) -> dict[str, Any]:
    """Everything that decides the values of a run."""
    settings, asked = request.settings, request.asked
    return {
        **request.identity(VARIANTS, contigs),
        "engine": settings.engine,
        "precision": settings.precision if settings.engine == "delta" else None,
        "audit_fraction": asked.audit_fraction,
        "conventions": asked.conventions.record(),
        "mantissa_bits": asked.mantissa_bits,
        "top_tracks": settings.top_tracks,
        "max_allele_bp": asked.max_allele_bp,
        "shard_size": asked.shard_size(alleles),
        "input": input_digests(asked.inputs),
        "sites": None if asked.sites is None else input_digests([asked.sites]),
        "allow_swapped": settings.allow_swapped,
        "filters": _filters_identity(request),
    }


def _filters_identity(request: ScoreRequest) -> dict[str, Any]:
    """What decides which records have rows. Regions count by the bases that they come to."""
    settings, regions = request.settings, request.asked.filters.regions
    asked = (
        None
        if regions is None
        else {contig: intervals.tolist() for contig, intervals in regions.items()}
    )
    names = ("min_maf", "max_maf", "only_pass", "max_indel_bp", "sample", "sample_seed")
    return {
        "regions_sha256": None if asked is None else sha256(canonical_json(asked)),
        **{name: getattr(settings, name) for name in names},
    }


def _factory(request: ScoreRequest, ledger: Ledger) -> ScoringFactory:
    settings = request.settings
    return ScoringFactory(
        **request.loading(),
        conventions=request.asked.conventions,
        mantissa_bits=request.asked.mantissa_bits,
        top_tracks=settings.top_tracks,
        ledger=ledger,
        engine=settings.engine,
        precision=settings.precision,
        audit_tolerance=request.audit_tolerance,
    )


def _fallback(request: ScoreRequest, arithmetic: Iterable[str]) -> list[str]:
    """What `fast` came to where the hardware is not quick at 16 bits."""
    if (
        request.settings.engine == "direct"
        or request.settings.precision != "fast"
        or EXACT not in arithmetic
    ):
        return []
    return [
        "note: fast came to float32 on some workers, whose hardware multiplies 16-bit numbers no faster"
    ]


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
    strongest = f"max_abs_{request.asked.conventions.statistics[0]}"
    print(
        f'ask it: enformer-ray query {out} "FROM scores SELECT variant_id, {strongest} ORDER BY ALL DESC LIMIT 10"'
    )
    if request.settings.strict and audit_failed(audit):
        return exit_codes.AUDIT_FAILED
    return exit_code(manifest)
