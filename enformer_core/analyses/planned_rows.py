"""Rows of plans as Python has them where a table is gone through row by row.

A type for each kind of row, with the columns of its schema in `dataset.schemas`, where their meaning is said. Does not
know what is computed of a row.
"""

from typing import NotRequired, TypedDict, TypeGuard

from enformer_core.variants.table import Status


class PlannedTile(TypedDict):
    """A row of TILES_SCHEMA: the bases that one window predicts, and the runs of bins that are asked for."""

    chrom: str
    start: int
    end: int
    bin_bp: int
    first_bins: list[int]
    end_bins: list[int]
    bins: int
    status: str


class _AnyTarget(TypedDict):
    """What every row of TARGETS_SCHEMA has, with a place on the genome or without."""

    target: str
    name: str | None
    strand: str | None
    ref: str | None
    alt: str | None
    alleles: list[str]
    groups: list[str]
    layers: int
    status: str
    reason: str | None


class PlacedTarget(_AnyTarget):
    """A target on the genome, in its window."""

    chrom: str
    start: int
    end: int
    window_start: int  # negative near a contig's start
    first_bin: int
    end_bin: int


class UnplacedTarget(_AnyTarget):
    """A variant that has no place: its row says why."""

    chrom: None
    start: None
    end: None
    window_start: None
    first_bin: None
    end_bin: None


PlannedTarget = PlacedTarget | UnplacedTarget
"""A row of TARGETS_SCHEMA: `is_placed` tells which it is."""


def is_placed(target: PlannedTarget) -> TypeGuard[PlacedTarget]:
    """Whether a target can be attributed; only of those that cannot is the place unknown."""
    # nothing else is planned as ok, and what is has been put in its window
    return target["status"] == Status.OK


# `class` is a word of Python's, and so cannot be declared as the others are
_OfClass = TypedDict("_OfClass", {"class": str})


class PlannedPair(_OfClass):
    """A row of LINK_PAIRS_SCHEMA: a gene's TSS, an element in its window, and what files alone say of both."""

    chrom: str
    gene: str
    gene_id: str | None
    tss: int
    is_expressed: bool | None
    start: int
    end: int
    name: str | None
    is_self_promoter: bool
    distance: float
    powerlaw_contact: float
    activity: float | None
    abc_numerator: float | None
    abc: float | None
    window_start: int
    first_bin: int  # of those around the TSS, not of the element's
    end_bin: int
    groups: list[str]
    status: str


class PlannedPlace(TypedDict):
    """A row of PLACES_SCHEMA: a boundary, or a place that is like it."""

    chrom: str
    place: str
    boundary: str
    kind: str
    position: int
    window_start: int
    layers: int
    status: str
    reason: NotRequired[str | None]  # plans of before have none
