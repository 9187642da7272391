"""Scoring in float16 with a way out: alleles that leave its range are scored again in a format that has float32's.

Differences in float16 are multiplied so that they lie where it has all its digits (see `scaling`), but no factor suits
weights that blow one number up 4,000 times beside others. What then overflows is not finite, and neither is what is
made of it: nothing wrong can pass for a score.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.beyond_range import BeyondRange
from enformer_core.scoring.gene_effect import ScoredAllele
from enformer_core.scoring.statistics import AlleleScores
from enformer_core.scoring.windows import Allele

Result = TypeVar("Result")

Values = Mapping[str, np.ndarray]


@runtime_checkable
class WholeScorer(Protocol):
    """What there are two of: `DeltaScorer`."""

    @property
    def batch_alts(self) -> int: ...  # noqa: D102
    def score(self, alleles: Sequence[Allele], start: int) -> list[AlleleScores]: ...  # noqa: D102
    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]: ...  # noqa: D102
    def effects(self, alleles: Sequence[Allele], start: int) -> list[AlleleEffect]: ...  # noqa: D102


class SecondTryScorer:
    """As `DeltaScorer`, of which it has two.

    Args:
        first: in float16.
        make_second: in a format with float32's range; made when an allele first needs it.
        beyond: counts those.
    """

    def __init__(
        self, first: WholeScorer, make_second: Callable[[], WholeScorer], beyond: BeyondRange
    ) -> None:
        self._first = first
        self._make_second = make_second
        self._beyond = beyond

    @cached_property
    def _second(self) -> WholeScorer:
        return self._make_second()

    @property
    def batch_alts(self) -> int:
        """Alleles carried at once, as memory has allowed so far."""
        return self._first.batch_alts

    def score(self, alleles: Sequence[Allele], start: int) -> list[AlleleScores]:
        """See `DeltaScorer.score`."""
        found = self._first.score(alleles, start)
        again = _not_finite([[scores] for scores in found])
        return self._mended(found, again, lambda some: self._second.score(some, start), alleles)

    def score_with_genes(self, alleles: Sequence[Allele], start: int) -> list[ScoredAllele]:
        """See `DeltaScorer.score_with_genes`."""
        found = self._first.score_with_genes(alleles, start)
        values = [[each.scores, *(gene.values for gene in each.genes)] for each in found]
        return self._mended(
            found,
            _not_finite(values),
            lambda some: self._second.score_with_genes(some, start),
            alleles,
        )

    def effects(self, alleles: Sequence[Allele], start: int) -> list[AlleleEffect]:
        """See `DeltaScorer.effects`."""
        found = self._first.effects(alleles, start)
        values = [[each.scores, {"difference": each.difference}] for each in found]
        return self._mended(
            found, _not_finite(values), lambda some: self._second.effects(some, start), alleles
        )

    def _mended(
        self,
        found: list[Result],
        again: Sequence[int],
        second: Callable[[Sequence[Allele]], Sequence[Result]],
        alleles: Sequence[Allele],
    ) -> list[Result]:
        """What was found, with some of it found again."""
        if again:
            self._beyond.alleles += len(again)
            for index, result in zip(again, second([alleles[at] for at in again]), strict=True):
                found[index] = result
        return found


def _not_finite(values: Sequence[Sequence[Values]]) -> list[int]:
    """Which of several have a number that is not finite."""

    def numbers(of_one: Sequence[Values]) -> Iterator[np.ndarray]:
        for named in of_one:
            yield from named.values()

    return [
        index
        for index, of_one in enumerate(values)
        if not all(np.isfinite(each).all() for each in numbers(of_one))
    ]
