"""The mean and the spread over replicates, by hand and by NumPy."""

import numpy as np
import pytest

from enformer_core.scoring.gene_bins import BinPair, GeneBins
from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele
from enformer_core.scoring.replicates import ReplicateScorer
from enformer_core.scoring.windows import Allele
from tests.support.genes import gene

ALLELES = [Allele("c", 5, "A", "C"), Allele("c", 6, "G", "T")]

TRACKS = 4

GENE = GeneBins(gene("a gene", 100), 95, BinPair((0,), (0,)), None)


class Told:
    """A replicate whose scores are drawn by its seed; it notes what it was asked."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.scores = [{"sad": random.normal(size=TRACKS)} for _ in ALLELES]
        self.genes = [{"log2_ratio": random.normal(size=TRACKS)} for _ in ALLELES]
        self.asked: list[tuple[int, int]] = []

    def score(self, alleles, start):
        self.asked.append((len(alleles), start))
        return self.scores

    def score_with_genes(self, alleles, start):
        self.asked.append((len(alleles), start))
        return [
            ScoredAllele(scores, (GeneEffect(GENE, values),))
            for scores, values in zip(self.scores, self.genes, strict=True)
        ]


class Fixed:
    def __init__(self, value: float) -> None:
        self.value = value

    def score(self, alleles, start):
        return [{"sad": np.array([self.value, 0.0])} for _ in alleles]

    def score_with_genes(self, alleles, start):
        return [ScoredAllele(scores) for scores in self.score(alleles, start)]


def test_by_hand() -> None:
    scorer = ReplicateScorer([Fixed(1.0), Fixed(2.0), Fixed(6.0)])
    (scored,) = scorer.score_with_spread(ALLELES[:1], 0)
    # deviations -2, -1 and 3 of the mean 3: (4 + 1 + 9) / 2 = 7
    np.testing.assert_allclose(scored.scores["sad"], [3.0, 0.0])
    np.testing.assert_allclose(scored.spread["sad"], [7**0.5, 0.0])
    np.testing.assert_allclose(scorer.score(ALLELES[:1], 0)[0]["sad"], [3.0, 0.0])


def test_every_allele_and_gene_has_its_own() -> None:
    told = [Told(seed) for seed in range(5)]
    scored = ReplicateScorer(told).score_with_genes(ALLELES, 3)
    for at, one in enumerate(scored):
        values = np.stack([each.scores[at]["sad"] for each in told])
        np.testing.assert_allclose(one.scores["sad"], values.mean(axis=0))
        np.testing.assert_allclose(one.spread["sad"], values.std(axis=0, ddof=1))
        (effect,) = one.genes
        of_gene = np.stack([each.genes[at]["log2_ratio"] for each in told])
        assert effect.gene is GENE
        np.testing.assert_allclose(effect.values["log2_ratio"], of_gene.mean(axis=0))
        np.testing.assert_allclose(effect.spread["log2_ratio"], of_gene.std(axis=0, ddof=1))
    assert [each.asked for each in told] == [[(2, 3)]] * 5


def test_what_is_not_finite_in_one_stays_so() -> None:
    scorer = ReplicateScorer([Fixed(1.0), Fixed(np.inf)])
    with np.errstate(invalid="ignore"):
        (scored,) = scorer.score_with_spread(ALLELES[:1], 0)
    assert not np.isfinite(scored.scores["sad"]).all()


def test_one_alone_has_no_spread() -> None:
    with pytest.raises(ValueError, match="1 replicates have no spread"):
        ReplicateScorer([Fixed(1.0)])
