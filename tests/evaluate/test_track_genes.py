"""Tracks summed over genes: which bins are a gene's, and which genes a region holds."""

import numpy as np

from enformer_core.evaluate.track_genes import GeneTotals, GeneTracks
from enformer_core.evaluate.track_region import TrackRegion
from tests.support.genes import gene, genes

BIN_BP = 10


def region(start: int = 100, *, bins=range(8), missing: tuple[int, ...] = (), contig: str = "c"):
    """8 bins of two tracks; predicted is the bin's number, and 100 times that, measured twice as much."""
    numbers = np.array(bins)
    values = numbers[:, np.newaxis] * np.array([1.0, 100.0])
    measured = 2 * values
    for number in missing:
        measured[numbers == number, 0] = np.nan
    return TrackRegion(contig, start, BIN_BP, 8, numbers, values, measured)


def totals(*each, **more) -> GeneTotals:
    return GeneTotals(GeneTracks(genes(*each), **more))


def test_bins_around_each_tss_are_summed_once():
    # TSSs in bins 3 and 4: bins 2 to 5
    found = totals(gene("A", 135, 141))
    predicted, measured = found.of_region(region())
    assert predicted.tolist() == [[14, 1400]]
    assert measured.tolist() == [[28, 2800]]
    # four bins around bin 3 are 1 to 4
    assert totals(gene("A", 135), tss_bins=4).of_region(region())[0].tolist() == [[10, 1000]]


def test_tracks_may_be_summed_over_exons():
    # exons touch bins 1, and 6
    one = gene("A", 135, exons=((118, 119), (165, 170)), end=170)
    predicted, _ = totals(one, exon_tracks=(1,)).of_region(region())
    assert predicted.tolist() == [[2 + 3 + 4, 700]]


def test_a_gene_counts_once_and_only_whole():
    found = totals(
        gene("A", 135), gene("edge", 105), gene("far", 900), gene("other", 135, chrom="d")
    )
    assert len(found.of_region(region())[0]) == 1
    assert found.left_out == 1
    assert len(found.of_region(region())[0]) == 0
    # a region further left holds the other one whole
    predicted, _ = found.of_region(region(60))
    assert predicted.tolist() == [[3 + 4 + 5, 1200]]
    assert found.left_out == 0
    assert found.judged == {"A", "edge"}


def test_bins_that_are_not_judged_leave_a_gene_out():
    found = totals(gene("A", 135), gene("B", 165))
    predicted, _ = found.of_region(region(bins=[0, 1, 2, 3, 5, 6, 7]))
    assert predicted.tolist() == [[18, 1800]]
    assert found.judged == {"B"}


def test_a_gene_with_a_bin_that_was_not_measured_is_missing_in_that_track():
    _, measured = totals(gene("A", 135)).of_region(region(missing=(4,)))
    assert np.isnan(measured[0, 0])
    assert measured[0, 1] == 1800


def test_a_region_without_genes_has_none():
    predicted, measured = totals(gene("far", 900)).of_region(region())
    assert predicted.shape == measured.shape == (0, 2)
