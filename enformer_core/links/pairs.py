"""Which elements lie within reach of which TSSs, in blocks that memory holds however many there are.

Knows places. Does not know activities or scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

PAIRS_PER_BLOCK = 1 << 20

Rows = Int64[np.ndarray, " pairs"]


@dataclass(frozen=True)
class Pairs:
    """Some genes with every element within reach of each.

    Attributes:
        gene: the row of each pair's gene, in the table of genes; a gene's pairs stand together.
        candidate: the row of its element, in the table of elements.
        distance_bp: from the middle of the element to the TSS, in whole or half bp.
    """

    gene: Rows
    candidate: Rows
    distance_bp: Float64[np.ndarray, " pairs"]


def pair_blocks(
    genes: pl.DataFrame,
    candidates: pl.DataFrame,
    *,
    window_bp: int,
    most: int = PAIRS_PER_BLOCK,
) -> Iterator[Pairs]:
    """Every pair of a TSS and an element whose middle is less than `window_bp` away, on the same chromosome.

    Args:
        genes: with `chrom` and `tss`.
        candidates: with `chrom`, `start` and `end`.
        window_bp: how far.
        most: pairs of one block, unless one gene alone has more. A gene's pairs are never divided.

    Yields:
        Blocks of at least one pair: chromosomes in the elements' order, genes by TSS, elements by their middles.
    """
    gene_rows = genes.with_row_index("row")
    candidate_rows = candidates.with_row_index("row")
    for chrom in candidates["chrom"].unique(maintain_order=True):
        of_chrom = pl.col("chrom") == chrom
        here = gene_rows.filter(of_chrom).sort("tss", "row")
        near = candidate_rows.filter(of_chrom)
        yield from _blocks_of_chromosome(here, near, window_bp, most)


def _blocks_of_chromosome(
    genes: pl.DataFrame,
    candidates: pl.DataFrame,
    window_bp: int,
    most: int,
) -> Iterator[Pairs]:
    # twice the middle is a whole number: 2 * (100 to 103) is 203
    twice = (candidates["start"] + candidates["end"]).to_numpy()
    order = np.argsort(twice, kind="stable")
    middles = twice[order]
    # polars counts rows in 32 bits
    candidate_row = candidates["row"].to_numpy()[order].astype(np.int64)
    gene_row = genes["row"].to_numpy().astype(np.int64)
    tss = 2 * genes["tss"].to_numpy()
    reach = 2 * window_bp
    # nearer than the window, as the ABC program has it, not as near: neither end is in it
    first = np.searchsorted(middles, tss - reach, side="right")
    behind = np.searchsorted(middles, tss + reach, side="left")
    counts = behind - first
    for begin, end in _cuts(counts, most):
        gene, candidate = _expanded(first[begin:end], counts[begin:end])
        gene += begin
        # both are twice their place
        apart = middles[candidate] - tss[gene]
        distance = np.abs(apart) / 2
        if gene.size:
            yield Pairs(gene_row[gene], candidate_row[candidate], distance)


def _cuts(counts: Int64[np.ndarray, " genes"], most: int) -> Iterator[tuple[int, int]]:
    """Stretches of genes with at most `most` pairs together: of 8, counts 3, 4, 2, 9, 1 give 0-2, 2-3, 3-4, 4-5."""
    begin = 0
    total = 0
    for place, count in enumerate(counts.tolist()):
        if total and total + count > most:
            yield begin, place
            begin = place
            total = 0
        total += count
    yield begin, counts.size


def _expanded(
    first: Int64[np.ndarray, " genes"], counts: Int64[np.ndarray, " genes"]
) -> tuple[Rows, Rows]:
    """Each gene with each element of its stretch: first 5, 8 and counts 2, 3 give 0 0 1 1 1 and 5 6 8 9 10."""
    gene = np.repeat(np.arange(counts.size), counts)
    # how many pairs stand before those of each gene: 0, 2
    before = np.cumsum(counts) - counts
    # the place of each pair among its gene's: 0 1 0 1 2
    within = np.arange(gene.size) - before[gene]
    return gene, first[gene] + within
