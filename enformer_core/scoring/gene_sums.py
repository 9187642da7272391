"""What a variant does to its genes: predictions summed over each gene's bins, compared between the alleles.

As all statistics, sums are made of the reference prediction r and the difference d = alt − ref, in float64, so that an
engine which knows d better than the difference of two rounded predictions loses nothing. Loads torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from enformer_core.scoring.conventions import WindowRule
from enformer_core.scoring.gene_bins import BinPair, GeneReach
from enformer_core.scoring.gene_effect import GeneEffect
from enformer_core.scoring.sent import sent_to
from enformer_core.scoring.statistics import Profile
from enformer_core.scoring.windows import Allele

PerGene = Float64[Tensor, "genes tracks"]


@dataclass(frozen=True)
class GeneSums:
    """Sums profiles over the genes' bins, where the profiles are.

    Attributes:
        reach: which genes, and which bins.
        exon_tracks: places, among the tracks that are computed, of those that are summed over exons; the others are
            over the bins around TSSs.
    """

    reach: GeneReach
    exon_tracks: tuple[int, ...] = ()

    def effects(
        self,
        allele: Allele,
        start: int,
        r: Profile,
        d: Profile,
        rule: WindowRule | None = None,
    ) -> tuple[GeneEffect, ...]:
        """The effects of an allele on each gene in reach.

        Args:
            allele: which.
            start: first base of the window that it is scored in.
            r: the reference's prediction in all bins.
            d: alt − ref in all bins.
            rule: by which an indel keeps the window's length; None for the first that the conventions have.
        """
        genes = self.reach.of_allele(allele, start, rule)
        if not genes:
            return ()
        around_tss = [gene.tss for gene in genes]
        reference, difference = _summed(around_tss, r, d)
        if self.exon_tracks:
            # all of them have some where any is asked for
            exons = [gene.exons for gene in genes if gene.exons is not None]
            reference, difference = self._with_exons(exons, r, d, reference, difference)
        # log2((1 + r + d) / (1 + r)) = log2(1 + d / (1 + r)), without cancellation
        share = difference / (1 + reference)
        ratio = share.log1p() / log(2.0)
        # all genes in one copy from the device
        both = torch.stack([ratio, difference], dim=1)
        values = both.cpu().numpy()
        effects = []
        for gene, (of_ratio, of_difference) in zip(genes, values, strict=True):
            named = {"log2_ratio": of_ratio, "difference": of_difference}
            effects.append(GeneEffect(gene, named))
        return tuple(effects)

    def _with_exons(
        self,
        exons: Sequence[BinPair],
        r: Profile,
        d: Profile,
        reference: PerGene,
        difference: PerGene,
    ) -> tuple[PerGene, PerGene]:
        """The sums, of some tracks over exons."""
        tracks = sent_to(r.device, np.array(self.exon_tracks, dtype=np.int64))
        of_exons, change_of_exons = _summed(exons, r, d)
        mixed_reference = reference.index_copy(1, tracks, of_exons[:, tracks])
        mixed_difference = difference.index_copy(1, tracks, change_of_exons[:, tracks])
        return mixed_reference, mixed_difference


def _summed(
    bins: Sequence[BinPair],
    r: Profile,
    d: Profile,
) -> tuple[PerGene, PerGene]:
    """Σ ref and Σ alt − Σ ref over the bins of each gene."""
    every = [{*pair.reference, *pair.alternate} for pair in bins]
    rows = sorted(set().union(*every))
    reference = _weights([pair.reference for pair in bins], rows)
    alternate = _weights([pair.alternate for pair in bins], rows)
    # Bins 3 4 of the reference lie in 4 5 of the alternate. Of rows 3 4 5 the weights are 1 1 0 and 0 1 1, and the
    # difference is d[4] + d[5] + r[5] − r[3]: what both sums have is not added and taken away again.
    moved = alternate - reference
    # in one copy to the device
    stacked = np.stack([reference, alternate, moved])
    in_reference, in_alternate, of_moved = sent_to(r.device, stacked)
    index = sent_to(r.device, np.array(rows, dtype=np.int64))
    r_rows = r.index_select(0, index).double()
    d_rows = d.index_select(0, index).double()
    difference = in_alternate @ d_rows
    if moved.any():
        difference = difference + of_moved @ r_rows
    return in_reference @ r_rows, difference


def _weights(
    bins: Sequence[tuple[int, ...]], rows: Sequence[int]
) -> Float64[np.ndarray, "genes rows"]:
    """1 where a gene has a bin among the rows, else 0."""
    place = {row: number for number, row in enumerate(rows)}
    weights = np.zeros((len(bins), len(rows)))
    for gene, of_gene in enumerate(bins):
        columns = [place[each] for each in of_gene]
        weights[gene, columns] = 1.0
    return weights
