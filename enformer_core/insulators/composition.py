"""How much of a window is G or C, and how much of it is known at all, for many windows of a contig at once.

Knows base codes. Does not know why windows are asked for.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from enformer_core.genome.alphabet import N_CODE, Codes

STEP_BP = 128
"""Windows begin and end on this grid, the model's bins, so that sums over bins are all that is kept."""

# 16 Mb of the contig
_STEPS_AT_ONCE = 1 << 17

# in the order A C G T, see `alphabet`
_C_CODE = 1
_G_CODE = 2

Sums = Int64[np.ndarray, " _"]
Shares = Float64[np.ndarray, " windows"]


@dataclass(frozen=True)
class Composition:
    """Running sums along a contig.

    Attributes:
        gc: G and C before each step of the grid, and one more: all of them.
        known: A, C, G and T likewise.
    """

    gc: Sums
    known: Sums

    def shares(self, first: Int64[np.ndarray, " windows"], steps: int) -> tuple[Shares, Shares]:
        """The share of G and C in the known bases of windows, NaN where none is, and that of known ones in all.

        Args:
            first: the step at which each window begins; windows lie on the contig whole.
            steps: how long they are.
        """
        end = first + steps
        gc = self.gc[end] - self.gc[first]
        known = self.known[end] - self.known[first]
        length_bp = steps * STEP_BP
        with np.errstate(invalid="ignore"):
            return gc / known, known / length_bp


def composition(codes: Codes) -> Composition:
    """The running sums of a contig; a last step that is not whole is left out."""
    steps = codes.size // STEP_BP
    gc = np.zeros(steps, dtype=np.int64)
    known = np.zeros(steps, dtype=np.int64)
    # a chromosome has 250 Mb: in pieces, or every comparison would make another array of that size
    for begin in range(0, steps, _STEPS_AT_ONCE):
        end = min(begin + _STEPS_AT_ONCE, steps)
        piece = codes[begin * STEP_BP : end * STEP_BP]
        bases = piece.reshape(-1, STEP_BP)
        is_gc = (bases == _C_CODE) | (bases == _G_CODE)
        is_known = bases != N_CODE
        gc[begin:end] = is_gc.sum(axis=1)
        known[begin:end] = is_known.sum(axis=1)
    return Composition(_running(gc), _running(known))


def _running(counts: Sums) -> Sums:
    """Sums before each place and behind the last: of 2, 0, 5 they are 0, 2, 2, 7."""
    return np.concatenate([[0], np.cumsum(counts)])
