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
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.memory import choose_batch
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
from enformer_core.scoring.gene_sums import GeneSums
from enformer_core.scoring.precision import choose_arithmetic


@dataclass(frozen=True)
class LoadedEngine:
    """An engine where it computes, and plain passes beside it.

    Attributes:
        scorer: what scores alleles.
        direct: scores them by two plain passes; the scorer itself, where that is the engine.
        predictor: predicts any sequence by plain passes.
        arithmetic: number formats of the scorer, for receipts.
        device: where all of them compute.
    """

    scorer: DeltaScorer | DirectScorer
    direct: DirectScorer
    predictor: SequencePredictor
    arithmetic: str
    device: torch.device


def load_engine(
    model: LoadedModel,
    spec: ScoreSpec,
    resources: WorkerResources,
    genes: GeneSums | None = None,
) -> LoadedEngine:
    """The engine of a model that is loaded.

    Args:
        model: with the genome that it reads.
        spec: which engine, and how alleles are scored.
        resources: what it may use of this machine.
        genes: what is summed of genes; None where nobody asks for them.
    """
    predictor = SequencePredictor(
        model.network,
        model.head,
        model.tracks,
        spec.conventions,
        model.device,
    )
    direct = DirectScorer(predictor, model.genome, genes)
    scorer: DeltaScorer | DirectScorer = direct
    # plain passes are the yardstick, and so never in 16 bits
    arithmetic = "float32"
    if spec.engine == "delta":
        scorer, arithmetic = _delta(model, spec, resources, genes)
    return LoadedEngine(scorer, direct, predictor, arithmetic, model.device)


def load_scoring(
    model: LoadedModel,
    spec: ScoreSpec,
    tracks: Sequence[int],
    resources: WorkerResources,
    genes: GeneSums | None = None,
) -> AlleleScoring:
    """What scores shards: the engine, and plain scoring beside it for the audit.

    Args:
        model: with the genome that it reads.
        spec: which engine, and how alleles are scored.
        tracks: head column of each value.
        resources: what it may use of this machine.
        genes: what is summed of genes; None where the run has none.
    """
    engine = load_engine(model, spec, resources, genes)
    # plain scoring has nothing to be held against
    auditor = None
    if spec.engine == "delta":
        auditor = DirectAuditor(engine.direct, spec.audit_tolerance)
    provenance = provenance_of(engine.device, engine.arithmetic, engine=spec.engine)
    table = None if genes is None else GeneTable(engine.scorer, genes.reach)
    return AlleleScoring(engine.scorer, spec, tracks, provenance, auditor, table)


def _delta(
    model: LoadedModel, spec: ScoreSpec, resources: WorkerResources, genes: GeneSums | None
) -> tuple[DeltaScorer, str]:
    # a policy is the run's, what it comes to is this machine's
    arithmetic = choose_arithmetic(spec.precision, model.device)
    network = delta_network(
        model.network, model.head, model.tracks, device=model.device, arithmetic=arithmetic
    )
    # the memory of a GPU decides for itself; on a CPU the worker's share does
    batch_alts = choose_batch(
        network,
        model.track_count,
        resources.memory_bytes,
        views=spec.conventions.views,
    )
    scorer = DeltaScorer(
        network, model.genome, spec.conventions, batch_alts=batch_alts, genes=genes
    )
    return scorer, str(arithmetic)
