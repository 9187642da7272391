"""The settings of `enformer-ray evaluate variants`; what reads tables is not loaded for them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from jobs.option_types import (
    ColumnName,
    ColumnRoles,
    Directory,
    File,
    OptionalFile,
    OptionalWrittenStream,
    Words,
    listed_under,
)

_TABLE = Group.create_ordered("Table")
_SCORE = Group.create_ordered("Score")
_NEGATIVES = Group.create_ordered("Matched negatives")
_INTERVALS = Group.create_ordered("Intervals and output")

Sign = Literal["auto", "alt", "none"]

DrawnBy = Literal["auto", "rows", "match_group", "chrom", "position"]


@dataclass(frozen=True)
@listed_under(_TABLE)
class _TableFile:
    """The positional argument; a base of its own, since positional fields come before all others."""

    table: File
    """variants with label, pip or measured effect: any format of `score`, as TraitGym's or CAGI5's; gzip or not, or s3://"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_TABLE)
class _TableSettings:
    """What of the table is read, and as what."""

    label_column: Annotated[ColumnName | None, Parameter()] = None
    """column of labels: true or false, 1 or 0, yes or no (default label, where the table has it)"""

    pip_column: Annotated[ColumnName | None, Parameter()] = None
    """column of posterior probabilities (default pip, susie_pip and the like; of `finemap` pip_uniform)"""

    min_pip: float | None = None
    """a row is positive whose pip is this or more, where that is what tells rows apart (default 0.9)"""

    max_pip: float | None = None
    """a row is negative whose pip is this or less (default 0.01); what lies between is left out, and counted"""

    value_column: Annotated[ColumnName | None, Parameter()] = None
    """column of measured effects of ALT (default Coefficient, or Value beside Tags and the like)"""

    element_column: Annotated[ColumnName | None, Parameter()] = None
    """column that names the element of a measured effect (default Element; without one the file is an element)"""

    min_tags: float | None = None
    """judge only measured effects of so many tags and more"""

    max_p: float | None = None
    """judge only measured effects with this p-value or a smaller one"""

    columns: ColumnRoles = ()
    """columns of places and alleles, as for `score`: chrom=CHR,pos=BP,ref=A2,alt=A1"""

    sites: OptionalFile = None
    """places of identifiers, where the table has nothing else"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_SCORE)
class _ScoreSettings:
    """Which number of the run is judged."""

    run: Directory
    """directory or s3://bucket/prefix of the run of `score`"""

    score: Annotated[str | None, Parameter(metavar="SQL", allow_leading_hyphen=True)] = None
    """SQL over a row of `scores` (max_abs_sad; of effects list_avg(sad)), or a SELECT of variant_id and a number"""

    sign: Sign = "auto"
    """alt: the score is of ALT, and turned where that is the genome's; none: as it is; auto: alt of measured effects"""

    genome: OptionalFile = None
    """genome of the run: finds alleles however they are written, unless the run scored this very table"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_NEGATIVES)
class _MatchSettings:
    """Which negatives are drawn, where they are."""

    match: Annotated[Words, Parameter(metavar="COLUMN,…")] = ()
    """draw negatives that agree with a positive in words, and are near in numbers: consequence,tss_dist,MAF"""

    negatives: int = 9
    """how many are drawn for each positive"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_INTERVALS)
class _IntervalSettings:
    """What is drawn anew, and what is printed."""

    bootstrap: int = 1_000
    """how many draws the 95 % intervals are of; 0 for none"""

    bootstrap_by: DrawnBy = "auto"
    """what is drawn: rows, match groups, chromosomes, of effects positions; auto is match_group, else rows; position"""

    seed: int = 0
    """which draws, and which negatives, they are: the same seed draws the same"""

    json: bool = False
    """print one JSON object instead of text"""

    output: OptionalWrittenStream = None
    """write the answer to this file, which appears when it is whole; - for standard output"""


@dataclass(frozen=True, kw_only=True)
class EvaluateVariantsSettings(
    _IntervalSettings, _MatchSettings, _ScoreSettings, _TableSettings, _TableFile
):
    """What `enformer-ray evaluate variants` is asked for."""
