"""How well predicted tracks agree with measured ones: Pearson's correlation and R², over bins and over genes.

Each track by itself, over all bins of all regions joined, as Basenji's and Borzoi's own programs judge; then the mean
over the tracks of each assay. Regions are what intervals draw: bins of one are not independent.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from enformer_core.evaluate.average_precision import Bootstrap
from enformer_core.evaluate.correlation import pearsons
from enformer_core.evaluate.estimate import UNDEFINED, Estimate
from enformer_core.evaluate.track_genes import GeneTotals, GeneTracks, PerGene
from enformer_core.evaluate.track_moments import (
    TrackMoments,
    bins_of,
    counts_of,
    drawn_sums,
    log_of,
    pearson_of,
    r2_of,
)
from enformer_core.evaluate.track_region import TrackRegion

OfTracks = Float64[np.ndarray, " tracks"]

EVERY = "all"
"""What the mean over all tracks is called among those of assays."""

_FIGURES = {"pearson": pearson_of, "r2": r2_of}

_FEWEST_TRACKS = 3
"""Of two, a correlation across tracks is 1 or -1."""


@dataclass(frozen=True)
class TrackFigures:
    """A figure of each track; NaN where it is not defined.

    Attributes:
        value: over all regions.
        low: the lower end of the interval.
        high: the upper one.
    """

    value: OfTracks
    low: OfTracks
    high: OfTracks


@dataclass(frozen=True)
class GroupMean:
    """The mean over the tracks of an assay that have a figure.

    Attributes:
        assay: its name, or `all`.
        tracks: how many tracks of it are judged.
        pearson: mean over those that have one.
        r2: likewise.
    """

    assay: str
    tracks: int
    pearson: Estimate
    r2: Estimate


@dataclass(frozen=True)
class ScaleResult:
    """All figures of one scale.

    Attributes:
        over: `bins` or `genes`.
        scale: `raw`, or `log` of log2(1 + x).
        judged: bins, or genes, of each track.
        figures: `pearson` and `r2` of each track.
        means: by assay, of all tracks first.
    """

    over: str
    scale: str
    judged: Int64[np.ndarray, " tracks"]
    figures: dict[str, TrackFigures]
    means: tuple[GroupMean, ...]


@dataclass(frozen=True)
class AcrossTracks:
    """Whether a gene's tracks are ranked as they were measured: Pearson's of log2(1 + sum) across an assay's tracks.

    Attributes:
        assay: whose tracks.
        genes: that have a correlation.
        pearson: mean over them.
    """

    assay: str
    genes: int
    pearson: Estimate


@dataclass(frozen=True)
class TracksResult:
    """What came of all regions.

    Attributes:
        regions: that were judged.
        bins: of all regions.
        missing: pairs of a bin and a track without a measurement.
        results: bins raw and log, then genes raw and log.
        genes: that were judged; None where none were asked for.
        genes_left_out: that regions hold in part.
        across: by assay, across tracks within a gene.
    """

    regions: int
    bins: int
    missing: int
    results: tuple[ScaleResult, ...]
    genes: int | None
    genes_left_out: int
    across: tuple[AcrossTracks, ...]


def judge_tracks(
    regions: Iterable[TrackRegion],
    assays: Sequence[str | None],
    bootstrap: Bootstrap,
    genes: GeneTracks | None = None,
) -> TracksResult:
    """Judge regions one after another.

    Args:
        regions: each with all tracks.
        assays: of each track; those without one have a part in the mean over all alone.
        bootstrap: how many draws of regions, and which.
        genes: which are judged too.
    """
    tracks = len(assays)
    groups = _groups(assays)
    with ExitStack() as stack:
        sums = {
            (over, scale): stack.enter_context(TrackMoments(tracks))
            for over in ("bins", "genes")[: 1 if genes is None else 2]
            for scale in ("raw", "log")
        }
        totals = None if genes is None else GeneTotals(genes)
        across = _Across(groups)
        bins = 0
        missing = 0
        for number, region in enumerate(regions):
            bins += region.bins.size
            missing += int((~np.isfinite(region.measured)).sum())
            _add(sums, "bins", region.predicted, region.measured)
            if totals is not None:
                predicted, measured = totals.of_region(region)
                _add(sums, "genes", predicted, measured)
                across.add(number, predicted, measured)
        results = [
            _scale_result(over, scale, moments, groups, bootstrap)
            for (over, scale), moments in sums.items()
        ]
        return TracksResult(
            regions=sums["bins", "raw"].regions,
            bins=bins,
            missing=missing,
            results=tuple(results),
            genes=None if totals is None else len(totals.judged),
            genes_left_out=0 if totals is None else totals.left_out,
            across=across.result(sums["bins", "raw"].regions, bootstrap),
        )


def _add(
    sums: dict[tuple[str, str], TrackMoments],
    over: str,
    predicted: np.ndarray,
    measured: np.ndarray,
) -> None:
    sums[over, "raw"].add(predicted, measured)
    sums[over, "log"].add(log_of(predicted), log_of(measured))


def _groups(assays: Sequence[str | None]) -> dict[str, Int64[np.ndarray, " some"]]:
    """Places of the tracks of each assay, in the order in which they come, behind those of all."""
    groups = {EVERY: np.arange(len(assays))}
    for assay in dict.fromkeys(assays):
        if assay is not None:
            places = [place for place, each in enumerate(assays) if each == assay]
            groups[assay] = np.array(places, dtype=np.int64)
    return groups


def _scale_result(
    over: str,
    scale: str,
    moments: TrackMoments,
    groups: dict[str, Int64[np.ndarray, " some"]],
    bootstrap: Bootstrap,
) -> ScaleResult:
    judged = np.zeros(moments.tracks, dtype=np.int64)
    figures = {name: _no_figures(moments.tracks) for name in _FIGURES}
    # of each draw the sum over a group's tracks, and how many have a figure
    drawn = {name: np.zeros((2, len(groups), bootstrap.draws)) for name in _FIGURES}
    for some, sums in moments.strips():
        judged[some] = bins_of(sums)
        blocks = [drawn_sums(sums, counts) for counts in counts_of(bootstrap, moments.regions)]
        for name, figure in _FIGURES.items():
            value = figure(sums.sum(axis=0))
            of_draws = np.concatenate([np.empty((0, value.size)), *map(figure, blocks)])
            _fill(figures[name], some, value, of_draws, bootstrap)
            _sum_groups(drawn[name], groups, some, np.where(np.isnan(value), np.nan, of_draws))
    means = []
    for number, (assay, places) in enumerate(groups.items()):
        estimates = {
            name: _mean(figures[name].value[places], drawn[name][:, number], bootstrap)
            for name in _FIGURES
        }
        means.append(GroupMean(assay, places.size, **estimates))
    return ScaleResult(over, scale, judged, figures, tuple(means))


def _no_figures(tracks: int) -> TrackFigures:
    return TrackFigures(*(np.full(tracks, np.nan) for _ in range(3)))


def _fill(
    figures: TrackFigures,
    some: slice,
    value: OfTracks,
    of_draws: Float64[np.ndarray, "draws tracks"],
    bootstrap: Bootstrap,
) -> None:
    figures.value[some] = value
    for column, place in enumerate(range(some.start, some.stop)):
        estimate = Estimate.of(float(value[column]), [of_draws[:, column]], bootstrap)
        if estimate.low is not None and estimate.high is not None:
            figures.low[place] = estimate.low
            figures.high[place] = estimate.high


def _sum_groups(
    drawn: Float64[np.ndarray, "2 groups draws"],
    groups: dict[str, Int64[np.ndarray, " some"]],
    some: slice,
    of_draws: Float64[np.ndarray, "none_or_draws tracks"],
) -> None:
    """Add some tracks to the sums of their groups; a track without a figure has no part in the mean."""
    if not len(of_draws):
        return
    is_known = ~np.isnan(of_draws)
    known = np.where(is_known, of_draws, 0.0)
    for number, places in enumerate(groups.values()):
        columns = places[(places >= some.start) & (places < some.stop)] - some.start
        drawn[0, number] += known[:, columns].sum(axis=1)
        drawn[1, number] += is_known[:, columns].sum(axis=1)


def _mean(
    values: OfTracks,
    drawn: Float64[np.ndarray, "2 draws"],
    bootstrap: Bootstrap,
) -> Estimate:
    known = values[~np.isnan(values)]
    if not known.size:
        return UNDEFINED
    total, count = drawn
    with np.errstate(invalid="ignore", divide="ignore"):
        means = total / count
    return Estimate.of(float(known.mean()), [means], bootstrap)


class _Across:
    """Of each gene the correlation across the tracks of each assay."""

    def __init__(self, groups: dict[str, Int64[np.ndarray, " some"]]) -> None:
        # tracks of several assays differ by their units alone
        self._groups = {
            assay: places
            for assay, places in groups.items()
            if assay != EVERY and places.size >= _FEWEST_TRACKS
        }
        self._values: dict[str, list[float]] = {assay: [] for assay in self._groups}
        self._region: dict[str, list[int]] = {assay: [] for assay in self._groups}

    def add(self, region: int, predicted: PerGene, measured: PerGene) -> None:
        """Add the genes of a region."""
        for assay, places in self._groups.items():
            pairs = zip(
                log_of(predicted)[:, places],
                log_of(measured)[:, places],
                strict=True,
            )
            for one, other in pairs:
                is_known = np.isfinite(other)
                if is_known.sum() < _FEWEST_TRACKS:
                    continue
                once = np.ones((1, int(is_known.sum())), dtype=np.int64)
                value = float(pearsons(one[is_known], other[is_known], once)[0])
                if not np.isnan(value):
                    self._values[assay].append(value)
                    self._region[assay].append(region)

    def result(self, regions: int, bootstrap: Bootstrap) -> tuple[AcrossTracks, ...]:
        """Means over genes."""
        return tuple(
            self._of_assay(assay, regions, bootstrap)
            for assay, values in self._values.items()
            if values
        )

    def _of_assay(self, assay: str, regions: int, bootstrap: Bootstrap) -> AcrossTracks:
        values = np.array(self._values[assay])
        genes = np.bincount(self._region[assay], minlength=regions)
        totals = np.bincount(self._region[assay], weights=values, minlength=regions)
        with np.errstate(invalid="ignore", divide="ignore"):
            draws = [
                (counts @ totals) / (counts @ genes) for counts in counts_of(bootstrap, regions)
            ]
        pearson = Estimate.of(float(values.mean()), draws, bootstrap)
        return AcrossTracks(assay, values.size, pearson)
