"""Contributions of bases: gradient × input of groups of tracks at targets, and what their bins attend to.

`contributions` has one row for each target, group of tracks and allele; `contribution_bins`, derived from these as
stored, one for each bin. torch is imported by workers only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa

from enformer_core.analyses.contribution_computation import ContributionsLoader
from enformer_core.analyses.contribution_run_type import (
    CONTRIBUTIONS,
    AttendingContributionsType,
    ContributionsType,
)
from enformer_core.analyses.contribution_spec import AttributionSpec, TrackGroup
from enformer_core.analyses.table_analysis import TableAnalysis, TableDraft, TableIdentity
from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.receipts import Manifest
from enformer_core.dataset.run import TracksIdentity
from enformer_core.errors import InputError
from enformer_core.variants.input_files import InputDigest
from enformer_core.words import counted


@dataclass(frozen=True)
class GroupIdentity:
    """A group of tracks as an identity tells it: its name, and its columns of the head."""

    name: str
    tracks: TracksIdentity


@dataclass(frozen=True)
class TargetsIdentity:
    """Which targets: what kind they are taken for, and the files and places that name them.

    Attributes:
        kind: intervals, genes or variants.
        input: the files.
        places: contig, start and end of regions that the command line names.
    """

    kind: str
    input: list[InputDigest]
    places: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class ContributionsIdentity(TableIdentity):
    """Everything that decides the values of a run of contributions."""

    groups: list[GroupIdentity]
    targets: TargetsIdentity
    hypothetical: bool
    attention: bool


@dataclass(frozen=True)
class PlannedTargets:
    """Targets that were read.

    Attributes:
        table: of TARGETS_SCHEMA, in the order of the genome; what has no place comes last.
        records: of the input.
        filtered: records that filters took out, by filter.
    """

    table: pa.Table
    records: int
    filtered: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class TargetInput(Protocol):
    """Where targets come from: files and regions, as the user named them."""

    def identity(self) -> TargetsIdentity:
        """What an identity says of the targets: the files by digest, and what chooses from them."""
        ...

    def read(self, groups: Sequence[str], layers: int) -> PlannedTargets:
        """Read them, and put each in its window.

        Args:
            groups: names of the groups of tracks.
            layers: whose attention is read.

        Raises:
            InputError: for targets that cannot be.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Contributions(TableAnalysis):
    """A run of contributions as it was asked for; its tracks are those of all groups.

    Attributes:
        layers: of the model that attend; 0 where attention is not asked for.
        targets: where they come from.
        spec: what is computed of each.
    """

    # each takes minutes on a CPU
    most_rows = 8

    layers: int
    targets: TargetInput
    spec: AttributionSpec

    @property
    def run_type(self) -> ContributionsType:  # type: ignore[override]
        """With a table of attention, or without."""
        return AttendingContributionsType() if self.spec.attention else ContributionsType()

    @property
    def loader(self) -> ContributionsLoader:
        """What workers are sent: names and settings."""
        return ContributionsLoader(self.inputs, self.geometry, self.spec)

    def drafted(self) -> TableDraft:
        """Read the targets, and put each in its window."""
        names = [group.name for group in self.spec.groups]
        planned = self.targets.read(names, self.layers)
        table = planned.table
        if not table.num_rows:
            raise InputError("no targets: there is nothing to attribute")
        return TableDraft(
            table,
            self.shard_rows(table.num_rows),
            records=planned.records,
            filtered=planned.filtered,
        )

    def identity(self, contigs: Iterable[str], rows: int) -> ContributionsIdentity:
        """Everything that decides the values of this run."""
        # not the layers, which follow from the model
        spec = self.spec
        return ContributionsIdentity(
            **self.shared_identity(contigs, rows),
            strands=spec.strands,
            groups=[group_identity(group) for group in spec.groups],
            targets=self.targets.identity(),
            hypothetical=spec.hypothetical,
            attention=spec.attention,
        )

    def report(self, manifest: Manifest) -> Sequence[str]:
        """How many rows of contributions there are."""
        return [f"{counted(manifest.table_rows[CONTRIBUTIONS.name], 'rows')} of contributions"]

    # a target's rows all say the same: one of them is enough
    query_of_unscored = (
        "SELECT DISTINCT target, status, reason FROM contributions WHERE status <> 'ok' LIMIT 10"
    )

    def example_query(self) -> str:
        """The bins on which predictions rest most."""
        return (
            'FROM contribution_bins SELECT target, "group", allele, chrom, start, "end", value '
            "ORDER BY abs(value) DESC LIMIT 10"
        )


def group_identity(group: TrackGroup) -> GroupIdentity:
    """What an identity says of a group."""
    # hundreds of columns are a digest: identities are compared, and shown where they differ
    digest = sha256(canonical_json(group.tracks))
    return GroupIdentity(group.name, TracksIdentity(len(group.tracks), digest))
