"""The settings of `enformer-ray insulators`; loads neither torch nor Ray."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from jobs.option_types import BasePairs, File, OptionalFile, Words, listed_under
from jobs.settings import RunSettings

_INPUT = Group.create_ordered("Boundaries")
_CONTROLS = Group.create_ordered("Controls: how like they are")


@dataclass(frozen=True)
@listed_under(_INPUT)
class BoundaryFile:
    """The positional argument; a base of its own, since positional fields come before all others."""

    boundaries: File
    """BED of boundaries of domains; the middle of each row is one"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_INPUT)
class BoundarySettings:
    """What counts as a boundary, and as the place itself."""

    boundary_bp: BasePairs = 2_048
    """how wide the place itself is: attention to it is `at`, attention over it `across`"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_CONTROLS)
class ControlSettings:
    """How like boundaries their controls are; all lie on the same chromosome."""

    genes: OptionalFile = None
    """GTF, GFF3 or BED of genes: controls are as far from a TSS as their boundaries (default: that does not count)"""

    gene_types: Annotated[Words, Parameter(metavar="TYPE,…")] = ()
    """only genes of these types: protein_coding and the like"""

    controls: int = 1
    """how many for each boundary, at most; a boundary counts with the mean of its own"""

    seed: int = 0
    """which places they are, and which draws the intervals are made of"""

    gc_within: float = 0.02
    """the most by which the share of G and C in the window may differ"""

    tss_within: float = 0.2
    """the most by which the distance to the nearest TSS may differ, as a power of 10"""

    apart_bp: BasePairs = 50_000
    """the least distance of a control to any boundary"""


@dataclass(frozen=True, kw_only=True)
class InsulatorSettings(ControlSettings, BoundarySettings, RunSettings, BoundaryFile):
    """What `enformer-ray insulators` is asked for."""
