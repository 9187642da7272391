"""Contributions of bases: gradient × input of groups of tracks at targets, and what their bins attend to.

`contributions` has one row for each target, group of tracks and allele; `contribution_bins`, derived from these as
stored, one for each bin. torch is imported by workers only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import pyarrow as pa

from enformer_core.analyses.base import Analysis, DraftInput
from enformer_core.analyses.contribution_computation import ContributionsLoader
from enformer_core.analyses.contribution_run_type import (
    CONTRIBUTIONS,
    AttendingContributionsType,
    ContributionsType,
)
from enformer_core.analyses.contribution_spec import AttributionSpec, TrackGroup
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.plan_builder import DraftPlan, draft_tiles
from enformer_core.dataset.receipts import Manifest
from enformer_core.dataset.run import Identity, TracksIdentity
from enformer_core.dataset.sharding import default_shard_size
from enformer_core.errors import InputError
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.variants.input_files import InputDigest

_MOST_TARGETS = 8  # of a shard: each takes minutes on a CPU


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
class ContributionsIdentity(Identity):
    """Everything that decides the values of a run of contributions."""

    geometry: Geometry
    strands: Strands
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
    """Where targets come from."""

    def identity(self) -> TargetsIdentity:
        """What an identity says of them."""
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


@dataclass(frozen=True)
class Contributions(Analysis):
    """A run of contributions as it was asked for.

    Attributes:
        inputs: model, tracks (those of all groups) and genome.
        geometry: the model's.
        layers: of the model that attend; 0 where attention is not asked for.
        targets: where they come from.
        spec: what is computed of each.
        shard_size: targets of a shard; None for a size that follows from their number.
    """

    inputs: ModelInputs
    geometry: Geometry
    layers: int
    targets: TargetInput
    spec: AttributionSpec
    shard_size: int | None

    @property
    def run_type(self) -> ContributionsType:  # type: ignore[override]
        """With a table of attention, or without."""
        return AttendingContributionsType() if self.spec.attention else ContributionsType()

    @property
    def loader(self) -> ContributionsLoader:
        """What workers are sent: names and settings."""
        return ContributionsLoader(self.inputs, self.geometry, self.spec)

    @contextmanager
    def read_input(self) -> Iterator[DraftInput]:
        """Read the targets, and put each in its window."""
        self.inputs.check_weights()
        names = [group.name for group in self.spec.groups]
        planned = self.targets.read(names, self.layers)
        if not planned.table.num_rows:
            raise InputError("no targets: there is nothing to attribute")
        yield _TargetDraft(planned, self.shard_rows(planned.table.num_rows))

    def shard_rows(self, targets: int) -> int:
        """Targets of a shard, by default from their number."""
        return self.shard_size or default_shard_size(targets, least=1, most=_MOST_TARGETS)

    def identity(self, contigs: Iterable[str], rows: int) -> ContributionsIdentity:
        """Everything that decides the values."""
        spec = self.spec
        return ContributionsIdentity(
            kind=self.run_type.name,
            model=self.inputs.model_identity,
            tracks=self.inputs.tracks_identity,
            reference=self.inputs.reference_identity(contigs),
            shard_size=self.shard_rows(rows),
            geometry=self.geometry,
            strands=spec.strands,
            groups=[group_identity(group) for group in spec.groups],
            targets=self.targets.identity(),
            hypothetical=spec.hypothetical,
            attention=spec.attention,
        )

    def report(self, manifest: Manifest) -> Sequence[str]:
        """How many rows of contributions there are."""
        return [f"{manifest.table_rows[CONTRIBUTIONS.name]:,} rows of contributions"]

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
    digest = sha256(canonical_json(group.tracks))
    return GroupIdentity(group.name, TracksIdentity(len(group.tracks), digest))


@dataclass(frozen=True)
class _TargetDraft:
    """Targets in their windows, ready to be planned."""

    planned: PlannedTargets
    shard_rows: int

    @property
    def rows(self) -> int:
        return self.planned.table.num_rows

    @property
    def contigs(self) -> Sequence[str]:
        contigs = self.planned.table["chrom"].unique().to_pylist()
        return [contig for contig in contigs if contig is not None]

    @property
    def records(self) -> int:
        return self.planned.records

    @property
    def filtered(self) -> Mapping[str, int]:
        return self.planned.filtered

    def draft(self, seed: str) -> DraftPlan:
        del seed  # nothing is drawn by chance
        return draft_tiles(self.planned.table, self.shard_rows)
