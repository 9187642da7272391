"""The settings of `enformer-ray finemap`; what computes is not loaded for them."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from jobs.option_types import (
    ColumnName,
    ColumnRoles,
    File,
    OptionalFile,
    OptionalWrittenFile,
    listed_under,
)

_STUDY = Group.create_ordered("Study and LD")
_PRIOR = Group.create_ordered("Prior")
_MODEL = Group.create_ordered("SuSiE")
_OUTPUT = Group.create_ordered("Output")


@dataclass(frozen=True, kw_only=True)
@listed_under(_STUDY)
class _StudySettings:
    """Which study is fine-mapped, and with which LD."""

    sumstats: File
    """summary statistics of any program: Z, or BETA (or OR) with SE or P; text, gzip, Parquet, or s3://"""

    ld: File
    """correlations r of the locus: .npz, .npy, PolyFun's .npz, text (plink --r square), or a reference panel's .bed"""

    n: Annotated[float | None, Parameter(metavar="N")] = None
    """people studied (default the median of the column N, or of cases + controls)"""

    locus: Annotated[str | None, Parameter(metavar="REGION")] = None
    """which rows: chr20:4600000-4800000, from 1, both ends included (default all)"""

    ld_variants: OptionalFile = None
    """file that names the rows of a matrix: .bim, table or list (default the matrix's own, or such a file beside it)"""

    ld_shrinkage: Annotated[float, Parameter(metavar="FRACTION")] = 0.0
    """each r is taken so much nearer to 0, which makes a matrix positive definite that is not"""

    effect_allele: ColumnName | None = None
    """column of the effect allele, where its name does not say so: A1 or A2"""

    columns: ColumnRoles = ()
    """columns by what they hold: chrom, pos (or start, end), id, ref, alt, effect, other (default by their names)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_PRIOR)
class _PriorSettings:
    """What is believed of variants before the study is looked at."""

    prior: Annotated[OptionalFile, Parameter(metavar="RUN")] = None
    """finished run of `score` whose scores make prior weights"""

    prior_sql: Annotated[str | None, Parameter(metavar="SQL", allow_leading_hyphen=True)] = None
    """expression over the tables of --prior that makes weights: max_abs_js (default ranks of the largest effects)"""

    genome: OptionalFile = None
    """genome of --prior, where it is no longer at its place: brings indels to their normal form"""

    prior_column: ColumnName | None = None
    """column of the sumstats that holds prior weights, of any scale"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_MODEL)
class _SusieOptions:
    """What SuSiE assumes of a locus."""

    effects: Annotated[int, Parameter(metavar="L")] = 10
    """the most causal variants of the locus"""

    least_evidence: Annotated[float, Parameter(metavar="NATS")] = 0.0
    """an effect must gain more log evidence than this over none (susieR's check_null_threshold)"""

    estimate_residual_variance: bool = False
    """estimate the residual variance; only with LD of the very people studied, else it stays 1"""

    coverage: Annotated[float, Parameter(metavar="FRACTION")] = 0.95
    """probability that a credible set holds its causal variant"""

    min_purity: Annotated[float, Parameter(metavar="R")] = 0.5
    """credible sets with a pair of smaller |r| are left out"""

    tolerance: float = 1e-4
    """the fit ends when a round gains less evidence (ELBO)"""

    max_iterations: int = 50
    """the fit ends after so many rounds, and says so"""

    diagnostics: Literal["full", "none"] = "full"
    """whether z is held against LD (lambda, expected z); of 10,000 variants that takes minutes"""


@dataclass(frozen=True, kw_only=True)
class FinemapSettings(_SusieOptions, _PriorSettings, _StudySettings):
    """What `enformer-ray finemap` is asked for."""

    out: Annotated[OptionalWrittenFile, Parameter(group=_OUTPUT)] = None
    """file for the table of all variants, .tsv, .tsv.gz or .parquet, which must not be there"""

    top: Annotated[int, Parameter(group=_OUTPUT)] = 20
    """variants that are shown: of the largest PIPs"""

    json: Annotated[bool, Parameter(group=_OUTPUT)] = False
    """print one JSON object instead of text"""
