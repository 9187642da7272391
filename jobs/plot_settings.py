"""The settings of `enformer-ray plot`; nothing that draws is loaded for them."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from jobs.option_types import (
    BasePairs,
    ColumnName,
    ColumnRoles,
    Groups,
    ModelName,
    OptionalDirectory,
    OptionalFile,
    Selection,
    Words,
    WrittenFile,
    listed_under,
)

REPORT = Group.create_ordered("Report")
"""Of `enformer-ray report`, above what it has in common with `plot locus`."""

_RUN = Group.create_ordered("Run")
_PLACE = Group.create_ordered("Place")
_STUDY = Group.create_ordered("Study")
_SCORES = Group.create_ordered("Scores")
_VARIANT = Group.create_ordered("Around the variant")
_OUTPUT = Group.create_ordered("Output")


@dataclass(frozen=True)
@listed_under(_RUN)
class _OfRun:
    """Whose scores are drawn. Positions come first in a command line, and so in a class."""

    run: OptionalDirectory = None
    """directory or s3://bucket/prefix of a run of `score`, whose scores are drawn (default none)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_PLACE)
class _LocusPlace:
    """Which stretch of the genome is drawn."""

    locus: Annotated[str | None, Parameter(metavar="REGION")] = None
    """what is drawn: chr20:4600000-4800000, from 1, both ends included"""

    variant: Annotated[str | None, Parameter(metavar="KEY")] = None
    """instead of --locus, what lies around a variant: chr20:4699605, chr20:4699605:A:G, or an identifier of the run"""

    flank: BasePairs = 100_000
    """of --variant, to either side"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_STUDY)
class LocusStudy:
    """What is known of the locus beside scores."""

    sumstats: OptionalFile = None
    """summary statistics: P, or Z, or BETA with SE; text, gzip, Parquet, or s3://"""

    effect_allele: ColumnName | None = None
    """column of the effect allele in --sumstats, where its name does not say so: A1 or A2"""

    columns: ColumnRoles = ()
    """columns of --sumstats by what they hold: chrom, pos, id, ref, alt, effect, other (default by their names)"""

    ld: OptionalFile = None
    """correlations r, which colour the association by r² with its strongest variant: as `finemap` takes them"""

    ld_variants: OptionalFile = None
    """file that names the rows of a matrix (default the matrix's own, or such a file beside it)"""

    pips: OptionalFile = None
    """what `finemap` wrote: its --out (.tsv, .tsv.gz, .parquet) or its --json"""

    genes: OptionalFile = None
    """genes in GTF, GFF3 or BED, plain or gzip"""

    gene_types: Annotated[Words, Parameter(metavar="TYPE,…")] = ()
    """only genes of these types, as protein_coding (default all)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_SCORES)
class LocusScores:
    """Which scores of the run are drawn."""

    statistic: Annotated[str | None, Parameter(metavar="NAME")] = None
    """of the run (default its first)"""

    tracks: Selection = None
    """a row of scores for each of these tracks, at most 8, as `score` selects them (default one row for all tracks)"""

    group: Groups = ()
    """a row for a group of tracks, whose largest score is drawn: K562=4828,5111 or liver=assay=DNASE; again for more"""


@dataclass(frozen=True, kw_only=True)
class LocusSources(LocusScores, LocusStudy):
    """What is drawn of a locus, apart from where it lies: of a picture of its own and of a report alike."""


@dataclass(frozen=True, kw_only=True)
@listed_under(_VARIANT)
class _LocusVariant:
    """What is drawn below the locus, around the variant."""

    model: ModelName | None = None
    """predicts both alleles of --variant: enformer, basenji2, or without weights a demonstration: motif, motif_core"""

    genome: Annotated[OptionalFile, Parameter(metavar="FASTA")] = None
    """reference genome of --model, FASTA (plain, bgzip or gzip)"""

    weights: OptionalFile = None
    """weights of the model, as for `score`"""

    head: str = "human"
    """output head of the model: human or mouse"""

    targets: OptionalFile = None
    """published table of the head's tracks, for names and selection"""

    zoom: BasePairs = 5_000
    """of predictions, to either side; of --tracks, else --group, else the track that the run says changes most"""

    contributions: OptionalDirectory = None
    """run of `attribute` with the variant: what each base contributes, 40 bp to either side"""

    contributions_group: Annotated[str | None, Parameter(metavar="NAME")] = None
    """which of that run's groups of tracks (default its first)"""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the model runs; auto takes a GPU where there is one"""


@dataclass(frozen=True, kw_only=True)
class LocusSettings(LocusSources, _LocusVariant, _LocusPlace, _OfRun):
    """What `enformer-ray plot locus` is asked for."""

    config_group = _OUTPUT  # no field: under which heading `--config` is listed

    out: Annotated[WrittenFile, Parameter(group=_OUTPUT)]
    """file of the picture: .png, .svg, or .html, a page that needs no network"""


@dataclass(frozen=True)
class CalibrationSettings:
    """What `enformer-ray plot calibration` is asked for."""

    null: OptionalFile = None
    """null distribution, made by `enformer-ray calibrate` (default none: then --run must have percentiles)"""

    run: OptionalDirectory = None
    """directory or s3://bucket/prefix of a finished run, whose scores are held against the null"""

    statistic: Annotated[str | None, Parameter(metavar="NAME")] = field(default=None, kw_only=True)
    """of the null and the run (default the first that both have)"""

    tracks: Selection = field(default=None, kw_only=True)
    """which tracks, at most 6, as `score` selects them (default those of the largest scores)"""

    percentiles: Annotated[str, Parameter(metavar="NAME")] = field(
        default="percentiles", kw_only=True
    )
    """without a null: the table of percentiles beside the run, as `enformer-ray percentiles` called it"""

    out: WrittenFile = field(kw_only=True)
    """file of the picture: .png, .svg, or .html, a page that needs no network"""
