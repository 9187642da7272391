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

    Attributes:
        reference: prediction of the reference allele.
        difference: prediction of the alternate allele minus `reference`, as the engine knows it: not the difference of
            two rounded predictions.
        scores: each statistic, in float64.
    """

    reference: Float32[np.ndarray, "bins tracks"]
    difference: Float32[np.ndarray, "bins tracks"]
    scores: AlleleScores

    @classmethod
    def of(
        cls,
        reference: Float[Tensor, "bins tracks"],
        difference: Float[Tensor, "bins tracks"],
        scores: AlleleScores,
    ) -> "AlleleEffect":
        """From an engine's own profiles, copied: the engine goes on with theirs."""
        return cls(_in_float32(reference), _in_float32(difference), scores)


def _in_float32(profile: Float[Tensor, "bins tracks"]) -> Float32[np.ndarray, "bins tracks"]:
    # np.array copies where np.asarray would look into the engine's own memory
    return np.array(profile.cpu().numpy(), dtype=np.float32)
