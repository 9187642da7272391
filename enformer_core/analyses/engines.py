"""The engine that a `ScoreSpec` names, loaded: what workers score with, and `enformer_core.Scorer` too.

Loads torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.analyses.audit import DirectAuditor
from enformer_core.analyses.base import WorkerResources, provenance_of
from enformer_core.analyses.gene_table import GeneTable
from enformer_core.analyses.model_inputs import LoadedModel
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.scoring.beyond_range import BeyondRange
from enformer_core.scoring.conventions import WITHOUT_KERNELS
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.kernel_trial import why_without_kernels
from enformer_core.scoring.delta.memory import choose_allowance
from enformer_core.scoring.delta.scaling import is_scaled
from enformer_core.scoring.delta.second_try import SecondTryScorer
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.gene_sums import GeneSums
from enformer_core.scoring.precision import Arithmetic, beyond_range, choose_arithmetic
from enformer_core.scoring.replicates import ReplicateScorer
from enformer_core.scoring.unsquashing import Unsquashing

DeltaEngine = DeltaScorer | SecondTryScorer


@dataclass(frozen=True)
class LoadedEngine:
    """An engine where it computes, and plain passes beside it.

    Attributes:
        scorer: what scores alleles.
        direct: scores them by two plain passes; the scorer itself, where that is the engine.
        predictor: predicts any sequence by plain passes.
        arithmetic: number formats of the scorer, for receipts.
        device: where all of them compute.
        beyond: alleles that left the range of float16; None where that is not in use.
    """

    scorer: DeltaEngine | DirectScorer
    direct: DirectScorer
    predictor: SequencePredictor
    arithmetic: str
    device: torch.device
    beyond: BeyondRange | None = None


@dataclass(frozen=True)
class Beside:
    """Engines that share a process, one for each replicate.

    Attributes:
        engines: how many, among which memory is divided.
        beyond: counts alleles that left the range of float16 in those before; None where nothing does yet.
    """

    engines: int
    beyond: BeyondRange | None = None


def load_engine(
    model: LoadedModel,
    spec: ScoreSpec,
    resources: WorkerResources,
    genes: GeneSums | None = None,
    *,
    beside: Beside | None = None,
) -> LoadedEngine:
    """The engine of a model that is loaded.

    Args:
        model: with the genome that it reads.
        spec: which engine, and how alleles are scored.
        resources: what it may use of this machine.
        genes: what is summed of genes; None where nobody asks for them.
        beside: further engines of this process; None where there is none.
    """
    unsquashing = _unsquashing(model, spec)
    predictor = SequencePredictor(
        model.network,
        model.head,
        model.tracks,
        spec.conventions,
        model.device,
        strand_pairs=model.strand_pairs,
        unsquash=None if unsquashing is None else unsquashing.prediction,
    )
    direct = DirectScorer(predictor, model.genome, genes)
    scorer: DeltaEngine | DirectScorer = direct
    beyond = None
    # plain passes are the yardstick, and so never in 16 bits
    arithmetic = "float32"
    if spec.engine == "delta":
        # a policy is the run's, what it comes to is this machine's
        policy = "exact" if model.is_demonstration else spec.precision
        chosen = choose_arithmetic(policy, model.device)
        arithmetic = _called(chosen, model.device)
        scorer, beyond = _delta(model, spec, resources, genes, chosen, beside=beside or Beside(1))
    return LoadedEngine(scorer, direct, predictor, arithmetic, model.device, beyond)


def load_scoring(
    models: Sequence[LoadedModel],
    spec: ScoreSpec,
    tracks: Sequence[int],
    resources: WorkerResources,
    genes: GeneSums | None = None,
) -> AlleleScoring:
    """What scores shards: the engine, and plain scoring beside it for the audit.

    Args:
        models: one, or several replicates whose mean is scored, with the genome that they read.
        spec: which engine, and how alleles are scored.
        tracks: head column of each value.
        resources: what it may use of this machine.
        genes: what is summed of genes; None where the run has none.
    """
    engines: list[LoadedEngine] = []
    for model in models:
        beside = Beside(len(models), engines[0].beyond if engines else None)
        engines.append(load_engine(model, spec, resources, genes, beside=beside))
    engine, *others = engines
    replicates = ReplicateScorer([each.scorer for each in engines]) if others else None
    scorer = replicates or engine.scorer
    # plain scoring has nothing to be held against
    auditor = None
    if spec.engine == "delta":
        auditor = DirectAuditor(
            engine.direct,
            spec.audit_tolerance,
            spec.mantissa_bits,
            [each.direct for each in others],
        )
    provenance = provenance_of(engine.device, engine.arithmetic, engine=spec.engine)
    has_spread = replicates is not None
    return AlleleScoring(
        scorer,
        spec,
        tracks,
        provenance,
        auditor,
        None if genes is None else GeneTable(scorer, genes.reach, has_spread),
        beyond=engine.beyond,
        replicates=replicates,
    )


def _unsquashing(model: LoadedModel, spec: ScoreSpec) -> Unsquashing | None:
    """How predictions are brought back from the scale of training, where that is asked for."""
    form = spec.conventions.unsquash
    if form is None:
        return None
    assert model.squashings is not None, "known before the model is loaded"
    return Unsquashing(model.squashings, form)


def _called(arithmetic: Arithmetic, device: torch.device) -> str:
    """Number formats for receipts, and where a GPU computes without kernels, why."""
    without = why_without_kernels(arithmetic.delta, device)
    return str(arithmetic) if without is None else f"{arithmetic}{WITHOUT_KERNELS}{without}"


def _delta(
    model: LoadedModel,
    spec: ScoreSpec,
    resources: WorkerResources,
    genes: GeneSums | None,
    arithmetic: Arithmetic,
    *,
    beside: Beside,
) -> tuple[DeltaEngine, BeyondRange | None]:
    """The engine by differences, and where these are in float16, what counts the alleles that leave its range."""
    # of windows that are read forwards alone, no other columns are computed
    pairs = model.strand_pairs if spec.conventions.strands == "both" else None

    def scorer_in(formats: Arithmetic) -> DeltaScorer:
        network = delta_network(
            model.network,
            model.head,
            model.tracks,
            device=model.device,
            arithmetic=formats,
            strand_pairs=pairs,
        )
        # the memory of a GPU decides for itself; on a CPU the worker's share does
        computed = network.columns.count(model.track_count)
        allowance = choose_allowance(
            network,
            computed,
            resources.memory_bytes,
            spec.conventions,
            scorers=beside.engines,
        )
        return DeltaScorer(
            network,
            model.genome,
            spec.conventions,
            batch_alts=allowance.batch_alts,
            kept_chunks=allowance.kept_chunks,
            genes=genes,
            unsquashing=_unsquashing(model, spec),
        )

    scorer = scorer_in(arithmetic)
    if not is_scaled(arithmetic.delta):
        return scorer, None
    wider = beyond_range(model.device)
    beyond = beside.beyond or BeyondRange(str(wider.delta).removeprefix("torch."))
    return SecondTryScorer(scorer, lambda: scorer_in(wider), beyond), beyond
