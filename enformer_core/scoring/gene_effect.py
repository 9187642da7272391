"""What an engine knows of one allele and its genes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from enformer_core.scoring.gene_bins import GeneBins
from enformer_core.scoring.statistics import AlleleScores


@dataclass(frozen=True)
class GeneEffect:
    """What an allele does to a gene.

    Attributes:
        gene: which, and in which bins.
        values: for each track, in float64: `log2_ratio`, log2((1 + Σ alt) / (1 + Σ ref)) over the gene's bins, and
            `difference`, Σ alt − Σ ref.
        spread: the standard deviation of each of them over replicates, with n − 1; nothing of one model alone.
    """

    gene: GeneBins
    values: Mapping[str, Float[np.ndarray, " tracks"]]
    spread: Mapping[str, Float[np.ndarray, " tracks"]] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoredAllele:
    """What is found of an allele.

    Attributes:
        scores: its statistics.
        genes: its effects on the genes in reach, in their order; none where nobody asked.
        spread: the standard deviation of each statistic over replicates, with n − 1; nothing of one model alone.
    """

    scores: AlleleScores
    genes: tuple[GeneEffect, ...] = ()
    spread: AlleleScores = field(default_factory=dict)
