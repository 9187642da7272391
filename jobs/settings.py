"""The settings of the commands: each field is an option of the command line and a key of the TOML file.

A field's type says what it takes (a `Literal` its choices), its docstring is what `--help` says of it, and its default
stands where neither the command line nor the file names it. Knows what was asked for; does not know how it is done, and
loads neither torch nor Ray, so that `--help` comes at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeVar, get_args

from cyclopts import Group, Parameter, Token

from enformer_core.errors import InputError
from enformer_core.models import BUILTIN_MODELS
from enformer_core.scoring.conventions import Engine, IndelRule, Policy, Strands
from enformer_core.scoring.rounding import WHOLE_BITS
from enformer_core.scoring.statistics import STATISTICS
from jobs.sharing import Share

MODELS_HELP = ", ".join(f"{name} ({summary})" for name, summary in BUILTIN_MODELS.items())
STATISTICS_HELP = f"statistics to compute (docs/conventions.md): {', '.join(STATISTICS)}"

Device = Literal["auto", "cpu", "cuda"]
LogFormat = Literal["text", "json"]

Class = TypeVar("Class", bound=type)


def _split_at_commas(hint: type, tokens: Sequence[Token]) -> tuple[object, ...]:
    """`sad,js` as ("sad", "js") and `-1,0` as (-1, 0); a TOML list comes as one token an item."""
    item_type = get_args(hint)[0]
    words = [word.strip() for token in tokens for word in token.value.split(",")]
    return tuple(item_type(word) for word in words if word)


_COMMAS = Parameter(
    converter=_split_at_commas,
    n_tokens=1,  # `--statistics sad x.vcf` must not take the file for a statistic
    allow_leading_hyphen=True,  # shifts
)

# What stands behind an option in the help, where its type says too little.
Words = Annotated[tuple[str, ...], _COMMAS, Parameter(metavar="NAME,…")]
Integers = Annotated[tuple[int, ...], _COMMAS, Parameter(metavar="N,…")]
File = Annotated[str, Parameter(metavar="FILE")]
Directory = Annotated[str, Parameter(metavar="DIR")]
ModelName = Annotated[str, Parameter(metavar="NAME")]

# The help lists the options by subject, in this order.
_INPUT = Group.create_ordered("Input, model and output")
_RECORDS = Group.create_ordered("Which records")
_SCORING = Group.create_ordered("How alleles are scored")
_STORED = Group.create_ordered("What is checked and stored")
_MACHINES = Group.create_ordered("Where it runs")
_COST = Group.create_ordered("What it costs")


def _listed_under(group: Group) -> Callable[[Class], Class]:
    """Decorate a class of settings: the help lists its own fields under the heading.

    It stands below `@dataclass`, which reads the annotations as they are left here.
    """

    def mark(settings: Class) -> Class:
        # Only what this class adds: what it inherits stays under the heading of its own class.
        for name, hint in settings.__annotations__.items():
            settings.__annotations__[name] = Annotated[hint, Parameter(group=group)]
        return settings

    return mark


@dataclass(frozen=True)
@_listed_under(_INPUT)
class VariantFiles:
    """The positional argument; a base of its own, since positional fields come before all others."""

    variants: tuple[str, ...]
    """VCF, BCF, .pvar, .bim, GWAS-SSF or other statistics, TSV, BED, Parquet, rsIDs; globs too (docs/variants.md)"""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_INPUT)
class PredictionSettings:
    """What is predicted: which tracks of which model along which genome."""

    genome: Annotated[str, Parameter(metavar="FASTA")]
    """reference genome, FASTA (plain, bgzip or gzip)"""

    weights: File | None = None
    """weights of the model: .safetensors, .bin, TensorFlow checkpoint, Keras .h5 or hf://owner/name"""

    head: str = "human"
    """output head of the model: human or mouse"""

    tracks: str | None = None
    """tracks to compute: 4828, 10-20, assay=CAGE, or text in the description"""

    targets: File | None = None
    """published table of the head's tracks, for names and selection"""

    strands: Strands = "both"
    """average both strands, or read the forward one only"""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_MACHINES)
class MachineSettings:
    """Where the work is done, and how it is cut and shown."""

    shard_size: int | None = None
    """alleles or tiles in one piece of work (default from their number)"""

    workers: int | None = None
    """model replicas (default from the machine)"""

    share: Annotated[str | None, Parameter(metavar="I/N")] = None
    """command I of N that work at one --out side by side, as in a job array: each begins at a part of its own"""

    ray: Annotated[str, Parameter(metavar="off|local|ADDRESS")] = "local"
    """off (this process), local, or the address of a cluster"""

    device: Device = "auto"
    """where models run; auto takes a GPU where there is one"""

    single_writer: bool = False
    """write to storage that overwrites (no If-None-Match); then never run two commands on one --out at once"""

    log_format: LogFormat = "text"
    """progress for people, or as JSON lines"""

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
class CommonSettings(MachineSettings, PredictionSettings):
    """What `score`, `tiles` and `plan` have in common; `plan` neither computes nor writes."""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_INPUT)
class RunSettings(CommonSettings):
    """What every command that computes a run is asked for."""

    model: Annotated[ModelName, Parameter(help=MODELS_HELP)]

    out: Directory
    """directory or s3://bucket/prefix of the run; made if absent, continued if this run's"""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_RECORDS)
class RecordSettings:
    """Which records of the input are scored."""

    sites: File | None = None
    """file with rsIDs, places and alleles, for lists of rsIDs"""

    allow_swapped: bool = False
    """go on where the genome has ALT in the place of REF; such alleles change places (flag ref_swapped)"""

    allow_mismatch: bool = False
    """go on though less than 90 % of a sample fit the genome; what does not fit is a row ref_mismatch"""

    regions: Words = ()
    """only records that overlap these: BED files, chr20, chr20:1-5000000"""

    min_maf: float | None = None
    """only records with at least this minor allele frequency"""

    max_maf: float | None = None
    """only records with at most this minor allele frequency"""

    only_pass: bool = False
    """only records whose FILTER is PASS or '.'"""

    max_indel_bp: int | None = None
    """only records that insert or delete at most this many bases"""

    sample: int | None = None
    """only so many records, drawn by chance that --sample-seed decides"""

    sample_seed: int = 0
    """which sample --sample draws; the same number draws the same records"""

    max_allele_bp: int | None = None
    """longest REF or ALT that is scored (default half the output)"""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_SCORING)
class ScoringSettings:
    """How an allele is put in its windows, and how their predictions become scores."""

    statistics: Annotated[Words, Parameter(help=STATISTICS_HELP)] = ("sad",)

    shifts: Integers = (0,)
    """window shifts in bp to average over"""

    centre_bin: int | None = None
    """output bin of the variant's first base: left of the window's middle (447, default) or right (448)"""

    central_bins: int | None = None
    """sum statistics over this many central bins (default all)"""

    centre_mask_bp: int | None = None
    """or over the bins of this many bp around the variant's own (AlphaGenome: 501 or 2001)"""

    indel_rule: IndelRule = "left-fixed"
    """how insertions and deletions keep the window's length"""

    engine: Engine = "delta"
    """delta (differences, the fast one) or direct (two plain passes)"""

    precision: Policy = "fast"
    """arithmetic of delta: fast (16-bit differences where the hardware is quick at them) or exact (float32)"""

    max_offset_bp: int = 0
    """how far off its window's centre a variant may lie, so that neighbours share the reference: 0, or at least 64"""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_STORED)
class StoredSettings:
    """What is checked of the scores, and how much of them is kept."""

    audit_fraction: float = 0.001
    """part of the alleles that delta scores again by direct, at least 3; 0 for none"""

    audit_tolerance: float | None = None
    """relative error at which the audit warns (default 0.02 for fast, 0.002 for exact)"""

    strict: bool = False
    """end with exit code 4 when the audit warns"""

    mantissa_bits: int | None = None
    """bits of mantissa that stored scores keep, 0 to 23 (default 11 with fast, which halves the files; else 23)"""

    top_tracks: int = 20
    """strongest tracks kept per allele in `effects`"""


# A dataclass takes the fields of its last base first: so the positional one precedes all others.
@dataclass(frozen=True, kw_only=True)
class VariantSettings(
    StoredSettings, ScoringSettings, RecordSettings, CommonSettings, VariantFiles
):
    """What `score` does and `plan` foresees: which alleles, how they are scored, what is kept."""

    def __post_init__(self) -> None:
        super().__post_init__()
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
@_listed_under(_COST)
class CostSettings:
    """From work to hours and money."""

    benchmark: File | None = None
    """what one allele takes: JSON of `python -m benchmarks.engine`, or of `enformer-ray status` on a run like this"""

    price_per_hour: float | None = None
    """of one GPU, or of one CPU core where there is none"""

    json: bool = False
    """print one JSON object instead of text"""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_INPUT)
class PlanSettings(CostSettings, VariantSettings):
    """What `enformer-ray plan` is asked for: what `score` is, except that model and place have defaults."""

    model: Annotated[
        ModelName, Parameter(help=f"{MODELS_HELP}; weights are not needed to plan")
    ] = "enformer"

    out: Directory = ""
    """where the run would go, to see whether it fits there"""


@dataclass(frozen=True, kw_only=True)
@_listed_under(_INPUT)
class TileSettings(RunSettings):
    """What `enformer-ray tiles` is asked for."""

    regions: Annotated[str | None, Parameter(metavar="BED|REGION")] = None
    """where to predict: BED file, chr20, or chr20:1-5000000 (default the whole genome)"""


# Without `kw_only` for the class: its first two fields are positional.
@dataclass(frozen=True)
class ImportSettings:
    """What `enformer-ray weights import` is asked for."""

    source: str
    """published weights, in any form that --weights takes (docs/weights.md)"""

    out: File
    """the .safetensors file to write; its directory must be there"""

    model: ModelName | None = field(default=None, kw_only=True)
    """which model they are for (default: told by the content)"""

    list_tensors: Annotated[bool, Parameter(name="--list")] = field(default=False, kw_only=True)
    """name every tensor before the summary, theirs -> ours"""

    json: bool = field(default=False, kw_only=True)
    """print JSON instead of text, with every tensor named"""

    def __post_init__(self) -> None:
        if self.list_tensors and self.json:
            raise InputError("--list and --json: choose one; the JSON names every tensor too")


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """What `enformer-ray demo` is asked for."""

    out: Directory = "demo-run"
    """directory of the locus and of its run"""


def _check_at_least(least: int, option: str, value: int | None) -> None:
    if value is not None and value < least:
        raise InputError(f"{option} {value}: must be at least {least}")
