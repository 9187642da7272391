"""Average precision of scores of element-gene pairs, by the distance between element and gene.

Near pairs are positive far more often than distant ones: a score that knows nothing but distance does well over all of
them, so each stretch of distances is judged on its own too. Does not know where the scores come from.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from enformer_core.errors import InputError
from enformer_core.evaluate.average_precision import (
    Bootstrap,
    average_precision,
    average_precisions,
    ranking,
)
from enformer_core.evaluate.crispr import TestedPairs
from enformer_core.links.tables import Numbers

_BIN = re.compile(r"([\d_]+)-([\d_]+)")

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
        low, high = (int(number.replace("_", "")) for number in match.groups())
        return cls(low, high)

    @property
    def name(self) -> str:
        """`3000-12500`, or `all`."""
        return _ALL if self.high_bp is None else f"{self.low_bp}-{self.high_bp}"

    def holds(self, distance_bp: Numbers) -> Bool[np.ndarray, " rows"]:
        """Which distances lie in it."""
        is_far = distance_bp >= self.low_bp
        return is_far if self.high_bp is None else is_far & (distance_bp < self.high_bp)


EVERYWHERE = (DistanceBin(), DistanceBin(0, 98_000))
"""All pairs, and those that a window of Enformer's holds whose middle is the TSS."""

PAPER_BINS = tuple(
    DistanceBin(*ends)
    for ends in ((0, 3_000), (3_000, 12_500), (12_500, 34_500), (34_500, 131_000))
)
"""Those of the Enformer article, figure 2."""


@dataclass(frozen=True)
class LinksResult:
    """How well one score finds the regulated pairs of one bin.

    Attributes:
        score: its name.
        bin: its name.
        pairs: how many the bin has.
        positives: how many of them are regulated.
        missing: how many have no such score; they come last.
        average_precision: None where no pair is regulated.
        low: the lower end of its interval; None without one.
        high: the upper one.
    """

    score: str
    bin: str
    pairs: int
    positives: int
    missing: int
    average_precision: float | None
    low: float | None
    high: float | None


def judge_links(
    pairs: TestedPairs, bins: Sequence[DistanceBin], bootstrap: Bootstrap
) -> Iterator[LinksResult]:
    """Every score in every bin; within a bin all scores meet the same draws."""
    for each in bins:
        is_here = each.holds(pairs.distance_bp)
        positives = pairs.is_regulated[is_here]
        scores = {name: values[is_here] for name, values in pairs.scores.items()}
        intervals = _intervals(positives, scores, each, bootstrap)
        for name, values in scores.items():
            low, high = intervals[name]
            yield LinksResult(
                score=name,
                bin=each.name,
                pairs=positives.size,
                positives=int(positives.sum()),
                missing=int(np.isnan(values).sum()),
                average_precision=_known(average_precision(positives, _last_if_missing(values))),
                low=_known(low),
                high=_known(high),
            )


def _intervals(
    positives: Bool[np.ndarray, " rows"],
    scores: dict[str, Numbers],
    each: DistanceBin,
    bootstrap: Bootstrap,
) -> dict[str, tuple[float, float]]:
    nothing = (float("nan"), float("nan"))
    if not positives.any() or not bootstrap.draws:
        return dict.fromkeys(scores, nothing)
    rankings = {name: ranking(_last_if_missing(values)) for name, values in scores.items()}
    values: dict[str, list[Numbers]] = {name: [] for name in scores}
    # the bin decides its draws, whichever others are asked for
    for counts in bootstrap.counts(positives.size, each.low_bp, each.high_bp or 0):
        for name, ranked in rankings.items():
            values[name].append(average_precisions(ranked, positives, counts))
    return {name: bootstrap.interval(np.concatenate(parts)) for name, parts in values.items()}


def _last_if_missing(values: Numbers) -> Numbers:
    return np.where(np.isnan(values), -np.inf, values)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
