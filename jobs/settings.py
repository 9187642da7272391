"""The settings of the commands: each field is an option of the command line and a key of the TOML file.

A field's type says what it takes (a `Literal` its choices), its docstring is what `--help` says of it, and its default
stands where neither the command line nor the file names it. Knows what was asked for; does not know how it is done, and
loads neither torch nor Ray, so that `--help` comes at once.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from enformer_core.errors import InputError
from enformer_core.models.tracks.squashing import Form
from enformer_core.scoring.conventions import AverageShifts, Engine, IndelRule, Policy, Strands
from enformer_core.scoring.rounding import WHOLE_BITS
from enformer_core.scoring.statistics import STATISTICS
from jobs.gene_settings import GeneSettings
from jobs.help_headings import CONVENTIONS, COST, INPUT, MODEL, OUTPUT, RECORDS, RUNNING, SPEED
from jobs.model_settings import MODELS_HELP, REPLICATES_HELP, ModelSettings
from jobs.mutagenesis_settings import MutagenesisSettings
from jobs.option_types import (
    BasePairs,
    ColumnName,
    ColumnRoles,
    Directory,
    File,
    Files,
    Fraction,
    ModelName,
    OptionalFile,
    OptionalWrittenDirectory,
    Place,
    Places,
    Runs,
    Shifts,
    Words,
    listed_under,
)
from jobs.sharing import Share

STATISTICS_HELP = f"statistics to compute (enformer-ray docs conventions): {', '.join(STATISTICS)}"
ENGINE_HELP = (
    "delta: the reference once, then alt - ref through every layer. direct: reference and alternate "
    "each in full, in float32; several times slower, the yardstick"
)
PRECISION_HELP = (
    "arithmetic of delta. fast: differences in 16 bits where the hardware is quick at them, else in "
    "float32; error of a score about 0.7 %. exact: float32 throughout; error below 0.01 % "
    "(enformer-ray docs engine)"
)
OFFSET_HELP = (
    "how far off its window's centre a variant may lie, so that neighbours share the reference's "
    "pass, most of the work: 0 (each exactly centred), or at least 64; `plan` says what it saves "
    "(default 0; with --mutagenesis as far as other settings allow, at most 8192)"
)

Device = Literal["auto", "cpu", "cuda"]
LogFormat = Literal["text", "json"]


@dataclass(frozen=True)
@listed_under(INPUT)
class VariantFiles:
    """The positional argument; a base of its own, since positional fields come before all others."""

    variants: Files = ()
    """VCF, BCF, .pvar, .bim, GWAS-SSF, other statistics, TSV, BED, Parquet, rsIDs, globs: enformer-ray docs variants"""


@dataclass(frozen=True, kw_only=True)
@listed_under(INPUT)
class GenomeSettings:
    """The reference genome that records are checked against and windows are read from."""

    genome: Annotated[File, Parameter(metavar="FASTA")]
    """reference genome, FASTA (plain, bgzip or gzip)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(CONVENTIONS)
class StrandSettings:
    """Which strands of a window the model reads."""

    strands: Strands = "both"
    """average the predictions of both strands; or read the forward one only, in half the time"""


@dataclass(frozen=True, kw_only=True)
@listed_under(RUNNING)
class MachineSettings:
    """Where the work is done, and how it is cut and shown."""

    config_group = RUNNING  # no field: under which heading `--config` is listed

    share: Annotated[str | None, Parameter(metavar="I/N")] = None
    """command I of N that work at one --out side by side, as in a job array: each begins at a part of its own"""

    ray: Annotated[str, Parameter(metavar="off|local|ADDRESS")] = "local"
    """off (this process), local (Ray on this machine), or the address of a cluster; auto is the one it runs on"""

    workers: int | None = None
    """model replicas; here they share the cores (default one a GPU, or 4 cores; on a cluster, as many as it holds)"""

    device: Device = "auto"
    """where models run; auto takes a GPU where there is one"""

    shard_size: int | None = None
    """alleles or tiles in one piece of work, the most that a crash can cost (default from their number)"""

    single_writer: bool = False
    """write to storage that overwrites (no If-None-Match); then never run two commands on one --out at once"""

    log_format: LogFormat = "text"
    """progress on standard error, for people, or as JSON lines"""

    def __post_init__(self) -> None:
        # Ranges are checked here, so that settings made in Python are held to them too; types are the parser's.
        _check_at_least(1, "--shard-size", self.shard_size)
        _check_at_least(1, "--workers", self.workers)
        if self.share is not None:
            Share.read(self.share)
        if self.share is not None and self.single_writer:
            raise InputError(
                f"--share {self.share} is for several commands on one --out, --single-writer for one: "
                "leave out one of them"
            )


@dataclass(frozen=True, kw_only=True)
class CommonSettings(MachineSettings, StrandSettings, ModelSettings, GenomeSettings):
    """What `score`, `tiles` and `plan` have in common; `plan` neither computes nor writes."""


@dataclass(frozen=True, kw_only=True)
@listed_under(OUTPUT)
class RunSettings(CommonSettings):
    """What every command that computes a run is asked for."""

    out: Directory
    """directory or s3://bucket/prefix of the run; made if absent, continued if this run's"""


@dataclass(frozen=True, kw_only=True)
@listed_under(INPUT)
class ColumnSettings:
    """Which columns of tables hold what, where their names say too little."""

    effect_allele: ColumnName | None = None
    """column of the effect allele, where its name does not say so: A1 or A2 (default: what `plan` says)"""

    columns: ColumnRoles = ()
    """columns by what they hold: chrom, pos (or start, end), id, ref, alt, effect, other (default by their names)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(RECORDS)
class RecordSettings:
    """Which records of the input are scored."""

    sites: OptionalFile = None
    """file with rsIDs, places and alleles, for lists of rsIDs"""

    allow_swapped: bool = False
    """go on where the genome has ALT in the place of REF; such alleles change places (flag ref_swapped)"""

    allow_mismatch: bool = False
    """go on though less than 90 % of a sample fit the genome (half of fewer than 20); others are rows ref_mismatch"""

    allow_malformed: bool = False
    """go on though no record of a file, or half or less of 20 and more, can be read; the others are rows malformed"""

    regions: Places = ()
    """only records that overlap these: BED files, chr20, chr20:1-5000000 (1-based, both ends included)"""

    min_maf: Fraction | None = None
    """only records with at least this minor allele frequency, 0 to 0.5"""

    max_maf: Fraction | None = None
    """only records with at most this minor allele frequency, 0 to 0.5"""

    only_pass: bool = False
    """only records whose FILTER is PASS or '.'"""

    max_indel_bp: BasePairs | None = None
    """only records that insert or delete at most this many bases"""

    sample: int | None = None
    """only so many records, drawn by chance that --sample-seed decides"""

    sample_seed: int = 0
    """which sample --sample draws; the same number draws the same records"""

    max_allele_bp: BasePairs | None = None
    """longest REF or ALT that is scored (default half of what the model predicts: 57344 for Enformer)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(CONVENTIONS)
class ScoringSettings:
    """How an allele is put in its windows, and how their predictions become scores."""

    statistics: Annotated[Words, Parameter(help=STATISTICS_HELP)] = ("sad",)

    shifts: Shifts = (0,)
    """window shifts in bp to average over; each one takes the time of one"""

    centre_bin: int | None = None
    """output bin of the variant's first base: left of the window's middle or right (default left: 447 for Enformer)"""

    central_bins: int | None = None
    """take statistics over this many central bins of the model (default all: 896 for Enformer)"""

    centre_mask_bp: BasePairs | None = None
    """or over the bins of this many bp around the variant's own (AlphaGenome: 501 or 2001)"""

    indel_rule: IndelRule = "left-fixed"
    """how insertions and deletions keep the window's length (enformer-ray docs conventions)"""

    average_shifts: AverageShifts = "predictions"
    """what is averaged over shifts: predictions, or the scores that each shift gives"""

    unsquash: Form | None = None
    """undo roots and soft clips of training, by the table of --targets, before comparing: their new form or the old"""


@dataclass(frozen=True, kw_only=True)
@listed_under(SPEED)
class SpeedSettings:
    """What speed costs in exactness, and how the error is watched."""

    engine: Annotated[Engine, Parameter(help=ENGINE_HELP)] = "delta"

    precision: Annotated[Policy, Parameter(help=PRECISION_HELP)] = "fast"

    max_offset_bp: Annotated[BasePairs | None, Parameter(help=OFFSET_HELP)] = None

    audit_fraction: Fraction = 0.001
    """part of the alleles that delta scores again by direct, beside them one of each kind; 0 for none"""

    audit_tolerance: float | None = None
    """error at which the audit warns, as a part of the value (default 0.02 for fast, 0.002 for exact)"""

    strict: bool = False
    """end with exit code 4 when the audit warns"""

    reuse: Runs = ()
    """runs of the same model and settings: alleles that they have scored are copied (enformer-ray docs reuse)"""


@dataclass(frozen=True, kw_only=True)
@listed_under(OUTPUT)
class StoredSettings:
    """How much of the scores is kept."""

    top_tracks: int = 20
    """strongest tracks kept per allele and statistic in `effects`"""

    mantissa_bits: int | None = None
    """bits of mantissa that stored scores keep, 0 to 23 (default 11 with fast, which halves the files; else 23)"""

    keep_columns: Annotated[Words, Parameter(metavar="COLUMN,…")] = ()
    """columns of the input, or keys of a VCF's INFO, kept in `scores` as written: BETA,SE,P"""


@dataclass(frozen=True, kw_only=True)
class VariantRecordSettings(RecordSettings, ColumnSettings):
    """How variants are read, and which of them, whatever is done with them."""


# A dataclass takes the fields of its last base first: so the positional one precedes all others.
@dataclass(frozen=True, kw_only=True)
class VariantSettings(
    StoredSettings,
    SpeedSettings,
    ScoringSettings,
    VariantRecordSettings,
    GeneSettings,
    MutagenesisSettings,
    CommonSettings,
    VariantFiles,
):
    """What `score` does and `plan` foresees: which alleles, how they are scored, what is kept."""

    weights: Annotated[OptionalFile, Parameter(help=REPLICATES_HELP, group=MODEL)] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_mutagenesis(self.variants)
        _check_at_least(0, "--top-tracks", self.top_tracks)
        _check_at_least(1, "--max-allele-bp", self.max_allele_bp)
        if not 0 <= self.audit_fraction <= 1:
            raise InputError(f"--audit-fraction {self.audit_fraction}: must be between 0 and 1")
        if self.mantissa_bits is not None and not 0 <= self.mantissa_bits <= WHOLE_BITS:
            raise InputError(
                f"--mantissa-bits {self.mantissa_bits}: must be between 0 and {WHOLE_BITS}"
            )
        if self.audit_tolerance is not None and not self.audit_tolerance > 0:
            raise InputError(f"--audit-tolerance {self.audit_tolerance}: must be above 0")


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(VariantSettings, RunSettings):
    """What `enformer-ray score` is asked for."""


@dataclass(frozen=True, kw_only=True)
@listed_under(COST)
class CostSettings:
    """From work to hours and money."""

    benchmark: OptionalFile = None
    """what one allele takes: JSON of `enformer-ray status` on a run like this, or of `python -m benchmarks.engine`"""

    hardware: str | None = None
    """or known hardware: cpu, cpu-bf16, t4, v100, a10g, l4, a100, h100, h200 (default what this machine has)"""

    calibrate: bool = False
    """or time this machine, on pieces of the engine in full size; takes some 20 s"""

    price_per_hour: float | None = None
    """of one GPU, or of one CPU core where there is none, in any currency"""

    json: bool = False
    """print one JSON object instead of text"""


@dataclass(frozen=True, kw_only=True)
@listed_under(OUTPUT)
class PlanSettings(CostSettings, VariantSettings):
    """What `enformer-ray plan` is asked for: what `score` is, except that model and place have defaults."""

    model: Annotated[
        ModelName,
        Parameter(help=f"{MODELS_HELP}; weights are not needed to plan", group=MODEL),
    ] = "enformer"

    out: Directory = ""
    """where the run would go, to see whether it fits there"""


@dataclass(frozen=True, kw_only=True)
@listed_under(INPUT)
class TileSettings(RunSettings):
    """What `enformer-ray tiles` is asked for."""

    regions: Place = None
    """where to predict: BED file, chr20, or chr20:1-5000000, 1-based, both ends included (default the whole genome)"""

    strict: Annotated[bool, Parameter(group=SPEED)] = False
    """end with exit code 4 when the audit warns"""


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """What `enformer-ray demo` is asked for."""

    out: Directory = "demo-run"
    """directory of the input and of its run"""

    ray: Literal["off", "local"] = "local"
    """off (this process), or workers of Ray on this machine"""

    gwas: OptionalWrittenDirectory = None
    """instead write a made-up GWAS, whose truth is known, into this directory: enformer-ray docs tutorial"""

    seed: int = 1
    """which people --gwas makes up"""

    def __post_init__(self) -> None:
        _check_at_least(0, "--seed", self.seed)


def check_price(price_per_hour: float | None) -> None:
    """Refuse a price that nobody pays."""
    if price_per_hour is not None and price_per_hour < 0:
        raise InputError(f"--price-per-hour {price_per_hour}: must be 0 or more")


def _check_at_least(least: int, option: str, value: int | None) -> None:
    if value is not None and value < least:
        raise InputError(f"{option} {value}: must be at least {least}")
