"""Average precision of scores of element-gene pairs, by the distance between element and gene.

Near pairs are positive far more often than distant ones: a score that knows nothing but distance does well over all of
them, so each stretch of distances is judged on its own too. Does not know where the scores come from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from enformer_core.evaluate.average_precision import (
    Bootstrap,
    average_precision,
    average_precisions,
    ranking,
)
from enformer_core.evaluate.bins import DistanceBin
from enformer_core.evaluate.crispr import TestedPairs
from enformer_core.links.tables import Numbers


@dataclass(frozen=True)
class LinksResult:
    """How well one score finds the regulated pairs of one bin.

    Attributes:
        score: its name.
        bin: its name.
        pairs: how many the bin has.
        positives: how many of them are regulated.
        missing: how many have no such score; they come last.
        average_precision: None where no pair is regulated, or none has such a score: then nothing is ranked.
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
    pairs: TestedPairs,
    bins: Sequence[DistanceBin],
    bootstrap: Bootstrap,
) -> Iterator[LinksResult]:
    """Every score in every bin; within a bin all scores meet the same draws."""
    for each in bins:
        is_here = each.holds(pairs.distance_bp)
        positives = pairs.is_regulated[is_here]
        scores = {name: values[is_here] for name, values in pairs.scores.items()}
        intervals = _intervals(positives, scores, each, bootstrap)
        for name, values in scores.items():
            if np.isnan(values).all():
                yield _unscored(name, each, positives)
                continue
            low, high = intervals[name]
            ranked = _last_if_missing(values)
            yield LinksResult(
                score=name,
                bin=each.name,
                pairs=positives.size,
                positives=int(positives.sum()),
                missing=int(np.isnan(values).sum()),
                average_precision=_known(average_precision(positives, ranked)),
                low=_known(low),
                high=_known(high),
            )


def _unscored(
    name: str,
    each: DistanceBin,
    positives: Bool[np.ndarray, " rows"],
) -> LinksResult:
    """A bin in which no pair has the score: all share the last rank, and its precision would be the bin's own."""
    return LinksResult(
        score=name,
        bin=each.name,
        pairs=positives.size,
        positives=int(positives.sum()),
        missing=positives.size,
        average_precision=None,
        low=None,
        high=None,
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
    # sorted once: a draw changes how often items count, not their order
    rankings = {name: ranking(_last_if_missing(values)) for name, values in scores.items()}
    values: dict[str, list[Numbers]] = {name: [] for name in scores}
    # the bin decides its draws, whichever others are asked for
    for counts in bootstrap.counts(positives.size, each.low_bp, each.high_bp or 0):
        for name, ranked in rankings.items():
            values[name].append(average_precisions(ranked, positives, counts))
    return {name: bootstrap.interval(np.concatenate(parts)) for name, parts in values.items()}


def _last_if_missing(values: Numbers) -> Numbers:
    # not left out: a score that says something of easy pairs alone must not look better for it
    return np.where(np.isnan(values), -np.inf, values)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
