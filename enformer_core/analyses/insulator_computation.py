"""Places of shards: the model loaded in a worker, the attention around each place, and what it does there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from enformer_core.analyses.base import ComputedRows, RowCount, WorkerResources, provenance_of
from enformer_core.analyses.insulator_run_type import ATTENTION_MAPS, INSULATION
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.analyses.planned_rows import PlannedPlace
from enformer_core.analyses.several_rows import layers_with_mean
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.receipts import Provenance
from enformer_core.dataset.schemas import ATTENTION_MAPS_SCHEMA, INSULATION_SCHEMA
from enformer_core.dataset.shard_task import LeftOut
from enformer_core.genome.alphabet import Codes
from enformer_core.genome.fasta import Genome
from enformer_core.insulators.attention import (
    AttentionMap,
    insulation,
    observed_over_expected,
    picture,
)
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.variants.table import Status

if TYPE_CHECKING:
    from enformer_core.scoring.attention_maps import LayerMaps
else:
    LayerMaps = Any  # workers alone load torch

_MOST_PIXELS = 96


def pixels_of(geometry: Geometry) -> int:
    """Pixels along a side of a map: 96 of Enformer's 1,536 tokens, 16 tokens each."""
    sides = range(1, _MOST_PIXELS + 1)
    # whole tokens in each pixel
    return max(pixels for pixels in sides if geometry.tokens % pixels == 0)


@runtime_checkable
class MapsAttention(Protocol):
    """Reads the attention of a window: which token looks at which."""

    def maps(self, codes: Codes) -> LayerMaps:
        """A map for each layer, mean over heads and strands."""
        ...


@dataclass(frozen=True)
class InsulatorsLoader:
    """Loads the model in a worker.

    Attributes:
        inputs: model and genome.
        geometry: the model's.
        strands: which are averaged.
        boundary_tokens: how wide a boundary is.
    """

    inputs: ModelInputs
    geometry: Geometry
    strands: Strands
    boundary_tokens: int

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "InsulatorComputation":
        """The model, which reads in float32, and what watches its attention."""
        # here, so that whoever only plans or reads runs needs no torch
        from enformer_core.models.base import Network  # noqa: PLC0415
        from enformer_core.scoring.attention_maps import AttentionMapper  # noqa: PLC0415

        model = self.inputs.load(resources, planned_contigs)
        # attention is watched inside its trunk
        assert isinstance(model.network, Network)
        return InsulatorComputation(
            mapper=AttentionMapper(model.network, model.device, self.strands),
            genome=model.genome,
            geometry=self.geometry,
            boundary_tokens=self.boundary_tokens,
            provenance=provenance_of(model.device, "float32"),
        )


@dataclass(frozen=True)
class PlaceOutcome:
    """What came of one planned place.

    Attributes:
        layers: both statistics for the mean over layers, and then for each; nothing where there are none.
        pixels: of its map, row after row.
        failure: why a place that was to be read has neither.
    """

    layers: Sequence[Mapping[str, float]] = ()
    pixels: Float64[np.ndarray, " pixels"] | None = None
    failure: str | None = None


@dataclass(frozen=True)
class InsulatorComputation:
    """Reads the places of shards.

    Attributes:
        mapper: reads the attention of a window.
        genome: the reference.
        geometry: the model's.
        boundary_tokens: how wide a boundary is.
        provenance: software, hardware and arithmetic.
        rows_through: places of the shard that is being computed which are done.
    """

    mapper: MapsAttention
    genome: Genome
    geometry: Geometry
    boundary_tokens: int
    provenance: Provenance = field(default_factory=Provenance)
    rows_through: RowCount = field(default_factory=RowCount, compare=False)

    def compute(
        self,
        rows: pa.Table,
        left_out: LeftOut,
    ) -> ComputedRows:
        """Read every place that is to be; all get their rows."""
        places: list[PlannedPlace] = rows.to_pylist()
        outcomes = []
        computed = 0
        for number, place in enumerate(places):
            self.rows_through.rows = number
            if number in left_out:
                outcome = PlaceOutcome(failure=left_out[number])
            elif place["status"] != Status.OK:
                # a boundary without a control is compared with nothing
                outcome = PlaceOutcome()
            else:
                outcome = self._read(place)
                computed += 1
            outcomes.append(outcome)
        self.rows_through.rows = 0  # none of the next shard's
        tables = {
            INSULATION.name: insulation_table(places, outcomes),
            ATTENTION_MAPS.name: map_table(places, outcomes),
        }
        return ComputedRows(tables, computed)

    def derive(self, stored: Tables) -> Tables:
        """No table of a shard is derived: boundaries and their controls lie in different ones."""
        del stored
        return {}

    def _read(self, place: PlannedPlace) -> PlaceOutcome:
        """Both statistics and the map of a place, or why there are none."""
        first = place["window_start"]
        end = first + self.geometry.window_bp
        codes = self.genome.fetch(place["chrom"], first, end)
        layers = self.mapper.maps(codes)
        if not np.isfinite(layers).all():
            return PlaceOutcome(failure="attention is not finite")
        mean: AttentionMap = layers.mean(axis=0, dtype=np.float64)
        over_distance = observed_over_expected(mean)
        pixels = picture(over_distance, pixels_of(self.geometry))
        # the mean first, as tables have it
        maps = [mean, *(layer.astype(np.float64) for layer in layers)]
        width = self.boundary_tokens
        found = [insulation(each, width=width) for each in maps]
        values = [value for layer in found for value in layer.values()]
        # between tokens that never look at each other there is no ratio
        if not np.isfinite(values).all():
            return PlaceOutcome(failure="a layer's attention is 0 across the place, or to it")
        return PlaceOutcome(found, pixels.ravel())


def insulation_table(
    places: Sequence[PlannedPlace],
    outcomes: Sequence[PlaceOutcome],
) -> pa.Table:
    """A row for the mean over layers and for each layer of every place, whether there are values or not."""
    rows = []
    for place, outcome in zip(places, outcomes, strict=True):
        described = _described(place, outcome)
        layers = layers_with_mean(place["layers"])
        # what was not read has its rows all the same
        of_layers: Sequence[Mapping[str, float]] = outcome.layers or [{}] * len(layers)
        for layer, values in zip(layers, of_layers, strict=True):
            rows.append({**described, "layer": layer, **values})
    return pa.Table.from_pylist(rows, schema=INSULATION_SCHEMA)


def map_table(
    places: Sequence[PlannedPlace],
    outcomes: Sequence[PlaceOutcome],
) -> pa.Table:
    """A row for every place, whether there is a map or not."""
    rows = []
    for place, outcome in zip(places, outcomes, strict=True):
        described = _described(place, outcome)
        rows.append({**described, "values": outcome.pixels})
    return pa.Table.from_pylist(rows, schema=ATTENTION_MAPS_SCHEMA)


def _described(
    place: PlannedPlace,
    outcome: PlaceOutcome,
) -> dict[str, object]:
    """What a row says of its place, read or not."""
    failure = outcome.failure
    if failure is not None:
        return {**place, "status": Status.FAILED, "reason": failure}
    # of a boundary without a control the plan says why
    return {**place, "reason": place.get("reason")}
