"""The settings of `enformer-ray attribute`; loads neither torch nor Ray."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from enformer_core.errors import InputError
from jobs.option_types import Files, Groups, OptionalFile, Selection, Words, listed_under
from jobs.settings import RunSettings, VariantRecordSettings

_INPUT = Group.create_ordered("Targets")
_WHAT = Group.create_ordered("Contributions: what is computed")


@dataclass(frozen=True)
@listed_under(_INPUT)
class TargetFiles:
    """The positional argument; a base of its own, since positional fields come before all others."""

    places: Files
    """BED intervals, regions as chr20:4699478-4699861, genes, or variants in any format: enformer-ray docs attribute"""


@dataclass(frozen=True, kw_only=True)
@listed_under(_WHAT)
class ContributionSettings:
    """What is computed of each target."""

    group: Groups
    """tracks whose mean is attributed, under a name: K562=4828,5111; given again for each further group"""

    target_type: Literal["auto", "intervals", "genes", "variants"] = "auto"
    """what the targets are; auto tells by the first lines of a file, and takes BED for intervals"""

    gene_types: Annotated[Words, Parameter(metavar="TYPE,…")] = ()
    """only genes of these types: protein_coding and the like"""

    gene_list: OptionalFile = None
    """only genes that this file names, one a line, by identifier or name"""

    hypothetical: bool = False
    """keep what each of the four letters would contribute at every base too"""

    attention: bool = False
    """store what the target's bins attend to: all layers' mean, and each layer's own"""


@dataclass(frozen=True, kw_only=True)
class AttributeSettings(ContributionSettings, VariantRecordSettings, RunSettings, TargetFiles):
    """What `enformer-ray attribute` is asked for."""

    tracks: Annotated[
        Selection, Parameter(help="tracks that groups choose from (default all)", group=_WHAT)
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_allele_bp is not None and self.max_allele_bp < 1:
            raise InputError(f"--max-allele-bp {self.max_allele_bp}: must be at least 1")
