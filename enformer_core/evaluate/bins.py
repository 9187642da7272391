"""Stretches of distances between elements and TSSs, each of which is judged on its own.

Knows distances. Does not know scores.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from enformer_core.errors import InputError

# the digits 0 to 9 alone, and no more than a distance can have
_BIN = re.compile(r"([0-9]{1,12})-([0-9]{1,12})")

_ALL = "all"


@dataclass(frozen=True)
class DistanceBin:
    """Pairs by the distance of their element to their TSS.

    Attributes:
        low_bp: the least distance.
        high_bp: the first distance beyond; None where there is no end.
    """

    low_bp: int = 0
    high_bp: int | None = None

    def __post_init__(self) -> None:
        if self.high_bp is not None and self.high_bp <= self.low_bp:
            raise InputError(f"--bins {self.name}: the larger distance comes second")

    @classmethod
    def read(cls, text: str) -> "DistanceBin":
        """A bin as people write it, `3000-12500` in bp.

        Raises:
            InputError: for anything else.
        """
        match = _BIN.fullmatch(text)
        if match is None:
            raise InputError(f"--bins {text}: must be two distances in bp, as 3000-12500")
        low, high = map(int, match.groups())
        return cls(low, high)

    @property
    def name(self) -> str:
        """What tables call it: `3000-12500`, or `all` where there is no end."""
        return _ALL if self.high_bp is None else f"{self.low_bp}-{self.high_bp}"

    def holds(self, distance_bp: Float64[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
        """Which distances lie in it; half-open, so that bins side by side share no pair."""
        is_far = distance_bp >= self.low_bp
        if self.high_bp is None:
            return is_far
        is_near = distance_bp < self.high_bp
        return is_far & is_near


EVERYWHERE = (DistanceBin(), DistanceBin(0, 98_000))
"""All pairs, and those that a window of Enformer's holds whose middle is the TSS."""

PAPER_BINS = (
    DistanceBin(0, 3_000),
    DistanceBin(3_000, 12_500),
    DistanceBin(12_500, 34_500),
    DistanceBin(34_500, 131_000),
)
"""Those of the Enformer article, figure 2."""


def read_bins(texts: Sequence[str]) -> list[DistanceBin]:
    """Everywhere, and the bins that are asked for, each once.

    Raises:
        InputError: for none, for one that is named twice, and for what is no bin.
    """
    if not any(texts):
        raise InputError("--bins: names no bin. Give some, as 0-3000,3000-12500, or leave it out")
    asked: list[DistanceBin] = []
    for text in texts:
        each = DistanceBin.read(text)
        if each in asked:
            raise InputError(f"--bins {text}: is named twice")
        asked.append(each)
    # those that are always judged may be named all the same
    return list(dict.fromkeys((*EVERYWHERE, *asked)))
