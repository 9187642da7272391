"""The settings of a run: the command line's options, a TOML file's keys, and their defaults, said once.

Knows what was asked for; does not know how it is done.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from enformer_core.errors import InputError, nearest
from enformer_core.models import BUILTIN_MODELS
from enformer_core.scoring.conventions import ENGINES, INDEL_RULES, POLICIES, Engine, Policy
from enformer_core.scoring.rounding import WHOLE_BITS
from enformer_core.scoring.statistics import STATISTICS

MODELS_HELP = ", ".join(f"{name} ({summary})" for name, summary in BUILTIN_MODELS.items())
"""What `--help` says of `--model`."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in _words(text))


def option(help_text: str, default: Any = MISSING, **how: Any) -> Any:
    """A field that is an option of the command line and a key of the TOML file.

    Args:
        help_text: what `--help` says.
        default: MISSING makes the option required.
        how: further arguments of argparse, `type` and `choices` among them.
    """
    return field(default=default, metadata={"help": help_text, **how})


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What every command that computes is asked for."""

    command: ClassVar[str]

    genome: str = option("reference genome, FASTA (plain or bgzip)", metavar="FASTA")
    model: str = option(MODELS_HELP, metavar="NAME")
    out: str = option(
        "directory or s3://bucket/prefix of the run; made if absent, continued if this run's",
        metavar="DIR",
    )
    weights: str | None = option(
        "weights of the model: .safetensors, .bin, TensorFlow checkpoint, Keras .h5 or hf://owner/name",
        None,
        metavar="FILE",
    )
    head: str = option("output head: human or mouse", "human")
    tracks: str | None = option(
        "tracks to compute: 4828, 10-20, assay=CAGE, or text in the description", None
    )
    targets: str | None = option(
        "published table of the head's tracks, for names and selection", None, metavar="FILE"
    )
    strands: str = option(
        "average both strands, or read the forward one only", "both", choices=("both", "forward")
    )
    shard_size: int | None = option(
        "alleles or tiles in one piece of work (default from their number)", None, type=int
    )
    workers: int | None = option("model replicas (default from the machine)", None, type=int)
    ray: str = option(
        "off (this process), local, or the address of a cluster",
        "local",
        metavar="off|local|ADDRESS",
    )
    device: str = option("where models run", "auto", choices=("auto", "cpu", "cuda"))
    single_writer: bool = option(
        "write to storage that overwrites (no If-None-Match); then never run two commands on one --out at once",
        False,
        action="store_true",
    )
    log_format: str = option(
        "progress for people, or as JSON lines", "text", choices=("text", "json")
    )

    def __post_init__(self) -> None:
        for name in ("shard_size", "workers"):
            _check_least(self, name, 1)


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(RunSettings):
    """What `enformer-ray score` was asked for."""

    command = "score"

    variants: tuple[str, ...] = option(
        "VCF, BCF, .pvar, .bim, GWAS-SSF and other summary statistics, TSV, BED, Parquet, or a list of rsIDs; "
        "files, globs and directories of Parquet (docs/variants.md)",
        nargs="+",
    )
    sites: str | None = option(
        "file with rsIDs, places and alleles, for lists of rsIDs", None, metavar="FILE"
    )
    allow_swapped: bool = option(
        "go on where the genome has ALT in the place of REF; such alleles change places (flag ref_swapped)",
        False,
        action="store_true",
    )
    allow_mismatch: bool = option(
        "go on though less than 90 % of a sample fit the genome; what does not fit is a row ref_mismatch",
        False,
        action="store_true",
    )
    regions: tuple[str, ...] = option(
        "only records that overlap these: BED files, chr20, chr20:1-5000000",
        (),
        type=_words,
        metavar="REGION,…",
    )
    min_maf: float | None = option(
        "only records with at least this minor allele frequency", None, type=float
    )
    max_maf: float | None = option(
        "only records with at most this minor allele frequency", None, type=float
    )
    only_pass: bool = option("only records whose FILTER is PASS or '.'", False, action="store_true")
    max_indel_bp: int | None = option(
        "only records that insert or delete at most this many bases", None, type=int
    )
    sample: int | None = option(
        "only so many records, drawn by chance that --sample-seed decides", None, type=int
    )
    sample_seed: int = option("which sample", 0, type=int)
    statistics: tuple[str, ...] = option(
        f"statistics to compute: {', '.join(STATISTICS)}", ("sad",), type=_words, metavar="NAME,…"
    )
    shifts: tuple[int, ...] = option(
        "window shifts in bp to average over", (0,), type=_integers, metavar="BP,…"
    )
    centre_bin: int | None = option(
        "output bin of the variant's first base: left of the window's middle (447, default) or right (448)",
        None,
        type=int,
        metavar="BIN",
    )
    central_bins: int | None = option(
        "sum statistics over this many central bins (default all)", None, type=int
    )
    centre_mask_bp: int | None = option(
        "or over the bins of this many bp around the variant's own (AlphaGenome: 501 or 2001)",
        None,
        type=int,
    )
    indel_rule: str = option(
        "how insertions and deletions keep the window's length", "left-fixed", choices=INDEL_RULES
    )
    engine: Engine = option(
        "delta (differences, the fast one) or direct (two plain passes)", "delta", choices=ENGINES
    )
    precision: Policy = option(
        "arithmetic of delta: fast (16-bit differences where the hardware is quick at them) or exact (float32)",
        "fast",
        choices=POLICIES,
    )
    max_offset_bp: int = option(
        "how far off its window's centre a variant may lie, so that neighbours share the reference: 0, or at least 64",
        0,
        type=int,
        metavar="BP",
    )
    audit_fraction: float = option(
        "part of the alleles that delta scores again by direct, at least 3; 0 for none",
        0.001,
        type=float,
        metavar="F",
    )
    audit_tolerance: float | None = option(
        "relative error at which the audit warns (default 0.02 for fast, 0.002 for exact)",
        None,
        type=float,
        metavar="F",
    )
    strict: bool = option("end with exit code 4 when the audit warns", False, action="store_true")
    mantissa_bits: int | None = option(
        "bits of mantissa that stored scores keep, 0 to 23 (default 11 with fast, which halves the files; else 23)",
        None,
        type=int,
        metavar="N",
    )
    top_tracks: int = option("strongest tracks kept per allele in `effects`", 20, type=int)
    max_allele_bp: int | None = option(
        "longest REF or ALT that is scored (default half the output)", None, type=int
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in {"top_tracks": 0, "max_allele_bp": 1}.items():
            _check_least(self, name, least)
        if not 0 <= self.audit_fraction <= 1:
            raise InputError(f"--audit-fraction {self.audit_fraction}: must be between 0 and 1")
        if self.mantissa_bits is not None and not 0 <= self.mantissa_bits <= WHOLE_BITS:
            raise InputError(
                f"--mantissa-bits {self.mantissa_bits}: must be between 0 and {WHOLE_BITS}"
            )
        if self.audit_tolerance is not None and not self.audit_tolerance > 0:
            raise InputError(f"--audit-tolerance {self.audit_tolerance}: must be above 0")


@dataclass(frozen=True, kw_only=True)
class PlanSettings(ScoreSettings):
    """What `enformer-ray plan` was asked for: the command to score, with nothing that only computing needs required."""

    command = "plan"

    model: str = option(MODELS_HELP, "enformer", metavar="NAME")
    out: str = option("where the run would go, to see whether it fits there", "", metavar="DIR")
    benchmark: str | None = option(
        "what one allele takes: JSON of `python -m benchmarks.engine`, or of `enformer-ray status` on a run like this",
        None,
        metavar="FILE",
    )
    price_per_hour: float | None = option(
        "of one GPU, or of one CPU core where there is none", None, type=float, metavar="PRICE"
    )
    json: bool = option("as JSON", False, action="store_true")


@dataclass(frozen=True, kw_only=True)
class TileSettings(RunSettings):
    """What `enformer-ray tiles` was asked for."""

    command = "tiles"

    regions: str | None = option(
        "where to predict: BED file, chr20, or chr20:1-5000000 (default the whole genome)",
        None,
        metavar="BED|REGION",
    )


Settings = TypeVar("Settings", bound=RunSettings)


def _check_least(settings: RunSettings, name: str, least: int) -> None:
    value = getattr(settings, name)
    if value is not None and value < least:
        raise InputError(f"{flag(name)} {value}: must be at least {least}")


def flag(name: str) -> str:
    """The command line's name of a setting."""
    return f"--{name.replace('_', '-')}"


def resolve_settings(
    given: Mapping[str, Any], config: str | None, *, wanted: type[Settings]
) -> Settings:
    """Options of the command line over keys of the TOML file over defaults.

    Args:
        given: options that the command line names.
        config: path of a TOML file, its keys named as the options are, with - or _.
        wanted: the settings of which command.

    Raises:
        InputError: for an unknown key, a value of the wrong kind, or a setting that is missing.
    """
    merged = {**(_read_toml(Path(config), wanted) if config else {}), **given}
    missing = [
        _shown(setting)
        for setting in settings_of(wanted)
        if _needed(setting) and setting.name not in merged
    ]
    if missing:
        raise InputError(f"missing: {', '.join(missing)}. See enformer-ray {wanted.command} --help")
    return wanted(**merged)


def settings_of(wanted: type[RunSettings]) -> "list[Field[Any]]":
    """The settings of a command, those that stand without a flag first."""
    return sorted(fields(wanted), key=lambda setting: not positional(setting))


def positional(setting: "Field[Any]") -> bool:
    """Whether the command line takes the setting's values without a flag."""
    return setting.metadata.get("nargs") == "+"


def _needed(setting: "Field[Any]") -> bool:
    return setting.default is MISSING


def _shown(setting: "Field[Any]") -> str:
    return setting.name.upper() if positional(setting) else flag(setting.name)


def _read_toml(path: Path, wanted: type[RunSettings]) -> dict[str, Any]:
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    known = {setting.name: setting for setting in fields(wanted)}
    converted = {}
    for key, value in read.items():
        name = key.replace("-", "_")
        if name not in known:
            raise InputError(
                f"{path}: unknown setting {key!r}{nearest(key, [flag(k)[2:] for k in known])}"
            )
        converted[name] = _convert(path, key, value, known[name].metadata)
    return converted


def _convert(path: Path, key: str, value: Any, how: Mapping[str, Any]) -> Any:
    """A TOML value as the command line would give it: lists may be lists or comma-separated text."""
    listed = how.get("nargs") == "+" or how.get("type") in (_words, _integers)
    texts = (
        [str(item) for item in value]
        if isinstance(value, Sequence) and not isinstance(value, str)
        else [str(value)]
    )
    if isinstance(value, bool) and how.get("action") == "store_true":
        return value
    if isinstance(value, bool | dict) or (len(texts) != 1 and not listed):
        raise InputError(f"{path}: {key} = {value!r} is not a value of {flag(key)}")
    try:
        converted = (
            tuple(texts) if how.get("nargs") == "+" else how.get("type", str)(",".join(texts))
        )
    except ValueError:
        raise InputError(f"{path}: {key} = {value!r} is not a value of {flag(key)}") from None
    if "choices" in how and converted not in how["choices"]:
        raise InputError(f"{path}: {key} = {value!r}; choose {' or '.join(how['choices'])}")
    return converted
