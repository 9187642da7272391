"""The minimum of a function of one number, by Brent's method: golden sections, and parabolas where they help.

The steps are those of R's `optimize` (and so of `optim(method = "Brent")`), so that what is found is what R finds, to
the last digits. Does not know what is minimised.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

_GOLDEN = (3 - math.sqrt(5)) / 2
_SQRT_EPS = math.sqrt(sys.float_info.epsilon)

R_TOLERANCE = _SQRT_EPS
"""What `optim` asks of `optimize` unless told otherwise (its `reltol`)."""

_MOST_STEPS = 10_000


@dataclass(slots=True)
class _Point:
    """A place and the function's value there."""

    x: float
    value: float


def minimum(
    function: Callable[[float], float],
    low: float,
    high: float,
    tolerance: float = R_TOLERANCE,
) -> float:
    """Where a function is least between two places; where it has several hollows, in one of them.

    Brent, Algorithms for Minimization without Derivatives, 1973, chapter 5.

    Args:
        function: of one number.
        low: the lower end; never tried itself.
        high: the upper end.
        tolerance: how near to the minimum the answer lies.
    """
    first = low + _GOLDEN * (high - low)
    best = _Point(first, function(first))
    second = third = best
    step = before = 0.0
    for _ in range(_MOST_STEPS):
        middle = (low + high) / 2
        least = _SQRT_EPS * abs(best.x) + tolerance / 3
        if abs(best.x - middle) <= 2 * least - (high - low) / 2:
            break
        parabola = _parabola(best, second, third) if abs(before) > least else None
        if parabola is not None and _is_useful(parabola, before, low - best.x, high - best.x):
            before = step
            step = parabola[0] / parabola[1]
            tried = best.x + step
            # nothing is tried too near to an end
            if tried - low < 2 * least or high - tried < 2 * least:
                step = least if best.x < middle else -least
        else:
            before = (high if best.x < middle else low) - best.x
            step = _GOLDEN * before
        # nor too near to the best so far
        taken = step if abs(step) >= least else math.copysign(least, step or -1)
        x = best.x + taken
        new = _Point(x, function(x))
        if new.value <= best.value:
            low, high = (low, best.x) if x < best.x else (best.x, high)
            best, second, third = new, best, second
            continue
        low, high = (x, high) if x < best.x else (low, x)
        if new.value <= second.value or second.x == best.x:
            second, third = new, second
        elif new.value <= third.value or third.x in (best.x, second.x):
            third = new
    return best.x


def _parabola(best: _Point, second: _Point, third: _Point) -> tuple[float, float]:
    """The step from the best point to the lowest of a parabola through three: its two parts, the second positive."""
    from_third = (best.x - second.x) * (best.value - third.value)
    from_second = (best.x - third.x) * (best.value - second.value)
    above = (best.x - third.x) * from_second - (best.x - second.x) * from_third
    below = 2 * (from_second - from_third)
    return (-above, below) if below > 0 else (above, -below)


def _is_useful(
    parabola: tuple[float, float],
    before: float,
    to_low: float,
    to_high: float,
) -> bool:
    """Whether a parabola's step stays within the ends, and is less than half of the last step but one."""
    above, below = parabola
    is_short = abs(above) < abs(below * before / 2)
    return is_short and below * to_low < above < below * to_high
