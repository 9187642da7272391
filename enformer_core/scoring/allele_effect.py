"""What an engine knows of one allele: its scores, and the two profiles that they are made of."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32

from enformer_core.scoring.statistics import AlleleScores

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # shapes are checked all the same; torch is its makers' to load


@dataclass(frozen=True)
class AlleleEffect:
    """One allele, in the bins that are scored, averaged over strands and shifts.

    Where an allele's scores are a mean over several comparisons, so are both profiles.

    Attributes:
        reference: prediction of the reference allele.
        difference: prediction of the alternate allele minus `reference`, as the engine knows it: not the difference of
            two rounded predictions.
        scores: each statistic, in float64.
    """

    reference: Float32[np.ndarray, "bins tracks"]
    difference: Float32[np.ndarray, "bins tracks"]
    scores: AlleleScores


@dataclass(frozen=True)
class PairedEffect:
    """One of the comparisons that an allele's effect is the mean of, in the engine's own number format.

    Attributes:
        reference: as of `AlleleEffect`.
        difference: likewise.
        scores: likewise.
    """

    reference: Float[np.ndarray, "bins tracks"]
    difference: Float[np.ndarray, "bins tracks"]
    scores: AlleleScores

    @classmethod
    def of(
        cls,
        reference: Float[Tensor, "bins tracks"],
        difference: Float[Tensor, "bins tracks"],
        scores: AlleleScores,
    ) -> "PairedEffect":
        """From an engine's own profiles, copied: the engine goes on with theirs."""
        return cls(_copied(reference), _copied(difference), scores)


def _copied(profile: Float[Tensor, "bins tracks"]) -> Float[np.ndarray, "bins tracks"]:
    # np.array copies where np.asarray would look into the engine's own memory
    return np.array(profile.cpu().numpy())
