"""Targets of shards attributed: the model loaded in a worker, each allele's window, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import pyarrow as pa

from enformer_core.analyses.base import ComputedRows, RowCount, WorkerResources, provenance_of
from enformer_core.analyses.contribution_run_type import (
    ATTENTION,
    CONTRIBUTION_BINS,
    CONTRIBUTIONS,
)
from enformer_core.analyses.contribution_spec import AttributionSpec, TrackGroup
from enformer_core.analyses.contribution_tables import (
    Attributed,
    Outcome,
    attention_table,
    bins_table,
    contribution_table,
    why_unsound,
)
from enformer_core.analyses.model_inputs import LoadedModel, ModelInputs
from enformer_core.analyses.planned_rows import PlacedTarget, PlannedTarget, is_placed
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.schemas import ALT
from enformer_core.dataset.shard_task import LeftOut
from enformer_core.genome.alphabet import Codes
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.scoring.windows import Allele, Window, alternate_sequence, reference_sequence

if TYPE_CHECKING:
    from enformer_core.scoring.attribution import Attribution
else:
    Attribution = Any  # workers alone load torch


@runtime_checkable
class Attributes(Protocol):
    """Attributes the mean of some tracks in some bins to the bases of a window."""

    def attribute(self, codes: Codes, bins: range) -> Attribution:
        """For each group: the prediction, its gradients by letter, and what the bins attend to."""
        ...


def attributor_of(
    model: LoadedModel,
    groups: Sequence[TrackGroup],
    strands: Strands,
    *,
    attention: bool,
) -> Attributes:
    """What attributes windows by a loaded model.

    Args:
        model: loaded in this process.
        groups: of tracks, whose means are attributed.
        strands: which are averaged.
        attention: whether attention is read too.
    """
    # here, so that whoever only plans or reads runs needs no torch
    from enformer_core.models.base import Network  # noqa: PLC0415
    from enformer_core.scoring.attribution import Attributor  # noqa: PLC0415

    # gradients are taken through its tower piece by piece
    assert isinstance(model.network, Network)
    return Attributor(
        network=model.network,
        head=model.head,
        groups=[group.tracks for group in groups],
        device=model.device,
        strands=strands,
        complement_groups=_of_complement(model, groups),
        attention=attention,
    )


def _of_complement(
    model: LoadedModel, groups: Sequence[TrackGroup]
) -> list[tuple[int, ...]] | None:
    """Where a prediction of the reverse complement has each group's tracks; None where it has them where they are."""
    if model.strand_pairs is None:
        return None
    columns = range(model.track_count) if model.tracks is None else model.tracks
    partners = dict(zip(columns, model.strand_pairs, strict=True))
    return [tuple(partners[track] for track in group.tracks) for group in groups]


@dataclass(frozen=True)
class ContributionsLoader:
    """Loads the model in a worker.

    Attributes:
        inputs: model, tracks and genome, by name.
        geometry: of the model's windows.
        spec: what is computed of each target.
    """

    inputs: ModelInputs
    geometry: Geometry
    spec: AttributionSpec

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "ContributionComputation":
        """The model, and autograd in float32."""
        model = self.inputs.load(resources, planned_contigs)
        attributor = attributor_of(
            model,
            self.spec.groups,
            self.spec.strands,
            attention=self.spec.attention,
        )
        return ContributionComputation(
            attributor=attributor,
            genome=model.genome,
            geometry=self.geometry,
            spec=self.spec,
            provenance=provenance_of(model.device, "float32"),
        )


@dataclass(frozen=True)
class ContributionComputation:
    """Attributes the targets of shards.

    Attributes:
        attributor: what attributes a window.
        genome: the reference.
        geometry: the model's.
        spec: what is kept.
        provenance: software, hardware and arithmetic.
        rows_through: targets of the shard that is being computed which are done.
    """

    attributor: Attributes
    genome: Genome
    geometry: Geometry
    spec: AttributionSpec
    provenance: Provenance = field(default_factory=Provenance)
    rows_through: RowCount = field(default_factory=RowCount, compare=False)

    def compute(
        self,
        rows: pa.Table,
        left_out: LeftOut,
    ) -> ComputedRows:
        """Attribute every target that has a window; all get their rows."""
        targets: list[PlannedTarget] = rows.to_pylist()
        outcomes: list[Outcome] = []
        computed = 0
        for number, target in enumerate(targets):
            self.rows_through.rows = number
            if number in left_out:
                # without a reason in a trial, of which nothing is kept
                outcome = Outcome(target, failure=left_out[number])
            elif is_placed(target):
                outcome = self._attributed(target)
                computed += 1
            else:
                outcome = Outcome(target)
            outcomes.append(outcome)
        self.rows_through.rows = 0  # none of the next shard's
        return ComputedRows(self._tables(outcomes), computed)

    def _tables(self, outcomes: Sequence[Outcome]) -> Tables:
        lengths = dict(self.genome.contigs)
        hypothetical = self.spec.hypothetical
        tables = {
            CONTRIBUTIONS.name: contribution_table(
                outcomes, lengths, self.geometry, hypothetical=hypothetical
            )
        }
        if self.spec.attention:
            tables[ATTENTION.name] = attention_table(outcomes, self.geometry)
        return tables

    def derive(self, stored: Tables) -> Tables:
        """The sums over bins, from the contributions as stored."""
        bins = bins_table(stored[CONTRIBUTIONS.name], self.geometry)
        return {CONTRIBUTION_BINS: bins}

    def _attributed(self, target: PlacedTarget) -> Outcome:
        """Every allele of a target; of one that is not finite somewhere none has values."""
        bins = range(target["first_bin"], target["end_bin"])
        of_alleles = {}
        for allele in target["alleles"]:
            codes = self._sequence(target, allele)
            attribution = self.attributor.attribute(codes, bins)
            failure = why_unsound(attribution)
            if failure is not None:
                # one allele with values beside one without would look like a comparison
                return Outcome(target, failure=f"{allele}: {failure}")
            of_alleles[allele] = Attributed.of(attribution, codes, keep=self.spec.hypothetical)
        return Outcome(target, of_alleles)

    def _sequence(self, target: PlacedTarget, allele: str) -> Codes:
        """Base codes of a target's window, the genome's own or with the variant in it."""
        contig = target["chrom"]
        window = Window(target["window_start"])
        window_bp = self.geometry.window_bp
        if allele != ALT:
            return reference_sequence(self.genome, contig, window, window_bp)
        ref = target["ref"]
        alt = target["alt"]
        # only variants are planned with this allele
        assert ref is not None
        assert alt is not None
        variant = Allele(contig, target["start"], ref, alt)
        return alternate_sequence(self.genome, variant, window, window_bp)
