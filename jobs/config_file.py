"""Files of settings in TOML: read for `--config`, and written by `enformer-ray config init`."""

import json
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast

from cyclopts import Argument, Group

from enformer_core.errors import InputError, nearest
from enformer_core.user_path import why_unwritable
from jobs import exit_codes
from jobs.option_types import OptionalWrittenFile

_COLUMNS = 100

_Name = Literal[
    "score",
    "tiles",
    "attribute",
    "plan",
    "links",
    "insulators",
    "evaluate links",
    "evaluate variants",
    "evaluate tracks",
    "pca fit",
    "pca apply",
    "calibrate",
    "percentiles",
    "summarise",
    "finemap",
    "plot locus",
    "plot calibration",
    "plot track",
    "plot logo",
    "plot links",
    "plot insulators",
    "query",
    "sql",
    "publish",
    "lookup",
    "report",
    "status",
    "verify",
    "repair",
    "compact",
    "export",
    "weights import",
    "demo",
]

_EXAMPLES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "--variants": ("variants.vcf.gz",),
        "--mutagenesis": ("chr20:4699500-4699700", "peaks.bed"),
        "--mutagenesis-around": ("variants.vcf.gz",),
        "--columns": ("chrom=CHR", "pos=BP", "effect=A1", "other=A2"),
        "--gene-types": ("protein_coding",),
        "--keep-columns": ("BETA", "SE", "P"),
        "--regions": ("chr20:1-5000000", "exons.bed"),
        "--group": ("K562=4828,5111", "liver=assay=DNASE"),
        "--locus": ("chr20:4600000-4800000", "chr1:109200000-109400000"),
        "--reuse": ("first-run", "s3://bucket/runs/second"),
        "--id": ("COSV58737076",),
        "--words": ("first-run", "rs6052080", "chr20:4699605:A:G"),
        "--attach": ("gwas=sumstats.tsv.gz", "panel=panel.vcf.gz"),
        "--scores": ("ABCScore",),
        "--statistics": ("sad", "js"),
        "--match": ("consequence", "tss_dist", "MAF"),
        "--activity": ("DHS.RPM", "H3K27ac.RPM"),
    }
)
"""What a list may hold that is empty by default: `[]` would show nothing of it."""


@dataclass(frozen=True)
class ConfigInitSettings:
    """What `enformer-ray config init` is asked for: whose settings, and where they go."""

    command: _Name = "score"
    """the command whose settings are written"""

    out: OptionalWrittenFile = field(default=None, kw_only=True)
    """file to write, which must not be there yet (default standard output)"""


def init(settings: ConfigInitSettings) -> int:
    """Write every setting of a command with its help, those with a default commented out.

    Returns:
        The exit code.

    Raises:
        InputError: where the file is there already, or cannot be written.
    """
    text = config_text(settings.command)
    if settings.out is None:
        print(text, end="")
        return exit_codes.DONE
    try:
        with Path(settings.out).open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise InputError(f"{settings.out}: is there already. Give another name.") from error
    except OSError as error:
        why = why_unwritable(Path(settings.out), error)
        raise InputError(f"{settings.out}: cannot be written: {why}") from error
    print(
        f"{settings.out}: fill it in, then: enformer-ray {settings.command} --config {settings.out}"
    )
    return exit_codes.DONE


def config_text(command: str) -> str:
    """The TOML file of a command: each setting behind its help; nothing in it is in force yet."""
    lines = [
        f"# Settings of `enformer-ray {command} --config FILE`; the command line wins over the file.",
        "# Take away the # before a setting to give it. What stands there is the default.",
        "# A path may begin with ~/. A list may also be text with commas.",
    ]
    for heading, options in settings_by_heading(command).items():
        lines += ["", f"# ---- {heading} ----"]
        for option in options:
            lines += ["", *_setting(option)]
    return "\n".join([*lines, ""])


def settings_by_heading(command: str) -> dict[str, list[Argument]]:
    """The settings of a command as in the help: by heading, and under each in the parser's order."""
    from jobs.cli import command_options

    found: dict[str, list[Argument]] = {}
    for option in command_options(command):
        if _is_setting(option):
            found.setdefault(_heading(option), []).append(option)
    return found


def _is_setting(option: Argument) -> bool:
    # The parser's list has the dataclass itself, too, as `*`.
    return option.name.startswith("--") and option.name != "--config"


def _heading(option: Argument) -> str:
    group, *_ = cast("tuple[Group, ...]", option.parameter.group)
    return group.name


def _setting(option: Argument) -> Iterator[str]:
    help_text = option.parameter.help or ""
    choices = option.get_choices()
    if choices:
        help_text += f" (one of: {', '.join(choices)})"
    if option.required:
        help_text += " (required)"
    yield from textwrap.wrap(
        help_text, _COLUMNS, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    yield f"# {option.name.removeprefix('--')} = {_value(option)}".rstrip() + _example(option)


def _value(option: Argument) -> str:
    """The default in TOML; where there is none, nothing, which TOML refuses until it is filled in."""
    default = option.field_info.default
    if isinstance(default, tuple):
        default = list(default) or None
    # TOML's texts, numbers, booleans and lists of them are those of JSON.
    return json.dumps(default) if isinstance(default, bool | int | float | str | list) else ""


def _example(option: Argument) -> str:
    words = example_of(option)
    return f"  # such as {json.dumps(words)}" if words else ""


def example_of(option: Argument) -> list[str]:
    """What a list may hold that is empty by default; nothing for any other setting."""
    return list(_EXAMPLES[option.name]) if option.field_info.default == () else []


def read_toml(path: Path, *, known: Sequence[str]) -> dict[str, object]:
    """The settings of a file.

    Read here, and not by the parser of the command line, whose messages name neither the file nor what was meant.

    Args:
        path: of the file.
        known: names of settings, with hyphens; the file may have underscores.

    Raises:
        InputError: for a file that cannot be read, is no TOML, or has other settings.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    for key in values:
        if key.replace("_", "-") not in known:
            raise InputError(f"{path}: unknown setting {key!r}{nearest(key, known)}")
    return values
