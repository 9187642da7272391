"""The engine that a `ScoreSpec` names, loaded: what workers score with, and `enformer_core.Scorer` too.

Loads torch.
"""

from dataclasses import dataclass

import torch

from enformer_core.analyses.base import WorkerResources
from enformer_core.analyses.model_inputs import LoadedModel
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.delta.engine import DeltaScorer
from enformer_core.scoring.delta.memory import choose_batch
from enformer_core.scoring.direct import DirectScorer, SequencePredictor
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


def load_engine(model: LoadedModel, spec: ScoreSpec, resources: WorkerResources) -> LoadedEngine:
    """The engine of a model that is loaded.

    Args:
        model: with the genome that it reads.
        spec: which engine, and how alleles are scored.
        resources: what it may use of this machine.
    """
    predictor = SequencePredictor(
        model.network, model.head, model.tracks, spec.conventions, model.device
    )
    direct = DirectScorer(predictor, model.genome)
    scorer: DeltaScorer | DirectScorer = direct
    arithmetic = "float32"
    if spec.engine == "delta":
        scorer, arithmetic = _delta(model, spec, resources)
    return LoadedEngine(scorer, direct, predictor, arithmetic, model.device)


def _delta(
    model: LoadedModel, spec: ScoreSpec, resources: WorkerResources
) -> tuple[DeltaScorer, str]:
    arithmetic = choose_arithmetic(spec.precision, model.device)
    network = delta_network(
        model.network, model.head, model.tracks, device=model.device, arithmetic=arithmetic
    )
    batch_alts = choose_batch(
        network,
        model.track_count,
        resources.memory_bytes,
        views=spec.conventions.views,
    )
    scorer = DeltaScorer(network, model.genome, spec.conventions, batch_alts=batch_alts)
    return scorer, str(arithmetic)
