"""A number that was judged, with the interval in which it would lie had other rows been drawn."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from enformer_core.evaluate.average_precision import Bootstrap


@dataclass(frozen=True)
class Estimate:
    """A number and its interval.

    Attributes:
        value: None where it is not defined.
        low: the lower end; None without an interval.
        high: the upper one.
    """

    value: float | None
    low: float | None
    high: float | None

    @staticmethod
    def of(
        value: float,
        draws: Iterable[Float64[np.ndarray, " draws"]],
        bootstrap: Bootstrap,
    ) -> "Estimate":
        """From the number itself and those of all draws, NaN where there is none."""
        # a number that is not defined has no interval, even if that of some draw is
        if np.isnan(value):
            return UNDEFINED
        nothing = np.empty(0)
        every = np.concatenate([nothing, *draws])
        low, high = bootstrap.interval(every)
        return Estimate(value, _known(low), _known(high))

    def named(self, name: str) -> dict[str, float | None]:
        """The fields of a JSON object: `auroc`, `auroc_low`, `auroc_high`."""
        return {
            name: self.value,
            f"{name}_low": self.low,
            f"{name}_high": self.high,
        }


UNDEFINED = Estimate(None, None, None)
"""Of what has no value."""


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
