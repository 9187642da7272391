"""The settings of gene effects: which genes, and which bins of them are summed.

Knows what was asked for; does not know how it is done.
"""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from jobs.help_headings import CONVENTIONS, INPUT
from jobs.option_types import OptionalFile, Selection, Words, listed_under


@dataclass(frozen=True, kw_only=True)
@listed_under(INPUT)
class GeneSettings:
    """Genes that variants may act on."""

    genes: OptionalFile = None
    """GTF, GFF3 or BED of genes: a table gene_effects says what each variant does to those in reach"""

    gene_types: Words = ()
    """only genes of these types, as protein_coding"""

    gene_list: OptionalFile = None
    """only genes that this file names, one a line, by identifier or name"""

    tss_bins: Annotated[int | None, Parameter(group=CONVENTIONS)] = None
    """bins that are summed around each TSS of a gene (default 3)"""

    exon_tracks: Annotated[Selection, Parameter(group=CONVENTIONS)] = None
    """tracks that are summed over the bins of a gene's exons instead, chosen as by --tracks"""
