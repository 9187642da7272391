"""How often two places of a chromosome meet, by their distance alone: the power law of the ABC model.

Fulco et al. 2019 (Nat Genet 51:1664); constants and formula of broadinstitute/ABC-Enhancer-Gene-Prediction, whose
averaged Hi-C map they were fitted to.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from enformer_core.errors import InputError

Distances = Float64[np.ndarray, " pairs"]
"""In bp, from the middle of an element to a TSS."""

Contacts = Float64[np.ndarray, " pairs"]

_FURTHEST_BP = 10**10
"""No chromosome is longer, so that contacts at greater distances need not be numbers."""

_MOST_LN = 600.0
"""The logarithm of the largest float is 709; contacts are summed, and multiplied by activities."""


@dataclass(frozen=True)
class PowerLaw:
    """Contact as a power of distance.

    Attributes:
        gamma: the exponent; contact falls with distance.
        scale: the logarithm of contact at 1 bp, if the law held there.
        flat_below_bp: nearer than this the law is unknown, and contact is that of this distance.
    """

    gamma: float = 1.024238616787792
    scale: float = 5.9594510043736655
    flat_below_bp: int = 5_000

    def __post_init__(self) -> None:
        for name in ("gamma", "scale"):
            value = getattr(self, name)
            if not value > 0:
                raise InputError(f"--powerlaw-{name} {value}: must be above 0")
        # ln of the contact where it is largest, and where it is smallest
        largest = self.scale - self.gamma * math.log(self.flat_below_bp + 1)
        smallest = self.scale - self.gamma * math.log(_FURTHEST_BP)
        if largest > _MOST_LN or smallest < -_MOST_LN:
            raise InputError(
                f"--powerlaw-scale {self.scale} and --powerlaw-gamma {self.gamma}: contacts would be e^{smallest:.4g} "
                f"to e^{largest:.4g}, which no number holds. The published law has {PowerLaw.scale} and "
                f"{PowerLaw.gamma}."
            )


PUBLISHED_LAW = PowerLaw()
"""The program's own constants since 2023."""


def powerlaw_contact(distance_bp: Distances, law: PowerLaw = PUBLISHED_LAW) -> Contacts:
    """Contact of pairs at these distances: exp(scale - gamma * ln(distance + 1)).

    Args:
        distance_bp: not negative.
        law: its constants.
    """
    known = np.maximum(distance_bp, law.flat_below_bp)
    return np.exp(law.scale - law.gamma * np.log(known + 1))
