"""How well a score agrees with measured effects, element by element: Pearson's and Spearman's correlation.

Elements are judged apart, since each was measured on a scale of its own, and their correlations are averaged. Does not
know where effects and scores come from.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from enformer_core.evaluate.average_precision import Bootstrap, Counts
from enformer_core.evaluate.correlation import pearsons, spearmans
from enformer_core.evaluate.estimate import UNDEFINED, Estimate
from enformer_core.evaluate.resampling import block_counts

Draws = Float64[np.ndarray, " draws"]
Numbers = Float64[np.ndarray, " rows"]
Names = Int64[np.ndarray, " rows"]

MeasuredBy = Literal["position", "rows"]

_Correlation = Callable[[Numbers, Numbers, Counts], Draws]

CORRELATIONS: dict[str, _Correlation] = {"spearman": spearmans, "pearson": pearsons}


@dataclass(frozen=True)
class MeasuredRows:
    """Variants of one element; none of these arrays has a gap.

    Attributes:
        element: its name.
        effect: measured, finite.
        score: finite.
        position: number of the base that each changes, from 0.
    """

    element: str
    effect: Numbers
    score: Numbers
    position: Names


@dataclass(frozen=True)
class ElementResult:
    """One element.

    Attributes:
        element: its name.
        rows: variants that were judged.
        spearman: of scores and measured effects.
        pearson: likewise.
    """

    element: str
    rows: int
    spearman: Estimate
    pearson: Estimate


@dataclass(frozen=True)
class MeasuredResult:
    """All elements.

    Attributes:
        elements: each.
        averaged: how many have a correlation, over which means are taken.
        spearman: mean over elements.
        pearson: likewise.
    """

    elements: tuple[ElementResult, ...]
    averaged: int
    spearman: Estimate
    pearson: Estimate


def judge_measured(
    elements: list[MeasuredRows],
    bootstrap: Bootstrap,
    drawn_by: MeasuredBy,
) -> MeasuredResult:
    """Each element and the mean; the elements stay the same ones in every draw.

    Args:
        elements: at least one.
        bootstrap: how many draws.
        drawn_by: what is drawn within an element: positions with all their changes, or changes.
    """
    results = []
    values: dict[str, list[float]] = {name: [] for name in CORRELATIONS}
    draws: dict[str, list[Draws]] = {name: [] for name in CORRELATIONS}
    for number, element in enumerate(elements):
        estimates = {}
        # elements are drawn apart from one another
        counts = _counts(element, bootstrap, drawn_by, number)
        of_element = _of_draws(element, counts)
        for name, correlation in CORRELATIONS.items():
            value = _once(correlation, element)
            of_draws = of_element[name]
            estimates[name] = Estimate.of(value, [of_draws], bootstrap)
            # an element without a correlation has no part in the mean
            if np.isnan(value):
                continue
            values[name].append(value)
            draws[name].append(of_draws)
        results.append(ElementResult(element.element, element.score.size, **estimates))
    means = {name: _mean(values[name], draws[name], bootstrap) for name in CORRELATIONS}
    return MeasuredResult(tuple(results), len(values["spearman"]), **means)


def _once(
    correlation: _Correlation,
    element: MeasuredRows,
) -> float:
    """The correlation of the element itself; NaN where nothing of it is judged."""
    if not element.score.size:
        return float("nan")
    once = np.ones((1, element.score.size), dtype=np.int64)
    of_draws = correlation(element.score, element.effect, once)
    return float(of_draws[0])


def _of_draws(
    element: MeasuredRows,
    draws: Iterator[Counts],
) -> dict[str, Draws]:
    parts: dict[str, list[Draws]] = {name: [np.empty(0)] for name in CORRELATIONS}
    for counts in draws:
        for name, correlation in CORRELATIONS.items():
            of_draws = correlation(element.score, element.effect, counts)
            parts[name].append(of_draws)
    return {name: np.concatenate(several) for name, several in parts.items()}


def _counts(
    element: MeasuredRows,
    bootstrap: Bootstrap,
    drawn_by: MeasuredBy,
    number: int,
) -> Iterator[Counts]:
    if not (element.score.size and bootstrap.draws):
        return iter(())
    if drawn_by == "rows":
        return bootstrap.counts(element.score.size, number)
    return block_counts(bootstrap, element.position, number)


def _mean(
    values: list[float],
    draws: list[Draws],
    bootstrap: Bootstrap,
) -> Estimate:
    """The mean over elements, and that of each draw; a draw in which an element has none gives no mean."""
    if not values:
        return UNDEFINED
    of_draws = np.stack(draws).mean(axis=0)
    return Estimate.of(float(np.mean(values)), [of_draws], bootstrap)
