"""The settings of `enformer-ray links` and `enformer-ray evaluate links`; what reads tables is not loaded for them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from enformer_core.evaluate.bins import PAPER_BINS
from enformer_core.links.abc import ABC_WINDOW_BP
from enformer_core.links.contact import PUBLISHED_LAW
from jobs.help_headings import MODEL
from jobs.model_settings import MaybeModelSettings
from jobs.option_types import (
    BasePairs,
    File,
    Groups,
    OptionalFile,
    Selection,
    Words,
    WrittenFile,
    listed_under,
)
from jobs.settings import MachineSettings, RunSettings, StrandSettings

FILE_SCORES = ("distance", "abc")
AUTO = "auto"
MODEL_SCORES = ("gradient", "attention", "mutagenesis", "shuffles")

_PAPER_BINS = tuple(each.name for each in PAPER_BINS)

_PAIRS = Group.create_ordered("Genes and elements")

_SCORES_HELP = (
    "distance (with contact), abc (needs columns of activity); with --model gradient, attention, mutagenesis, "
    "shuffles; auto is abc, with a model gradient, attention and mutagenesis"
)


@dataclass(frozen=True, kw_only=True)
@listed_under(_PAIRS)
class LinkPairSettings:
    """Which genes and elements, and what files alone say of them."""

    genes: File
    """genes: GTF, GFF3, BED with strands, BED of regions around TSSs, GeneList of the ABC program; gzip or not, or s3://"""

    candidates: File
    """elements: BED, a table with their places, or the EnhancerList of the ABC program; gzip or not, or s3://"""

    scores: Annotated[Words, Parameter(help=_SCORES_HELP)] = (AUTO,)

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

    powerlaw_gamma: float = PUBLISHED_LAW.gamma
    """exponent by which contact falls with distance"""

    powerlaw_scale: float = PUBLISHED_LAW.scale
    """logarithm of the contact that the power law would have at 1 bp"""


@dataclass(frozen=True, kw_only=True)
@listed_under(MODEL)
class LinkScoreSettings:
    """What a model is asked of each pair."""

    group: Groups = ()
    """tracks whose mean is asked about, under a name: K562=4828,5111; given again for each further group"""

    shuffles: int | None = None
    """how often each element is shuffled for --scores shuffles (default 10)"""

    seed: int = 0
    """which shuffles they are: the same seed draws the same"""


@dataclass(frozen=True, kw_only=True)
class LinksSettings(
    LinkScoreSettings, MachineSettings, StrandSettings, MaybeModelSettings, LinkPairSettings
):
    """What `enformer-ray links` is asked for."""

    out: Annotated[WrittenFile, Parameter(group=_PAIRS, metavar="FILE|DIR")]
    """file to write, .parquet or .tsv (.gz), which must not be there; with --model a run's directory or s3://bucket/prefix"""

    genome: Annotated[OptionalFile, Parameter(group=_PAIRS)] = None
    """reference genome, FASTA: places are held against its contigs, and called as it calls them"""

    tracks: Annotated[
        Selection, Parameter(help="tracks that groups choose from (default all)", group=MODEL)
    ] = None

    @property
    def makes_run(self) -> bool:
        """Whether `out` is a run's directory, which the same command continues, and no file."""
        return self.model is not None


@dataclass(frozen=True, kw_only=True)
class LinkRunSettings(LinkScoreSettings, LinkPairSettings, RunSettings):
    """The same where there is a model, and so a genome and a run."""


def settings_of_models(settings: LinksSettings) -> Iterator[str]:
    """Names of those that were given and have a use with a model only."""
    for kind in (MaybeModelSettings, LinkScoreSettings, StrandSettings, MachineSettings):
        for setting in fields(kind):
            is_given = getattr(settings, setting.name) != setting.default
            if is_given and setting.name not in ("model", "log_format"):
                yield setting.name


@dataclass(frozen=True)
class EvaluateLinksSettings:
    """What `enformer-ray evaluate links` is asked for."""

    table: File
    """pairs that CRISPR experiments tested, in ENCODE's format (EngreitzLab/CRISPR_comparison); gzip or not, or s3://"""

    predictions: OptionalFile = field(default=None, kw_only=True)
    """table or run of `enformer-ray links`, whose scores are judged too: of a pair the sum over overlapping elements"""

    covered_only: bool = field(default=False, kw_only=True)
    """judge every score on the pairs that --predictions cover alone; the others, counted, come last otherwise"""

    scores: Annotated[Words, Parameter(metavar="COLUMN,…")] = field(default=(), kw_only=True)
    """columns of the table to judge, higher being better (default: all numbers that are not the format's own)"""

    bins: Annotated[Words, Parameter(metavar="BP-BP,…")] = field(default=_PAPER_BINS, kw_only=True)
    """distances to TSSs, beside all and 0-98000, that are judged on their own; a bin has its first, not its last"""

    bootstrap: int = field(default=1_000, kw_only=True)
    """how many times pairs are drawn anew for the 95 % intervals; 0 for none"""

    seed: int = field(default=0, kw_only=True)
    """which draws they are: the same seed draws the same"""

    json: bool = field(default=False, kw_only=True)
    """print one JSON object instead of text"""
