"""Pairs of shards scored: the model loaded in a worker, the window of each TSS, and each element in it changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa

from enformer_core.analyses.base import ComputedRows, RowCount, WorkerResources, provenance_of
from enformer_core.analyses.contribution_computation import Attributes, attributor_of
from enformer_core.analyses.contribution_tables import contributions
from enformer_core.analyses.link_run_type import LINKS
from enformer_core.analyses.link_spec import (
    ATTENTION,
    GRADIENT,
    MUTAGENESIS,
    SHUFFLES,
    LinkSpec,
)
from enformer_core.analyses.link_tables import PairOutcome, link_table
from enformer_core.analyses.model_inputs import LoadedModel, ModelInputs
from enformer_core.analyses.planned_rows import PlannedPair
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.shard_task import LeftOut
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.element_scores import (
    AttentionOfLayers,
    Contributions,
    Element,
    OfGroups,
    changes_nothing,
    log2_ratios,
    shuffled,
    summed_attention,
    summed_magnitudes,
    without,
)
from enformer_core.scoring.windows import Allele

_HELD_BYTES = 256_000_000  # of profiles, until they are summed

Scores = dict[str, OfGroups]
"""Values of each group, by the column that they stand in."""


@dataclass(frozen=True)
class Reading:
    """What a model that is read once says of a window: it serves every element in there.

    Attributes:
        contributions: for each group, those of each base.
        attention: for each layer, that of the TSS to each token; None where it was not read.
    """

    contributions: Contributions
    attention: AttentionOfLayers | None


@runtime_checkable
class Mutates(Protocol):
    """Predicts a window and what alleles change in it."""

    def effects(
        self,
        alleles: Sequence[Allele],
        start: int,
    ) -> list[AlleleEffect]:
        """Both profiles of each allele, in all bins of the window that begins at `start`."""
        ...


@dataclass(frozen=True)
class LinksLoader:
    """Loads the model in a worker.

    Attributes:
        inputs: model, tracks and genome, by name.
        geometry: of the model's windows.
        spec: what is computed of each pair.
    """

    inputs: ModelInputs
    geometry: Geometry
    spec: LinkSpec

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "LinkComputation":
        """The model; autograd, and the engine of differences in float32, as far as they are needed."""
        model = self.inputs.load(resources, planned_contigs)
        asked = set(self.spec.scores)
        reads = bool(asked & {GRADIENT, ATTENTION})
        changes = bool(asked & {MUTAGENESIS, SHUFFLES})
        return LinkComputation(
            attributor=self._attributor(model) if reads else None,
            mutator=self._mutator(model, resources) if changes else None,
            genome=model.genome,
            geometry=self.geometry,
            spec=self.spec,
            tracks=self.inputs.tracks,
            provenance=provenance_of(model.device, "float32"),
        )

    def _attributor(self, model: LoadedModel) -> Attributes:
        return attributor_of(
            model,
            self.spec.groups,
            self.spec.strands,
            attention=ATTENTION in self.spec.scores,
        )

    def _mutator(self, model: LoadedModel, resources: WorkerResources) -> Mutates:
        # here, so that whoever only plans or reads runs needs no torch
        from enformer_core.scoring.delta.delta_model import delta_network  # noqa: PLC0415
        from enformer_core.scoring.delta.engine import DeltaScorer  # noqa: PLC0415
        from enformer_core.scoring.delta.memory import choose_allowance  # noqa: PLC0415
        from enformer_core.scoring.precision import Arithmetic  # noqa: PLC0415

        network = delta_network(
            model.network,
            model.head,
            model.tracks,
            device=model.device,
            arithmetic=Arithmetic(),
        )
        # every bin is predicted, wherever in the window an element lies
        conventions = Conventions(
            geometry=self.geometry,
            statistics=("sad",),
            centre_index=self.geometry.window_bp // 2,
            strands=self.spec.strands,
        )
        allowance = choose_allowance(
            network, model.track_count, resources.memory_bytes, conventions
        )
        batch = allowance.batch_alts
        return DeltaScorer(network, model.genome, conventions, batch_alts=batch)


@dataclass(frozen=True)
class LinkComputation:
    """Scores the pairs of shards.

    Attributes:
        attributor: gradients and attention of a window; None where neither is asked for.
        mutator: what changed elements do; None where that is not asked for.
        genome: the reference.
        geometry: the model's.
        spec: what is computed.
        tracks: columns of the head that are predicted, ascending.
        provenance: software, hardware and arithmetic.
        rows_through: pairs of the shard that is being computed which are done.
    """

    attributor: Attributes | None
    mutator: Mutates | None
    genome: Genome
    geometry: Geometry
    spec: LinkSpec
    tracks: Sequence[int]
    provenance: Provenance = field(default_factory=Provenance)
    rows_through: RowCount = field(default_factory=RowCount, compare=False)

    def compute(
        self,
        rows: pa.Table,
        left_out: LeftOut,
    ) -> ComputedRows:
        """Score every pair, those of one window together; all get their rows."""
        pairs: list[PlannedPair] = rows.to_pylist()
        numbers = range(len(pairs))
        outcomes: dict[int, PairOutcome] = {}
        for number in numbers:
            if number in left_out:
                outcomes[number] = PairOutcome(failure=left_out[number])
        asked = [number for number in numbers if number not in outcomes]
        # a plan keeps the pairs of one TSS together: what is read of its window serves all
        for _, together in groupby(asked, key=lambda number: _window_of(pairs[number])):
            self._score_window(pairs, list(together), outcomes)
        self.rows_through.rows = 0  # none of the next shard's
        in_order = [outcomes[number] for number in numbers]
        table = link_table(pairs, in_order, self.spec)
        return ComputedRows({LINKS.name: table}, len(asked))

    def derive(self, stored: Tables) -> Tables:
        """No table is derived from links: which are strong is asked of the rows themselves."""
        del stored
        return {}

    def _score_window(
        self,
        pairs: Sequence[PlannedPair],
        numbers: Sequence[int],
        outcomes: dict[int, PairOutcome],
    ) -> None:
        """Add what comes of the pairs of one window, which are some of a shard's."""
        # whatever all pairs wait for counts as work on the first of them
        self.rows_through.rows = numbers[0]
        scored = self._of_window([pairs[number] for number in numbers])
        for number, scores in zip(numbers, scored, strict=True):
            self.rows_through.rows = number
            outcomes[number] = PairOutcome.checked(scores)

    def _of_window(
        self,
        pairs: Sequence[PlannedPair],
    ) -> Iterator[Scores]:
        """The scores of pairs of one TSS."""
        read = None
        if self.attributor is not None:
            read = self._read(self.attributor, pairs[0])
        changed: Iterator[Scores] = ({} for _ in pairs)
        if self.mutator is not None:
            changed = self._mutated(self.mutator, pairs)
        # one pair after another, so that progress is seen while a window lasts
        for pair, of_changes in zip(pairs, changed, strict=True):
            of_reading = {} if read is None else self._of_reading(read, pair)
            yield {**of_reading, **of_changes}

    def _read(self, attributor: Attributes, pair: PlannedPair) -> Reading:
        """Contributions and attention over the window that the pair is in."""
        contig, first_base, bins = _window_of(pair)
        end = first_base + self.geometry.window_bp
        codes = self.genome.fetch(contig, first_base, end)
        attribution = attributor.attribute(codes, bins)
        of_bases = contributions(attribution.gradients, codes)
        return Reading(of_bases, attribution.attention)

    def _of_reading(self, read: Reading, pair: PlannedPair) -> Scores:
        """What gradients and attention say of an element."""
        element = _element(pair)
        first_base = pair["window_start"]
        scores: Scores = {}
        if GRADIENT in self.spec.scores:
            own = element.within(first_base)
            wide = element.wide(first_base, self.geometry.window_bp)
            scores[GRADIENT] = summed_magnitudes(read.contributions, own)
            scores[f"{GRADIENT}_2kb"] = summed_magnitudes(read.contributions, wide)
        if ATTENTION in self.spec.scores:
            # who asks for the score has asked the attributor for it
            assert read.attention is not None
            tokens = element.tokens(first_base, self.geometry)
            to_element = summed_attention(read.attention, tokens)
            # it is the same for all groups
            scores[ATTENTION] = np.full(len(self.spec.groups), to_element)
        return scores

    def _mutated(
        self,
        mutator: Mutates,
        pairs: Sequence[PlannedPair],
    ) -> Iterator[Scores]:
        """What it does to the TSS to change each element, some pairs at a time."""
        at_once = self._pairs_at_once()
        for first in range(0, len(pairs), at_once):
            some = pairs[first : first + at_once]
            alleles = [self._alleles(pair) for pair in some]
            # an engine is not asked for what is no change
            different = [
                allele for of_pair in alleles for allele in of_pair if not changes_nothing(allele)
            ]
            window_start = some[0]["window_start"]
            effects = iter(mutator.effects(different, window_start))
            for pair, of_pair in zip(some, alleles, strict=True):
                ratios = [self._ratio(pair, allele, effects) for allele in of_pair]
                yield self._of_changes(ratios)

    def _pairs_at_once(self) -> int:
        """Of how many pairs an engine's profiles are held, until they are sums."""
        values = self.geometry.bins * len(self.tracks)
        # float32, of the reference and of what changes
        allele_bytes = 2 * 4 * values
        removals = int(MUTAGENESIS in self.spec.scores)
        alleles = removals + self.spec.shuffles
        return max(1, _HELD_BYTES // (allele_bytes * alleles))

    def _alleles(self, pair: PlannedPair) -> list[Allele]:
        """The element without its bases, then its shuffles, as far as they are asked for."""
        element = _element(pair)
        codes = self.genome.fetch(element.contig, element.start, element.end)
        spec = self.spec
        removed = [without(element, codes)] if MUTAGENESIS in spec.scores else []
        shuffles = shuffled(element, codes, spec.shuffles, spec.seed)
        return [*removed, *shuffles]

    def _ratio(
        self,
        pair: PlannedPair,
        allele: Allele,
        effects: Iterator[AlleleEffect],
    ) -> OfGroups:
        """The change at the TSS; of an allele that changes nothing, for which there is no effect, 0."""
        if changes_nothing(allele):
            return np.zeros(len(self.spec.groups))
        _, _, bins = _window_of(pair)
        return log2_ratios(next(effects), bins, self._places)

    def _of_changes(self, ratios: list[OfGroups]) -> Scores:
        """The scores of one element's changes, which stand in the order of `_alleles`."""
        scores: Scores = {}
        if MUTAGENESIS in self.spec.scores:
            scores[MUTAGENESIS], *ratios = ratios
        if SHUFFLES in self.spec.scores:
            scores[SHUFFLES] = np.mean(ratios, axis=0)
        return scores

    @property
    def _places(self) -> list[list[int]]:
        """Where each group's tracks stand among those that are predicted."""
        # of tracks 3 5 9 the group 5 9 stands at 1 2
        place = {track: number for number, track in enumerate(self.tracks)}
        groups = self.spec.groups
        return [[place[track] for track in group.tracks] for group in groups]


def _element(pair: PlannedPair) -> Element:
    return Element(pair["chrom"], pair["start"], pair["end"])


def _window_of(pair: PlannedPair) -> tuple[str, int, range]:
    """A pair's contig, the first base of its window, and the bins of its TSS."""
    bins = range(pair["first_bin"], pair["end_bin"])
    return pair["chrom"], pair["window_start"], bins
