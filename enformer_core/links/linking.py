"""The table of links: a row for each gene and each element within its reach, with distance, contact and scores.

Puts genes and elements together, block by block. Does not know how either was read.
"""

from dataclasses import dataclass, replace
from typing import IO

import numpy as np
import polars as pl

from enformer_core.errors import InputError, first_few
from enformer_core.links.abc import ABC_WINDOW_BP, abc_scores
from enformer_core.links.candidates import Candidates
from enformer_core.links.classes import PROMOTER, element_classes, reaches_tss
from enformer_core.links.contact import PUBLISHED_LAW, PowerLaw, powerlaw_contact
from enformer_core.links.genes import GeneTable
from enformer_core.links.pairs import Pairs, pair_blocks
from enformer_core.links.written import written

_PLACES = {
    "gene": pl.String,
    "gene_id": pl.String,
    "chrom": pl.String,
    "tss": pl.Int64,
    "is_expressed": pl.Boolean,
    "start": pl.Int64,
    "end": pl.Int64,
    "name": pl.String,
    "class": pl.String,
    "is_self_promoter": pl.Boolean,
    "distance": pl.Float64,
    "powerlaw_contact": pl.Float64,
}
_ABC = {
    "activity": pl.Float64,
    "abc_numerator": pl.Float64,
    "abc": pl.Float64,
}

_OF_GENE = ("gene", "gene_id", "chrom", "tss", "is_expressed")
_OF_ELEMENT = ("start", "end", "name", "class", "activity")


@dataclass(frozen=True)
class Linking:
    """How pairs are chosen and what is said of them.

    Attributes:
        window_bp: elements nearer to a TSS than this are in its reach.
        law: contact by distance.
        with_abc: whether ABC scores are worked out, for which candidates have activities.
    """

    window_bp: int = ABC_WINDOW_BP
    law: PowerLaw = PUBLISHED_LAW
    with_abc: bool = True

    def __post_init__(self) -> None:
        if self.window_bp < 1:
            raise InputError(f"--window-bp {self.window_bp}: must be at least 1")

    def empty_table(self) -> pl.DataFrame:
        """A table of links without a row, with all columns."""
        schema = _PLACES | _ABC if self.with_abc else _PLACES
        return pl.DataFrame(schema=schema)


@dataclass(frozen=True)
class LinkCounts:
    """What a table of links came to.

    Attributes:
        pairs: rows.
        genes: TSSs with an element in reach.
        candidates: elements in reach of a TSS.
    """

    pairs: int
    genes: int
    candidates: int


def with_classes(genes: GeneTable, candidates: Candidates) -> Candidates:
    """The candidates with the classes that the genes give them, where their file has none."""
    given = candidates.frame["class"]
    if not given.null_count():
        return candidates
    found = element_classes(candidates.frame, genes.frame)
    classes = given.zip_with(given.is_not_null(), found)
    return replace(candidates, frame=candidates.frame.with_columns(classes))


def write_links(
    out: IO[bytes],
    name: str,
    genes: GeneTable,
    candidates: Candidates,
    linking: Linking,
) -> LinkCounts:
    """Write the table of links as one file, block by block; a gene's rows are in one row group of Parquet.

    Args:
        out: the file.
        name: what it will be called, which says its format.
        genes: on contigs called as the candidates' are.
        candidates: with classes, and with activities where ABC scores are wanted.
        linking: what is wanted.

    Returns:
        What it came to.

    Raises:
        InputError: where no element is in reach of any gene.
    """
    # marked, not counted: a candidate is in the reach of many genes
    has_links = np.zeros(genes.frame.height, dtype=bool)
    is_linked = np.zeros(candidates.frame.height, dtype=bool)
    rows = 0
    with written(out, name, linking.empty_table()) as write:
        blocks = pair_blocks(genes.frame, candidates.frame, window_bp=linking.window_bp)
        for pairs in blocks:
            block = link_rows(pairs, genes.frame, candidates.frame, linking)
            write(block)
            has_links[pairs.gene] = True
            is_linked[pairs.candidate] = True
            rows += block.height
    if not rows:
        raise InputError(_nothing_in_reach(genes, candidates, linking.window_bp))
    return LinkCounts(rows, int(has_links.sum()), int(is_linked.sum()))


def _nothing_in_reach(genes: GeneTable, candidates: Candidates, window_bp: int) -> str:
    genes_on = _contigs(genes.frame)
    candidates_on = _contigs(candidates.frame)
    return (
        f"no candidate lies within {window_bp:,} bp of a TSS: the genes of {genes.name} are on {genes_on}, "
        f"the candidates of {candidates.table.name} on {candidates_on}. Are both of the same assembly?"
    )


def _contigs(frame: pl.DataFrame) -> str:
    contigs = frame["chrom"].unique(maintain_order=True)
    return first_few(contigs.to_list())


def link_rows(
    pairs: Pairs,
    genes: pl.DataFrame,
    candidates: pl.DataFrame,
    linking: Linking,
) -> pl.DataFrame:
    """The rows of the table of links for some pairs, with the columns of `linking.empty_table()`."""
    gene = genes.select(_OF_GENE)[pairs.gene]
    element = candidates.select(_OF_ELEMENT)[pairs.candidate]
    contact = powerlaw_contact(pairs.distance_bp, linking.law)
    is_near = reaches_tss(
        element["start"].to_numpy(),
        element["end"].to_numpy(),
        gene["tss"].to_numpy(),
    )
    is_promoter = (element["class"] == PROMOTER).fill_null(False)
    # another gene's promoter is an element like others
    is_self_promoter = is_promoter.to_numpy() & is_near
    beside = pl.concat([gene, element], how="horizontal")
    rows = beside.with_columns(
        pl.Series("is_self_promoter", is_self_promoter),
        pl.Series("distance", pairs.distance_bp),
        pl.Series("powerlaw_contact", contact),
    )
    if linking.with_abc:
        activity = element["activity"].to_numpy()
        scores = abc_scores(activity, contact, pairs.gene, is_self_promoter)
        rows = rows.with_columns(
            pl.Series("abc_numerator", scores.numerator),
            # none where nothing near a gene is active, and there is no whole to have a share of
            pl.Series("abc", scores.score, nan_to_null=True),
        )
    # every block in one order, as they are rows of one file
    return rows.select(linking.empty_table().columns)
