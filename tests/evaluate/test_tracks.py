"""Predicted against measured tracks: figures of each track, means by assay, genes, and intervals over regions."""

import numpy as np
import pytest

from enformer_core.evaluate.average_precision import Bootstrap
from enformer_core.evaluate.track_genes import GeneTracks
from enformer_core.evaluate.track_region import TrackRegion
from enformer_core.evaluate.tracks import judge_tracks
from tests.support.genes import gene, genes

NOTHING_DRAWN = Bootstrap(draws=0)

ASSAYS = ["CAGE", "DNASE", "CAGE", None, "CAGE"]

BINS = 8


def regions(count: int, *, noise: float = 1.0, seed: int = 0) -> list[TrackRegion]:
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        measured = rng.gamma(1.0, 3.0, (BINS, len(ASSAYS)))
        predicted = np.abs(measured + noise * rng.normal(size=measured.shape))
        start = 1_000 * number
        found.append(TrackRegion("c", start, 10, BINS, np.arange(BINS), predicted, measured))
    return found


def joined(made):
    return (
        np.concatenate([each.predicted for each in made]),
        np.concatenate([each.measured for each in made]),
    )


def by_numpy(predicted, measured):
    return np.array([np.corrcoef(p, y)[0, 1] for p, y in zip(predicted.T, measured.T, strict=True)])


def test_means_are_of_the_tracks_of_an_assay():
    made = regions(6)
    result = judge_tracks(iter(made), ASSAYS, NOTHING_DRAWN)
    raw, log = result.results
    predicted, measured = joined(made)
    of_tracks = by_numpy(predicted, measured)
    np.testing.assert_allclose(raw.figures["pearson"].value, of_tracks, atol=1e-13)
    np.testing.assert_allclose(
        log.figures["pearson"].value,
        by_numpy(np.log2(1 + predicted), np.log2(1 + measured)),
        atol=1e-13,
    )
    assert [(mean.assay, mean.tracks) for mean in raw.means] == [
        ("all", 5),
        ("CAGE", 3),
        ("DNASE", 1),
    ]
    every, cage, dnase = (mean.pearson.value for mean in raw.means)
    assert every == pytest.approx(of_tracks.mean())
    assert cage == pytest.approx(of_tracks[[0, 2, 4]].mean())
    assert dnase == pytest.approx(of_tracks[1])
    assert raw.means[0].pearson.low is None
    assert (result.regions, result.bins, result.missing) == (6, 48, 0)


def test_a_track_without_a_figure_has_no_part_in_the_mean():
    made = regions(4)
    for each in made:
        each.measured[:, 2] = 5.0
    raw, _ = judge_tracks(iter(made), ASSAYS, Bootstrap(draws=50)).results
    figure = raw.figures["pearson"]
    assert np.isnan(figure.value[2])
    assert np.isnan(figure.low[2])
    cage = raw.means[1]
    assert cage.pearson.value == pytest.approx(figure.value[[0, 4]].mean())
    assert cage.pearson.low < cage.pearson.value < cage.pearson.high


def test_missing_values_are_counted():
    made = regions(3)
    made[0].measured[:2, 1] = np.nan
    result = judge_tracks(iter(made), ASSAYS, NOTHING_DRAWN)
    assert result.missing == 2
    assert result.results[0].judged.tolist() == [24, 22, 24, 24, 24]


def test_intervals_hold_the_middle_of_draws_of_whole_regions():
    made = regions(12, noise=4.0)
    bootstrap = Bootstrap(draws=200, seed=5)
    raw, _ = judge_tracks(iter(made), ASSAYS, bootstrap).results
    # the same draws, each by hand: all bins of the regions that are in it
    (counts,) = bootstrap.counts(len(made))
    of_draws = []
    for draw in counts:
        several = [each for each, times in zip(made, draw, strict=True) for _ in range(times)]
        of_draws.append(by_numpy(*joined(several)))
    low, high = np.quantile(of_draws, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(raw.figures["pearson"].low, low, atol=1e-12)
    np.testing.assert_allclose(raw.figures["pearson"].high, high, atol=1e-12)
    means = np.mean(of_draws, axis=1)
    estimate = raw.means[0].pearson
    assert [estimate.low, estimate.high] == pytest.approx(np.quantile(means, [0.025, 0.975]))


def test_genes_are_judged_by_their_sums():
    made = regions(6)
    # one gene in each region, whose bins are 3 to 5; one that no region holds whole
    some = [gene(f"g{number}", 1_000 * number + 45) for number in range(6)]
    asked = GeneTracks(genes(*some, gene("edge", 5_000)))
    result = judge_tracks(iter(made), ASSAYS, Bootstrap(draws=40), asked)
    assert (result.genes, result.genes_left_out) == (6, 1)
    _, _, raw, log = result.results
    assert (raw.over, raw.scale, log.scale) == ("genes", "raw", "log")
    predicted = np.stack([each.predicted[3:6].sum(axis=0) for each in made])
    measured = np.stack([each.measured[3:6].sum(axis=0) for each in made])
    np.testing.assert_allclose(
        raw.figures["pearson"].value, by_numpy(predicted, measured), atol=1e-12
    )
    of_logs = by_numpy(np.log2(1 + predicted), np.log2(1 + measured))
    np.testing.assert_allclose(log.figures["pearson"].value, of_logs, atol=1e-12)
    assert raw.judged.tolist() == [6] * 5


def test_within_a_gene_tracks_of_one_assay_are_compared():
    made = regions(6)
    some = [gene(f"g{number}", 1_000 * number + 45) for number in range(5)]
    bootstrap = Bootstrap(draws=40, seed=1)
    result = judge_tracks(iter(made), ASSAYS, bootstrap, GeneTracks(genes(*some)))
    # of DNASE there is one track alone
    (cage,) = result.across
    assert (cage.assay, cage.genes) == ("CAGE", 5)
    cages = [0, 2, 4]
    each = []
    for of_region in made[:5]:
        p = np.log2(1 + of_region.predicted[3:6].sum(axis=0))[cages]
        y = np.log2(1 + of_region.measured[3:6].sum(axis=0))[cages]
        each.append(np.corrcoef(p, y)[0, 1])
    assert cage.pearson.value == pytest.approx(np.mean(each))
    (counts,) = bootstrap.counts(6)
    drawn = [np.average(each, weights=draw[:5]) for draw in counts if draw[:5].sum()]
    assert [cage.pearson.low, cage.pearson.high] == pytest.approx(
        np.quantile(drawn, [0.025, 0.975])
    )


def test_without_regions_nothing_is_defined():
    result = judge_tracks(iter([]), ASSAYS, Bootstrap(draws=30))
    assert result.bins == 0
    assert result.results[0].means[0].pearson.value is None
