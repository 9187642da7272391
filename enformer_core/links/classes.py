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


def reaches_tss(start: Places, end: Places, tss: Places) -> Bool[np.ndarray, " elements"]:
    """Whether each element, made longer by `TSS_SLOP_BP` on both sides, holds the TSS beside it in the arguments."""
    is_before: Bool[np.ndarray, " elements"] = start - TSS_SLOP_BP < tss
    is_behind: Bool[np.ndarray, " elements"] = end + TSS_SLOP_BP > tss
    return is_before & is_behind


def element_classes(candidates: pl.DataFrame, genes: pl.DataFrame) -> pl.Series:
    """The class of each element, by the genes that are there: at a TSS, else within a gene, else between genes.

    Args:
        candidates: with `chrom`, `start` and `end`.
        genes: with `chrom`, `tss`, and `start` and `end` where they are known.
    """
    classes = np.full(candidates.height, INTERGENIC, dtype=object)
    for chrom in candidates["chrom"].unique(maintain_order=True):
        here = np.flatnonzero((candidates["chrom"] == chrom).to_numpy())
        start = candidates["start"].to_numpy()[here]
        end = candidates["end"].to_numpy()[here]
        of_chrom = genes.filter(pl.col("chrom") == chrom)
        classes[here[_overlap_genes(start, end, of_chrom)]] = GENIC
        classes[here[_reach_any_tss(start, end, of_chrom)]] = PROMOTER
    return pl.Series("class", classes.tolist(), pl.String)


def _reach_any_tss(
    start: Places, end: Places, genes: pl.DataFrame
) -> Bool[np.ndarray, " elements"]:
    tss = np.sort(genes["tss"].to_numpy())
    # TSSs after the first place in reach, less those from the last one on: how many lie between
    below = np.searchsorted(tss, start - TSS_SLOP_BP, side="right")
    until = np.searchsorted(tss, end + TSS_SLOP_BP, side="left")
    return until > below


def _overlap_genes(
    start: Places, end: Places, genes: pl.DataFrame
) -> Bool[np.ndarray, " elements"]:
    known = genes.select("start", "end").drop_nulls()
    if not known.height:
        return np.zeros(start.size, dtype=bool)
    # Disjoint and in order: the last that begins before an element's end is the only one that can overlap it.
    bodies = merge_intervals(known.to_numpy())
    last = np.searchsorted(bodies[:, 0], end, side="left") - 1
    return (last >= 0) & (bodies[last, 1] > start)
