"""Means over the pairings of an allele, of which most have one: its values are kept as they are.

Knows scores, profiles and effects on genes. Does not know how they come about. Loads torch.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor

from enformer_core.scoring.allele_effect import AlleleEffect, PairedEffect
from enformer_core.scoring.gene_effect import GeneEffect, ScoredAllele

Numbers = TypeVar("Numbers", np.ndarray, Tensor)


def mean(values: Sequence[Numbers]) -> Numbers:
    """The mean of arrays or tensors of one shape; of one it is that one itself."""
    total = values[0]
    if len(values) == 1:
        return total
    for each in values[1:]:
        total = total + each
    return total / len(values)


def mean_scores(scores: Sequence[Mapping[str, Numbers]]) -> dict[str, Numbers]:
    """The mean of each statistic."""
    return {name: mean([each[name] for each in scores]) for name in scores[0]}


def mean_scored(scored: Sequence[ScoredAllele]) -> ScoredAllele:
    """The mean of each statistic and of each value of a gene; pairings of an allele have the same genes."""
    genes = [
        GeneEffect(of_gene[0].gene, mean_scores([each.values for each in of_gene]))
        for of_gene in zip(*(each.genes for each in scored), strict=True)
    ]
    return ScoredAllele(mean_scores([each.scores for each in scored]), tuple(genes))


def mean_effect(effects: Sequence[PairedEffect]) -> AlleleEffect:
    """The mean of both profiles, and of each score, which is then not the score of these profiles."""
    return AlleleEffect(
        _in_float32([each.reference for each in effects]),
        _in_float32([each.difference for each in effects]),
        mean_scores([each.scores for each in effects]),
    )


def _in_float32(
    profiles: Sequence[Float[np.ndarray, "bins tracks"]],
) -> Float32[np.ndarray, "bins tracks"]:
    """The mean of profiles; several are added in float64."""
    if len(profiles) > 1:
        profiles = [each.astype(np.float64) for each in profiles]
    return mean(profiles).astype(np.float32, copy=False)
