"""The settings of `enformer-ray links` and `enformer-ray evaluate links`; what reads tables is not loaded for them."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from cyclopts import Parameter

from enformer_core.evaluate.bins import PAPER_BINS
from enformer_core.links.abc import ABC_WINDOW_BP
from enformer_core.links.contact import PUBLISHED_LAW
from jobs.option_types import BasePairs, File, OptionalFile, Words

_PAPER_BINS = tuple(each.name for each in PAPER_BINS)


@dataclass(frozen=True, kw_only=True)
class LinksSettings:
    """What `enformer-ray links` is asked for."""

    genes: File
    """genes: GTF, GFF3, BED with strands, BED of regions around TSSs, GeneList of the ABC program; gzip or not, or s3://"""

    candidates: File
    """elements: BED, a table with their places, or the EnhancerList of the ABC program; gzip or not, or s3://"""

    out: File
    """the .parquet file to write, which must not be there; one row for each gene and candidate within reach"""

    scores: Words = ("abc",)
    """what to work out: distance (with the contact that follows from it), abc (which needs columns of activity)"""

    activity: Annotated[Words, Parameter(metavar="COLUMN,…")] = ()
    """columns whose geometric mean is activity (default activity_base, else DHS.RPM or ATAC.RPM with H3K27ac.RPM)"""

    window_bp: BasePairs = ABC_WINDOW_BP
    """candidates nearer to a TSS than this are in its reach, and in the sum that ABC scores are shares of"""

    gene_types: Annotated[Words, Parameter(metavar="TYPE,…")] = ()
    """only genes of these types, where the file has types: protein_coding and the like"""

    tss: Literal["outermost", "all"] = "outermost"
    """of a gene with several transcripts (GTF, GFF3): its outermost TSS, or all, each with its own rows and sums"""

    expressed_only: bool = False
    """only genes that the GeneList shows to be expressed: by Expression, else by PromoterActivityQuantile"""

    genome: OptionalFile = None
    """reference genome, FASTA: places are held against its contigs, and called as it calls them"""

    powerlaw_gamma: float = PUBLISHED_LAW.gamma
    """exponent of contact by distance"""

    powerlaw_scale: float = PUBLISHED_LAW.scale
    """logarithm of the contact that the power law would have at 1 bp"""


@dataclass(frozen=True)
class EvaluateLinksSettings:
    """What `enformer-ray evaluate links` is asked for."""

    table: File
    """pairs that CRISPR experiments tested, in ENCODE's format (EngreitzLab/CRISPR_comparison); gzip or not, or s3://"""

    predictions: OptionalFile = field(default=None, kw_only=True)
    """table of `enformer-ray links`, whose scores are judged too: of a pair the sum over overlapping elements"""

    scores: Annotated[Words, Parameter(metavar="COLUMN,…")] = field(default=(), kw_only=True)
    """columns of the table to judge (default: all numbers that are not the format's own)"""

    bins: Annotated[Words, Parameter(metavar="BP-BP,…")] = field(default=_PAPER_BINS, kw_only=True)
    """distances to TSSs, beside all and 0-98000, that are judged on their own; a bin has its first, not its last"""

    bootstrap: int = field(default=1_000, kw_only=True)
    """how many times pairs are drawn anew for the 95 % intervals; 0 for none"""

    seed: int = field(default=0, kw_only=True)
    """which draws they are"""

    json: bool = field(default=False, kw_only=True)
    """print one JSON object instead of text"""
