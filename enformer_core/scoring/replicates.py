"""Several replicates of a model as one scorer: the mean of what each of them says, and how far they differ.

Replicates are models of one kind that were trained apart, as on other folds. Each scores alone: neither predictions nor
differences are averaged before a statistic is made of them. Does not know which engine is asked.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele
from enformer_core.scoring.statistics import AlleleScores
from enformer_core.scoring.windows import Allele

PerTrack = Float[np.ndarray, " tracks"]


@runtime_checkable
class Replicate(Protocol):
    """What there are several of: `DeltaScorer`, `SecondTryScorer`, `DirectScorer`."""

    def score(self, alleles: Sequence[Allele], start: int) -> list[AlleleScores]: ...  # noqa: D102
    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]: ...  # noqa: D102


class ReplicateScorer:
    """Scores alleles by all replicates, one after another.

    Args:
        replicates: two at least, whose order decides the last digit of a mean.

    Raises:
        ValueError: for fewer.
    """

    def __init__(self, replicates: Sequence[Replicate]) -> None:
        if len(replicates) < 2:
            raise ValueError(f"{len(replicates)} replicates have no spread")
        self._replicates = tuple(replicates)

    def score(self, alleles: Sequence[Allele], start: int) -> list[AlleleScores]:
        """The mean of each statistic of each allele, in float64; see `DirectScorer.score`."""
        return [scored.scores for scored in self.score_with_spread(alleles, start)]

    def score_with_spread(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]:
        """As `score`, with the spread of each statistic."""
        found = [each.score(alleles, start) for each in self._replicates]
        return [
            _averaged([ScoredAllele(scores) for scores in of]) for of in zip(*found, strict=True)
        ]

    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]:
        """As `score_with_spread`, with the effects on the genes in reach and their spread."""
        found = [each.score_with_genes(alleles, start) for each in self._replicates]
        return [_averaged(of_allele) for of_allele in zip(*found, strict=True)]


class _Summary(NamedTuple):
    """Named values over replicates."""

    mean: dict[str, PerTrack]
    spread: dict[str, PerTrack]


def _averaged(found: Sequence[ScoredAllele]) -> ScoredAllele:
    """One allele by what each replicate says of it."""
    of_scores = _summary([each.scores for each in found])
    genes = []
    # which genes are in reach follows from places alone: all have the same, in one order
    for of_gene in zip(*(each.genes for each in found), strict=True):
        values = _summary([effect.values for effect in of_gene])
        genes.append(GeneEffect(of_gene[0].gene, values.mean, values.spread))
    return ScoredAllele(of_scores.mean, tuple(genes), of_scores.spread)


def _summary(found: Sequence[Mapping[str, PerTrack]]) -> _Summary:
    """Mean and spread of each value: of 1, 2 and 6 these are 3 and √7."""
    mean, spread = {}, {}
    for name in found[0]:
        values = np.stack([each[name] for each in found]).astype(np.float64)
        mean[name] = values.mean(axis=0)
        spread[name] = values.std(axis=0, ddof=1)
    return _Summary(mean, spread)
