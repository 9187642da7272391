"""Pieces of work timed in turns, round after round, while there is time.

A machine's speed drifts, and others compute beside it: what is compared is timed next to each other, again and again,
and how far rounds lie apart says how sure their median is. Does not know what the pieces are; clocks are given.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

MOST_ROUNDS = 5

FEWEST_AGREEING = 3
"""Two rounds may agree by chance."""

AGREED = 0.03
"""Spread up to which rounds agree: what a plan does not know of a run is more."""


@dataclass(frozen=True)
class Lap:
    """What one piece took.

    Attributes:
        worked_s: seconds that the device worked.
        passed_s: seconds that passed meanwhile; more, where others compute too.
    """

    worked_s: float
    passed_s: float


@dataclass(frozen=True)
class Stopwatch:
    """Two clocks, and when to stop.

    Attributes:
        passed: seconds that pass, of which there are only so many.
        worked: seconds that the device works, which are measured.
        ends: of `passed`, when nothing is begun that would take longer.
    """

    passed: Callable[[], float]
    worked: Callable[[], float]
    ends: float

    def lap(self, piece: Callable[[], object]) -> Lap:
        """Do a piece once."""
        began = self.passed()
        began_work = self.worked()
        piece()
        return Lap(self.worked() - began_work, self.passed() - began)

    def has_time(self, seconds: float) -> bool:
        """Whether what takes so long would end in time."""
        return self.passed() + seconds <= self.ends


def in_turns(
    pieces: Sequence[Callable[[], object]], watch: Stopwatch, done: Sequence[Lap] = ()
) -> Iterator[list[float]]:
    """Rounds of all pieces: the first in any case, others while one as long as the last would end in time.

    Args:
        pieces: what is timed.
        watch: by which.
        done: what the first of them took a moment ago; the first round begins behind these.

    Yields:
        Seconds that the device worked on each piece.
    """
    laps = list(done)
    for _ in range(MOST_ROUNDS):
        laps += [watch.lap(piece) for piece in pieces[len(laps) :]]
        yield [lap.worked_s for lap in laps]
        if not watch.has_time(sum(lap.passed_s for lap in laps)):
            return
        laps = []


def spread(seconds: Sequence[float]) -> float | None:
    """Half of what lies between the fastest and the slowest round, as a part of the median; None of a single one."""
    # 9, 10 and 11 s are 10 s ± 10 %
    if len(seconds) == 1:
        return None
    middle = median(seconds)
    return (max(seconds) - min(seconds)) / 2 / middle if middle else 0.0


def agree(figures: Sequence[Sequence[float]]) -> bool:
    """Whether rounds are enough, and each figure's lie close together.

    Args:
        figures: of each figure its seconds in every round.
    """
    if any(len(seconds) < FEWEST_AGREEING for seconds in figures):
        return False
    return all((spread(seconds) or 0.0) <= AGREED for seconds in figures)
