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


@dataclass(frozen=True, slots=True)
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
        high: the upper end; likewise.
        tolerance: how near to the minimum the answer lies.
    """
    search = _Search(function, low, high, tolerance)
    for _ in range(_MOST_STEPS):
        if search.is_done:
            break
        search.take(search.next_step())
    return search.best.x


class _Search:
    """Between which ends the minimum lies, and the three best points so far."""

    def __init__(
        self,
        function: Callable[[float], float],
        low: float,
        high: float,
        tolerance: float,
    ) -> None:
        self._function = function
        self._low = low
        self._high = high
        self._tolerance = tolerance
        self.best = self._point(low + _GOLDEN * (high - low))
        self._second = self.best
        self._third = self.best
        self._step = 0.0
        self._step_before = 0.0

    @property
    def is_done(self) -> bool:
        """Whether both ends are as near to the best point as is asked for."""
        reach = (self._high - self._low) / 2
        off_middle = abs(self.best.x - self._middle)
        return off_middle + reach <= 2 * self._least

    def next_step(self) -> float:
        """From the best point to the next one that is tried; never shorter than makes sense."""
        parabola = self._parabola()
        if parabola is None:
            self._step_before = self._longer_side()
            self._step = _GOLDEN * self._step_before
        else:
            self._step_before = self._step
            self._step = self._within_ends(parabola)
        if abs(self._step) >= self._least:
            return self._step
        return self._least if self._step > 0 else -self._least

    def take(
        self,
        step: float,
    ) -> None:
        """Try the next point, and bring an end nearer."""
        new = self._point(self.best.x + step)
        if new.value <= self.best.value:
            self._end_at(self.best, is_high=new.x < self.best.x)
            self._third = self._second
            self._second = self.best
            self.best = new
            return
        self._end_at(new, is_high=new.x >= self.best.x)
        is_second = new.value <= self._second.value
        if is_second or self._second.x == self.best.x:
            self._third = self._second
            self._second = new
            return
        is_third = new.value <= self._third.value
        if is_third or self._third.x in (self.best.x, self._second.x):
            self._third = new

    @property
    def _middle(self) -> float:
        return (self._low + self._high) / 2

    @property
    def _least(self) -> float:
        """The least step: places nearer to each other have the same value but for rounding."""
        return _SQRT_EPS * abs(self.best.x) + self._tolerance / 3

    def _point(
        self,
        x: float,
    ) -> _Point:
        return _Point(x, self._function(x))

    def _end_at(
        self,
        point: _Point,
        *,
        is_high: bool,
    ) -> None:
        if is_high:
            self._high = point.x
        else:
            self._low = point.x

    def _longer_side(self) -> float:
        """From the best point to the end that is farther away."""
        end = self._high if self.best.x < self._middle else self._low
        return end - self.best.x

    def _parabola(self) -> float | None:
        """The step to the lowest point of a parabola through the three; None where it is of no use.

        It must stay within the ends, and be less than half of the last step but one: else steps might never end.
        """
        if abs(self._step_before) <= self._least:
            return None
        to_second = self.best.x - self._second.x
        to_third = self.best.x - self._third.x
        by_second = to_second * (self.best.value - self._third.value)
        by_third = to_third * (self.best.value - self._second.value)
        above = to_third * by_third - to_second * by_second
        below = 2 * (by_third - by_second)
        # the step is above / below, and below is to be positive
        above = -above if below > 0 else above
        below = abs(below)
        is_short = abs(above) < abs(below * self._step_before / 2)
        is_above_low = above > below * (self._low - self.best.x)
        is_below_high = above < below * (self._high - self.best.x)
        is_useful = is_short and is_above_low and is_below_high
        return above / below if is_useful else None

    def _within_ends(
        self,
        step: float,
    ) -> float:
        """The step, or the least one where it would lead too near to an end."""
        tried = self.best.x + step
        room = min(tried - self._low, self._high - tried)
        if room >= 2 * self._least:
            return step
        return self._least if self.best.x < self._middle else -self._least
