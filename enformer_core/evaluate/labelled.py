"""How well a score tells positives from negatives: over all variants, chromosome by chromosome, and group by group.

Areas of one chromosome are weighted by its variants, as TraitGym does it (`AUPRC_by_chrom_weighted_average`): scores of
different loci need not be on one scale. Does not know where labels and scores come from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from enformer_core.evaluate.auroc import auroc, aurocs
from enformer_core.evaluate.average_precision import (
    Bootstrap,
    Counts,
    Ranking,
    average_precision,
    average_precisions,
    ranking,
)
from enformer_core.evaluate.estimate import UNDEFINED, Estimate
from enformer_core.evaluate.resampling import block_counts, stratified_counts

Draws = Float64[np.ndarray, " draws"]
Numbers = Float64[np.ndarray, " rows"]
Names = Int64[np.ndarray, " rows"]

DrawnBy = Literal["rows", "match_group", "chrom"]

_AREAS = {"auroc": aurocs, "auprc": average_precisions}


@dataclass(frozen=True)
class LabelledRows:
    """Variants that are judged; none of these arrays has a gap.

    Attributes:
        is_positive: of each.
        score: finite; higher should be positive.
        chrom: number of its chromosome, from 0.
        chroms: names of these.
        group: number of its match group, from 0; None where there are none.
    """

    is_positive: Bool[np.ndarray, " rows"]
    score: Numbers
    chrom: Names
    chroms: tuple[str, ...]
    group: Names | None = None

    def blocks(self, drawn_by: DrawnBy) -> Names:
        """What is drawn as one piece."""
        if drawn_by == "match_group":
            assert self.group is not None
            return self.group
        return self.chrom


@dataclass(frozen=True)
class ChromosomeAreas:
    """One chromosome.

    Attributes:
        chrom: its name.
        rows: variants on it, its weight.
        positives: how many of them.
        auroc: None where it has positives or negatives alone.
        auprc: None where it has no positive.
    """

    chrom: str
    rows: int
    positives: int
    auroc: float | None
    auprc: float | None


@dataclass(frozen=True)
class GroupAreas:
    """Match groups, each judged on its own.

    Attributes:
        groups: those with a positive and a negative, which count.
        left_out: groups that have only one kind.
        auroc: mean over groups: how often a positive is above one of its own negatives.
        auprc: mean over groups: of one positive 1 / its rank.
    """

    groups: int
    left_out: int
    auroc: Estimate
    auprc: Estimate


@dataclass(frozen=True)
class LabelledResult:
    """How well the score does.

    Attributes:
        areas: `auroc`, `auprc`, and both `…_by_chrom_weighted_average`.
        chroms: each chromosome.
        groups: None without match groups.
    """

    areas: Mapping[str, Estimate]
    chroms: tuple[ChromosomeAreas, ...]
    groups: GroupAreas | None


def judge_labelled(
    rows: LabelledRows,
    bootstrap: Bootstrap,
    drawn_by: DrawnBy,
) -> LabelledResult:
    """All areas with their intervals.

    Args:
        rows: variants, with a positive and a negative among them.
        bootstrap: how many draws.
        drawn_by: what is drawn: variants, positives and negatives apart; match groups; or chromosomes.
    """
    judge = _Judge.of(rows)
    once = np.ones((1, rows.score.size), dtype=np.int64)
    values = judge.areas(once)
    draws: dict[str, list[Draws]] = {name: [] for name in values}
    for counts in _draws(rows, bootstrap, drawn_by):
        for name, of_draws in judge.areas(counts).items():
            draws[name].append(of_draws)
    areas = {
        name: Estimate.of(float(value[0]), draws[name], bootstrap) for name, value in values.items()
    }
    groups = None if rows.group is None else _groups(rows, rows.group, bootstrap)
    return LabelledResult(areas, tuple(_chromosomes(rows)), groups)


def _draws(
    rows: LabelledRows,
    bootstrap: Bootstrap,
    drawn_by: DrawnBy,
) -> Iterator[Counts]:
    if not bootstrap.draws:
        return iter(())
    if drawn_by == "rows":
        return stratified_counts(bootstrap, rows.is_positive.astype(np.int64))
    return block_counts(bootstrap, rows.blocks(drawn_by))


@dataclass(frozen=True)
class _Judge:
    """Variants sorted once: a draw changes how often each counts, not their order."""

    rows: LabelledRows
    by_chrom: tuple["_Part", ...]
    whole: "_Part"

    @staticmethod
    def of(rows: LabelledRows) -> "_Judge":
        every = np.arange(rows.score.size)
        parts = []
        for number in range(len(rows.chroms)):
            members = np.flatnonzero(rows.chrom == number)
            parts.append(_Part.of(rows, members))
        return _Judge(rows, tuple(parts), _Part.of(rows, every))

    def areas(self, counts: Counts) -> dict[str, Draws]:
        found = {name: self.whole.area(name, counts) for name in _AREAS}
        # a draw of rows may give a chromosome more of them, and so more weight
        drawn = np.stack([part.drawn(counts) for part in self.by_chrom])
        for name in _AREAS:
            areas = np.stack([part.area(name, counts) for part in self.by_chrom])
            average = _weighted_average(areas, drawn)
            found[f"{name}_by_chrom_weighted_average"] = average
        return found


@dataclass(frozen=True)
class _Part:
    """Some of the variants, ranked among themselves."""

    members: Names
    is_positive: Bool[np.ndarray, " members"]
    ranked: Ranking

    @staticmethod
    def of(
        rows: LabelledRows,
        members: Names,
    ) -> "_Part":
        return _Part(members, rows.is_positive[members], ranking(rows.score[members]))

    def area(
        self,
        name: str,
        counts: Counts,
    ) -> Draws:
        return _AREAS[name](self.ranked, self.is_positive, counts[:, self.members])

    def drawn(self, counts: Counts) -> Int64[np.ndarray, " draws"]:
        total: Int64[np.ndarray, " draws"] = counts[:, self.members].sum(axis=1)
        return total


def _weighted_average(
    areas: Float64[np.ndarray, "chroms draws"],
    weights: Int64[np.ndarray, "chroms draws"],
) -> Draws:
    """The average over chromosomes that have an area; NaN where none has."""
    is_known = ~np.isnan(areas)
    weight = np.where(is_known, weights, 0)
    area = np.where(is_known, areas, 0)
    total = (area * weight).sum(axis=0)
    with np.errstate(invalid="ignore"):
        average: Draws = total / weight.sum(axis=0)
    return average


def _chromosomes(rows: LabelledRows) -> Iterator[ChromosomeAreas]:
    for number, chrom in enumerate(rows.chroms):
        here = rows.chrom == number
        is_positive = rows.is_positive[here]
        score = rows.score[here]
        yield ChromosomeAreas(
            chrom,
            rows=is_positive.size,
            positives=int(is_positive.sum()),
            auroc=_known(auroc(is_positive, score)),
            auprc=_known(average_precision(is_positive, score)),
        )


def _groups(
    rows: LabelledRows,
    group: Names,
    bootstrap: Bootstrap,
) -> GroupAreas:
    # rows of one group stand together: of 1, 0, 1 the order is 1, 0, 2, and a border lies before its second
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    borders = np.flatnonzero(np.diff(ordered)) + 1
    members = np.split(order, borders)
    ranked = []
    precise = []
    for each in members:
        is_positive = rows.is_positive[each]
        # of one kind alone nothing is above or below
        if is_positive.all() or not is_positive.any():
            continue
        score = rows.score[each]
        ranked.append(auroc(is_positive, score))
        precise.append(average_precision(is_positive, score))
    return GroupAreas(
        groups=len(ranked),
        left_out=len(members) - len(ranked),
        auroc=_mean(np.array(ranked), bootstrap),
        auprc=_mean(np.array(precise), bootstrap),
    )


def _mean(
    values: Numbers,
    bootstrap: Bootstrap,
) -> Estimate:
    """The mean, and that of groups drawn anew."""
    if not values.size:
        return UNDEFINED
    draws = bootstrap.counts(values.size)
    means = (counts @ values / values.size for counts in draws)
    return Estimate.of(float(values.mean()), means, bootstrap)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
