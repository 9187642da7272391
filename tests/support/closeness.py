"""How far a result is from the truth."""

import numpy as np
from numpy.typing import ArrayLike


def relative_l2(result: ArrayLike, truth: ArrayLike) -> float:
    """The length of the difference over the length of the truth, both in float64."""
    expected = np.asarray(truth, np.float64)
    difference = np.asarray(result, np.float64) - expected
    return float(np.linalg.norm(difference) / np.linalg.norm(expected))
