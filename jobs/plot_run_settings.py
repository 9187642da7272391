"""The settings of `enformer-ray plot` for what runs say: tracks, logos, links, insulators. Loads nothing that draws."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from jobs.option_types import (
    BasePairs,
    Directory,
    File,
    ModelName,
    OptionalDirectory,
    OptionalFile,
    Selection,
    WrittenFile,
    listed_under,
)

_REGION = Parameter(metavar="REGION")
_NAME = Parameter(metavar="NAME")
_OF_RUN = Group.create_ordered("A finished run")
_OF_VARIANT = Group.create_ordered("A variant")
_BOTH = Group.create_ordered("Both")

_OUT_HELP = "file of the picture: .png, .svg, or .html, a page that needs no network"
_Out = Annotated[WrittenFile, Parameter(help=_OUT_HELP)]


@dataclass(frozen=True)
@listed_under(_OF_RUN)
class _Tiles:
    """Which predictions of a run. Positions come first in a command line, and so in a class."""

    run: OptionalDirectory = None
    """directory or s3://bucket/prefix of a run of `tiles`, whose predictions are drawn"""

    region: Annotated[str | None, _REGION] = field(default=None, kw_only=True)
    """which of them: chr20:4600000-4800000, from 1, both ends included"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_OF_VARIANT)
class _Variant:
    """What is predicted of which variant, as `score` has it."""

    variant: Annotated[str | None, Parameter(metavar="KEY")] = None
    """instead of a run, a variant that is predicted now: chr20:4699605:A:G"""

    genome: Annotated[OptionalFile, Parameter(metavar="FASTA")] = None
    """reference genome, FASTA (plain, bgzip or gzip)"""

    model: ModelName | None = None
    """what predicts: enformer, basenji2, or without weights a demonstration: motif, motif_core"""

    weights: OptionalFile = None
    """weights of the model, as for `score`"""

    head: str = "human"
    """output head of the model: human or mouse"""

    targets: OptionalFile = None
    """published table of the head's tracks, for names and selection"""

    flank: Annotated[int | None, Parameter(metavar="BP")] = None
    """what lies so far to either side (default all that is predicted)"""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the model runs; auto takes a GPU where there is one"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_BOTH)
class TrackSettings(_Variant, _Tiles):
    """What `enformer-ray plot track` is asked for."""

    tracks: Selection = None
    """which tracks, at most 6, as `score` selects them (default: of a variant those that change most)"""

    out: _Out


@dataclass(frozen=True)
class LogoSettings:
    """What `enformer-ray plot logo` is asked for."""

    run: Directory
    """directory or s3://bucket/prefix of a finished run of `attribute`"""

    target: Annotated[str | None, _NAME] = field(default=None, kw_only=True)
    """which target, by its key or its name in the input (default the run's only one)"""

    group: Annotated[str | None, _NAME] = field(default=None, kw_only=True)
    """which group of tracks (default the first)"""

    region: Annotated[str | None, _REGION] = field(default=None, kw_only=True)
    """which bases: chr20:4699560-4699650, at most 200 (default those that contribute most)"""

    length: BasePairs = field(default=60, kw_only=True)
    """without --region: how many bases, at most 200"""

    hypothetical: bool = field(default=False, kw_only=True)
    """below it what each letter would contribute in the place of each base; of runs with --hypothetical"""

    out: _Out = field(kw_only=True)


@dataclass(frozen=True)
class LinkPictureSettings:
    """What `enformer-ray plot links` is asked for."""

    run: File
    """directory or s3://bucket/prefix of a run of `links`, or the file that it wrote without a model"""

    gene: Annotated[str | None, _NAME] = field(default=None, kw_only=True)
    """whose elements, by its name or identifier (default the only one that there is)"""

    score: Annotated[str | None, Parameter(metavar="COLUMN")] = field(default=None, kw_only=True)
    """how high arcs are: gradient, attention, mutagenesis, shuffles, abc, powerlaw_contact (default the first there)"""

    group: Annotated[str | None, _NAME] = field(default=None, kw_only=True)
    """which group of tracks of the run (default the first)"""

    region: Annotated[str | None, _REGION] = field(default=None, kw_only=True)
    """only elements within: chr20:4600000-4800000, from 1, both ends included (default all)"""

    out: _Out = field(kw_only=True)


@dataclass(frozen=True)
class InsulatorPictureSettings:
    """What `enformer-ray plot insulators` is asked for."""

    run: Directory
    """directory or s3://bucket/prefix of a run of `insulators`"""

    out: _Out = field(kw_only=True)
