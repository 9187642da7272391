"""Sums of predicted and measured tracks over genes: the bins around their TSSs, or those of their exons.

Which bins are a gene's says `scoring.gene_bins`, as for `score --genes`. A gene is judged once, in the first region
that holds all of its bins, measured and predicted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from enformer_core.evaluate.track_region import TrackRegion
from enformer_core.genome.genes import Gene, Genes
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.gene_bins import DEFAULT_TSS_BINS, GeneReach
from enformer_core.scoring.windows import Allele

PerGene = Float64[np.ndarray, "genes tracks"]


@dataclass(frozen=True)
class GeneTracks:
    """Which genes are summed, and how.

    Attributes:
        genes: all that are asked for.
        tss_bins: bins around each TSS.
        exon_tracks: places of the tracks that are summed over exons, from 0.
    """

    genes: Genes
    tss_bins: int = DEFAULT_TSS_BINS
    exon_tracks: tuple[int, ...] = ()


@dataclass
class GeneTotals:
    """Sums genes region by region, and knows which have been judged.

    Attributes:
        asked: genes and bins.
        judged: identifiers of those that some region has held.
        touched: of those of which some region has held a TSS.
    """

    asked: GeneTracks
    judged: set[str] = field(default_factory=set)
    touched: set[str] = field(default_factory=set)
    _reaches: dict[tuple[int, int], GeneReach] = field(default_factory=dict, repr=False)

    def of_region(self, region: TrackRegion) -> tuple[PerGene, PerGene]:
        """Predicted and measured sums of the genes that this region holds first; NaN where a bin is missing."""
        predicted = []
        measured = []
        for gene, tss, exons in self._held(region):
            self.judged.add(gene.id)
            predicted.append(self._total(region.predicted, tss, exons))
            measured.append(self._total(region.measured, tss, exons))
        shape = (len(predicted), region.predicted.shape[1])
        return np.reshape(predicted, shape), np.reshape(measured, shape)

    @property
    def left_out(self) -> int:
        """How many genes no region has held whole, of those that some region touches."""
        return len(self.touched - self.judged)

    def _held(
        self, region: TrackRegion
    ) -> Iterator[tuple[Gene, Int64[np.ndarray, " some"], Int64[np.ndarray, " others"]]]:
        """Genes with the rows of their bins around TSSs and of exons."""
        row_of_bin = np.full(region.size, -1)
        row_of_bin[region.bins] = np.arange(region.bins.size)
        reach = self._reach(region.size, region.bin_bp)
        for found in reach.of_allele(*_nothing_changed(region)):
            self.touched.add(found.gene.id)
            exons = () if found.exons is None else found.exons.reference
            rows = row_of_bin[list(found.tss.reference)]
            exon_rows = row_of_bin[list(exons)] if exons else np.empty(0, dtype=np.int64)
            is_new = found.gene.id not in self.judged
            has_all = (rows >= 0).all() and (exon_rows >= 0).all()
            if is_new and has_all and self._is_whole(found.gene, region):
                yield found.gene, rows, exon_rows

    def _reach(self, bins: int, bin_bp: int) -> GeneReach:
        """Regions of one size share it: it looks at every gene when it is made."""
        if (bins, bin_bp) not in self._reaches:
            self._reaches[bins, bin_bp] = self._made_reach(bins, bin_bp)
        return self._reaches[bins, bin_bp]

    def _made_reach(self, bins: int, bin_bp: int) -> GeneReach:
        geometry = Geometry(window_bp=bins * bin_bp, bin_bp=bin_bp, bins=bins)
        middle = geometry.window_bp // 2
        conventions = Conventions(geometry=geometry, statistics=("sad",), centre_index=middle)
        with_exons = bool(self.asked.exon_tracks)
        return GeneReach(self.asked.genes, conventions, self.asked.tss_bins, with_exons)

    def _is_whole(self, gene: Gene, region: TrackRegion) -> bool:
        """Whether none of a gene's bins lies beyond the region."""
        beside_bp = self.asked.tss_bins // 2 * region.bin_bp
        first = min(gene.tss) - beside_bp
        last = max(gene.tss) + beside_bp
        if self.asked.exon_tracks:
            first = min(first, gene.exons[0][0])
            last = max(last, gene.exons[-1][1] - 1)
        return first >= region.start and last < region.start + region.size * region.bin_bp

    def _total(
        self,
        values: np.ndarray,
        tss: Int64[np.ndarray, " some"],
        exons: Int64[np.ndarray, " others"],
    ) -> Float64[np.ndarray, " tracks"]:
        total: Float64[np.ndarray, " tracks"] = values[tss].astype(np.float64).sum(axis=0)
        if self.asked.exon_tracks:
            places = list(self.asked.exon_tracks)
            over_exons = values[exons][:, places].astype(np.float64)
            total[places] = over_exons.sum(axis=0)
        return total


def _nothing_changed(region: TrackRegion) -> tuple[Allele, int]:
    """An allele that changes nothing, in the region's window: all genes are in reach of it."""
    return Allele(region.contig, max(region.start, 0), "A", "A"), region.start
