"""Alleles whose differences leave the range of float16, on the processor, which multiplies the format slowly."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from enformer_core.analyses import engines
from enformer_core.analyses.allele_scoring import AlleleScoring
from enformer_core.analyses.base import WorkerResources
from enformer_core.analyses.model_inputs import LoadedModel
from enformer_core.analyses.score_spec import ScoreSpec
from enformer_core.dataset.receipts import Provenance
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import ENFORMER
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.beyond_range import BeyondRange
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.delta.second_try import SecondTryScorer
from enformer_core.scoring.gene_effect import ScoredAllele
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.windows import Allele
from tests.scoring.delta.test_engine import by_two_passes, conventions_of, start_of
from tests.support.small_models import small_enformer, write_genome

pytestmark = pytest.mark.usefixtures("one_thread")

ALLELES = [Allele("c", at, "A", "C") for at in range(3)]


NO_PROFILE = np.zeros((1, 2), np.float32)


CONVENTIONS = Conventions(geometry=ENFORMER, statistics=("sad",), centre_index=98_303)
SPEC = ScoreSpec(CONVENTIONS, "delta", "fast", 0.0, 0.02, 23, 0)


@dataclass
class Stub:
    """Scores each allele with its place, but some with a number that is none."""

    broken: tuple[int, ...] = ()
    asked: list[list[int]] = field(default_factory=list)
    batch_alts = 3

    def score(self, alleles, start):
        self.asked.append([allele.start for allele in alleles])
        return [
            {
                "sad": np.array(
                    [np.nan if allele.start in self.broken else allele.start, start], float
                )
            }
            for allele in alleles
        ]

    def score_with_genes(self, alleles, start):
        return [ScoredAllele(scores) for scores in self.score(alleles, start)]

    def effects(self, alleles, start):
        return [
            AlleleEffect(NO_PROFILE, NO_PROFILE, scores) for scores in self.score(alleles, start)
        ]


@pytest.mark.parametrize("method", ["score", "score_with_genes", "effects"])
def test_only_what_is_not_finite_is_scored_again(method):
    first, second, beyond = Stub(broken=(1,)), Stub(), BeyondRange("bfloat16")
    found = getattr(SecondTryScorer(first, lambda: second, beyond), method)(ALLELES, 7)
    scores = [each if method == "score" else each.scores for each in found]
    assert [each["sad"].tolist() for each in scores] == [[0, 7], [1, 7], [2, 7]]
    assert second.asked == [[1]]
    assert beyond.alleles == 1


def test_nothing_is_prepared_for_a_second_time_that_nobody_needs():
    beyond = BeyondRange("bfloat16")
    found = SecondTryScorer(Stub(), pytest.fail, beyond).score(ALLELES, 7)
    assert len(found) == 3
    assert beyond.alleles == 0


def test_receipts_say_what_took_over():
    beyond = BeyondRange("bfloat16")
    origin = Provenance(arithmetic="reference float32, differences float16")
    scoring = AlleleScoring(Stub(), SPEC, (0,), origin, beyond=beyond)
    assert scoring.provenance == origin
    beyond.alleles = 2
    said = "reference float32, differences float16, beyond its range bfloat16"
    assert scoring.provenance.arithmetic == said


def engine_in_float16(model, genome, conventions):
    """What workers load."""
    return engines._delta(
        LoadedModel(model, genome, torch.device("cpu"), "human", None, 5),
        replace(SPEC, conventions=conventions),
        WorkerResources("cpu", 1, 0, 4_000_000_000),
        None,
        Arithmetic(delta=torch.float16),
        beside=engines.Beside(1),
    )


@pytest.mark.parametrize("weights", [1.0, 1e6])
def test_weights_beyond_float16_are_no_error(tmp_path, weights):
    genome = Genome(str(write_genome(tmp_path / "g.fa")))
    truth = small_enformer()
    for layer in truth.blocks().trunk.layers:
        # the same function, but for its biases
        layer.up.weight.mul_(weights)
        layer.down.weight.div_(weights)
    conventions = conventions_of(truth, statistics=("sad",))
    one = [Allele("c", 9_000, "ACGTN"[genome.fetch("c", 9_000, 9_001)[0]], "G")]
    expected = by_two_passes(truth, genome, conventions, one)[0]["sad"]
    scorer, beyond = engine_in_float16(truth.float(), genome, conventions)
    (found,) = scorer.score(one, start_of(truth, conventions, one))
    error = np.linalg.norm(found["sad"] - expected) / np.linalg.norm(expected)
    assert error < (5e-3 if weights == 1.0 else 1e-3)
    assert beyond.alleles == (0 if weights == 1.0 else 1)
