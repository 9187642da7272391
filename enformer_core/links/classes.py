"""Which elements are promoters, and of which gene: the ABC program's rules, by distance to a TSS.

Knows places of genes and elements. Does not know activities.
"""

import numpy as np
import polars as pl
from jaxtyping import Bool, Int64

from enformer_core.genome.regions import merge_intervals

TSS_SLOP_BP = 500
"""An element within this distance of a TSS is a promoter; of that gene, its self-promoter."""

PROMOTER = "promoter"
GENIC = "genic"
INTERGENIC = "intergenic"

Places = Int64[np.ndarray, " elements"]


def reaches_tss(
    start: Places,
    end: Places,
    tss: Places,
) -> Bool[np.ndarray, " elements"]:
    """Whether each element, made longer by `TSS_SLOP_BP` on both sides, holds the TSS beside it in the arguments."""
    is_before = start - TSS_SLOP_BP < tss
    is_behind = end + TSS_SLOP_BP > tss
    return np.logical_and(is_before, is_behind)


def element_classes(candidates: pl.DataFrame, genes: pl.DataFrame) -> pl.Series:
    """The class of each element, by the genes that are there: at a TSS, else within a gene, else between genes.

    Args:
        candidates: with `chrom`, `start` and `end`.
        genes: with `chrom`, `tss`, and `start` and `end` where they are known.
    """
    classes = np.full(candidates.height, INTERGENIC, dtype=object)
    starts = candidates["start"].to_numpy()
    ends = candidates["end"].to_numpy()
    for chrom in candidates["chrom"].unique(maintain_order=True):
        here = (candidates["chrom"] == chrom).arg_true().to_numpy()
        start = starts[here]
        end = ends[here]
        of_chrom = genes.filter(pl.col("chrom") == chrom)
        is_genic = _overlap_genes(start, end, of_chrom)
        is_promoter = _reach_any_tss(start, end, of_chrom)
        # who is both is a promoter
        classes[here[is_genic]] = GENIC
        classes[here[is_promoter]] = PROMOTER
    return pl.Series("class", classes.tolist(), pl.String)


def _reach_any_tss(
    start: Places,
    end: Places,
    genes: pl.DataFrame,
) -> Bool[np.ndarray, " elements"]:
    tss = np.sort(genes["tss"].to_numpy())
    first = start - TSS_SLOP_BP
    last = end + TSS_SLOP_BP
    # of TSSs 100, 900, 2000 and an element that reaches from 500 to 1500: one lies before it, two before its end
    below = np.searchsorted(tss, first, side="right")
    until = np.searchsorted(tss, last, side="left")
    return until > below


def _overlap_genes(
    start: Places,
    end: Places,
    genes: pl.DataFrame,
) -> Bool[np.ndarray, " elements"]:
    # of regions around TSSs nobody knows where their genes end
    known = genes.select("start", "end").drop_nulls()
    if not known.height:
        return np.zeros(start.size, dtype=bool)
    # Disjoint and in order: the last that begins before an element's end is the only one that can overlap it.
    begins, ends = merge_intervals(known.to_numpy()).T
    last = np.searchsorted(begins, end, side="left") - 1
    has_begun = last >= 0
    # -1, where none has begun, is Python's last one, and does not count
    lasts_into_it = ends[last] > start
    return has_begun & lasts_into_it
