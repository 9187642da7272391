"""Pairs of shards scored: the model loaded in a worker, the window of each TSS, and each element in it changed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from enformer_core.analyses.base import ComputedRows, RowCount, WorkerResources, provenance_of
from enformer_core.analyses.contribution_computation import Attributes
from enformer_core.analyses.contribution_tables import contributions
from enformer_core.analyses.link_run_type import LINKS
from enformer_core.analyses.link_spec import ATTENTION, GRADIENT, MUTAGENESIS, SHUFFLES, LinkSpec
from enformer_core.analyses.link_tables import PairOutcome, link_table
from enformer_core.analyses.model_inputs import LoadedModel, ModelInputs
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.shard_task import LeftOut
from enformer_core.genome.fasta import Genome
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.allele_effect import AlleleEffect
from enformer_core.scoring.conventions import Conventions
from enformer_core.scoring.element_scores import (
    Element,
    changes_nothing,
    log2_ratios,
    shuffled,
    summed_attention,
    summed_magnitudes,
    without,
)
from enformer_core.scoring.windows import Allele

if TYPE_CHECKING:
    from enformer_core.scoring.attribution import Attribution
else:
    Attribution = Any  # workers alone load torch

_HELD_BYTES = 256_000_000  # of profiles, until they are summed

Pair = Mapping[str, Any]

Scores = dict[str, Float64[np.ndarray, " groups"]]


@runtime_checkable
class Mutates(Protocol):
    """Predicts a window and what alleles change in it."""

    def effects(self, alleles: Sequence[Allele], start: int) -> list[AlleleEffect]:
        """Both profiles of each allele, in all bins of the window that begins at `start`."""
        ...


@dataclass(frozen=True)
class LinksLoader:
    """Loads the model in a worker."""

    inputs: ModelInputs
    geometry: Geometry
    spec: LinkSpec

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "LinkComputation":
        """The model; autograd, and the engine of differences in float32, as far as they are needed."""
        model = self.inputs.load(resources, planned_contigs)
        asked = set(self.spec.scores)
        return LinkComputation(
            attributor=self._attributor(model) if asked & {GRADIENT, ATTENTION} else None,
            mutator=self._mutator(model, resources) if asked & {MUTAGENESIS, SHUFFLES} else None,
            genome=model.genome,
            geometry=self.geometry,
            spec=self.spec,
            tracks=self.inputs.tracks,
            provenance=provenance_of(model.device, "float32"),
        )

    def _attributor(self, model: LoadedModel) -> Attributes:
        # here, so that whoever only plans or reads runs needs no torch
        from enformer_core.models.base import Network  # noqa: PLC0415
        from enformer_core.scoring.attribution import Attributor  # noqa: PLC0415

        assert isinstance(model.network, Network)
        return Attributor(
            network=model.network,
            head=model.head,
            groups=[group.tracks for group in self.spec.groups],
            device=model.device,
            strands=self.spec.strands,
            attention=ATTENTION in self.spec.scores,
        )

    def _mutator(self, model: LoadedModel, resources: WorkerResources) -> Mutates:
        from enformer_core.scoring.delta.delta_model import delta_network  # noqa: PLC0415
        from enformer_core.scoring.delta.engine import DeltaScorer  # noqa: PLC0415
        from enformer_core.scoring.delta.memory import choose_batch  # noqa: PLC0415
        from enformer_core.scoring.precision import Arithmetic  # noqa: PLC0415

        network = delta_network(
            model.network, model.head, model.tracks, device=model.device, arithmetic=Arithmetic()
        )
        # every bin is predicted, wherever in the window an element lies
        conventions = Conventions(
            geometry=self.geometry,
            statistics=("sad",),
            centre_index=self.geometry.window_bp // 2,
            strands=self.spec.strands,
        )
        batch = choose_batch(
            network, model.track_count, resources.memory_bytes, views=conventions.views
        )
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

    def compute(self, rows: pa.Table, left_out: LeftOut) -> ComputedRows:
        """Score every pair, those of one window together; all get their rows."""
        pairs = rows.to_pylist()
        outcomes = {
            number: PairOutcome(failure=left_out[number])
            for number in range(len(pairs))
            if number in left_out
        }
        asked = [number for number in range(len(pairs)) if number not in outcomes]
        for _, of_window in groupby(asked, key=lambda number: _window_of(pairs[number])):
            numbers = list(of_window)
            self.rows_through.rows = numbers[0]
            scored = self._of_window([pairs[number] for number in numbers])
            for number, scores in zip(numbers, scored, strict=True):
                self.rows_through.rows = number
                outcomes[number] = PairOutcome.checked(scores)
        self.rows_through.rows = 0  # none of the next shard's
        in_order = [outcomes[number] for number in range(len(pairs))]
        return ComputedRows({LINKS.name: link_table(pairs, in_order, self.spec)}, len(asked))

    def derive(self, stored: Tables) -> Tables:
        """No table is derived from links."""
        del stored
        return {}

    def _of_window(self, pairs: Sequence[Pair]) -> Iterator[Scores]:
        """The scores of pairs of one TSS."""
        read = {}
        if self.attributor is not None:
            read = self._attributed(self.attributor, pairs[0])
        changed: Iterator[Scores] = ({} for _ in pairs)
        if self.mutator is not None:
            changed = self._mutated(self.mutator, pairs)
        for pair, of_changes in zip(pairs, changed, strict=True):
            yield {**self._of_reading(read, pair), **of_changes}

    def _attributed(self, attributor: Attributes, pair: Pair) -> dict[str, Any]:
        """Contributions and attention over the window that the pair is in."""
        contig, first_base, bins = _window_of(pair)
        codes = self.genome.fetch(contig, first_base, first_base + self.geometry.window_bp)
        attribution = attributor.attribute(codes, bins)
        return {
            GRADIENT: contributions(attribution.gradients, codes),
            ATTENTION: attribution.attention,
        }

    def _of_reading(self, read: Mapping[str, Any], pair: Pair) -> Scores:
        """What gradients and attention say of an element."""
        element = _element(pair)
        first_base = pair["window_start"]
        scores: Scores = {}
        if GRADIENT in self.spec.scores:
            wide = element.wide(first_base, self.geometry.window_bp)
            by_base = read[GRADIENT]
            scores[GRADIENT] = summed_magnitudes(by_base, element.within(first_base))
            scores[f"{GRADIENT}_2kb"] = summed_magnitudes(by_base, wide)
        if ATTENTION in self.spec.scores:
            tokens = element.tokens(first_base, self.geometry)
            # it is the same for all groups
            to_element = summed_attention(read[ATTENTION], tokens)
            scores[ATTENTION] = np.full(len(self.spec.groups), to_element)
        return scores

    def _mutated(self, mutator: Mutates, pairs: Sequence[Pair]) -> Iterator[Scores]:
        """What it does to the TSS to change each element, some pairs at a time."""
        profile_bytes = 2 * self.geometry.bins * len(self.tracks) * 4
        per_pair = (MUTAGENESIS in self.spec.scores) + self.spec.shuffles
        at_once = max(1, _HELD_BYTES // (profile_bytes * per_pair))
        for first in range(0, len(pairs), at_once):
            some = pairs[first : first + at_once]
            alleles = [self._alleles(pair) for pair in some]
            # an engine is not asked for what is no change
            different = [
                allele for each in alleles for allele in each if not changes_nothing(allele)
            ]
            effects = iter(mutator.effects(different, some[0]["window_start"]))
            for pair, each in zip(some, alleles, strict=True):
                ratios = [self._ratio(pair, allele, effects) for allele in each]
                yield self._of_changes(ratios)

    def _alleles(self, pair: Pair) -> list[Allele]:
        """The element without its bases, then its shuffles, as far as they are asked for."""
        element = _element(pair)
        codes = self.genome.fetch(element.contig, element.start, element.end)
        spec = self.spec
        removed = [without(element, codes)] if MUTAGENESIS in spec.scores else []
        return [*removed, *shuffled(element, codes, spec.shuffles, spec.seed)]

    def _ratio(
        self, pair: Pair, allele: Allele, effects: Iterator[AlleleEffect]
    ) -> Float64[np.ndarray, " groups"]:
        """The change at the TSS; of an allele that changes nothing, for which there is no effect, 0."""
        if changes_nothing(allele):
            return np.zeros(len(self.spec.groups))
        _, _, bins = _window_of(pair)
        return log2_ratios(next(effects), bins, self._places)

    def _of_changes(self, ratios: list[Float64[np.ndarray, " groups"]]) -> Scores:
        scores: Scores = {}
        if MUTAGENESIS in self.spec.scores:
            scores[MUTAGENESIS], *ratios = ratios
        if SHUFFLES in self.spec.scores:
            scores[SHUFFLES] = np.mean(ratios, axis=0)
        return scores

    @property
    def _places(self) -> list[list[int]]:
        """Where each group's tracks stand among those that are predicted."""
        place = {track: number for number, track in enumerate(self.tracks)}
        return [[place[track] for track in group.tracks] for group in self.spec.groups]


def _element(pair: Pair) -> Element:
    return Element(pair["chrom"], pair["start"], pair["end"])


def _window_of(pair: Pair) -> tuple[str, int, range]:
    """A pair's contig, the first base of its window, and the bins of its TSS."""
    return pair["chrom"], pair["window_start"], range(pair["first_bin"], pair["end_bin"])
