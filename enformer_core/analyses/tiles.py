"""Predictions along the genome: which windows cover it, and the value of every track in every bin.

Windows stand on a grid of their predicted bases, counted from each contig's first base, so that every
base has one bin, whatever is asked for. torch is imported by workers only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from enformer_core.analyses.base import (
    Analysis,
    ComputedRows,
    DraftInput,
    RowCount,
    WorkerResources,
    provenance_of,
)
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.analyses.tile_run_type import TilesType, tile_bins
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan_builder import DraftPlan, draft_tiles
from enformer_core.dataset.receipts import Manifest, Provenance
from enformer_core.dataset.run import Identity
from enformer_core.dataset.schemas import PREDICTIONS_SCHEMA, TILES_SCHEMA
from enformer_core.dataset.shard_task import LeftOut
from enformer_core.dataset.sharding import TILES_LEAST, TILES_MOST, default_shard_size
from enformer_core.errors import InputError
from enformer_core.genome.alphabet import N_CODE
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import Regions, regions_digest
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.variants.table import Status
from enformer_core.words import counted

if TYPE_CHECKING:
    from enformer_core.scoring.tile_prediction import TilePrediction

ALL_N = "all_n"
"""Status of a tile without a base that is known: there is nothing to predict."""


@dataclass(frozen=True)
class RegionsIdentity:
    """Which bases are predicted; they count by what they come to, however they were written."""

    bases: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TilesIdentity(Identity):
    """Everything that decides the values of a run over tiles."""

    geometry: Geometry
    strands: Strands
    regions: RegionsIdentity


@dataclass(frozen=True)
class Tiles(Analysis):
    """A run over tiles as it was asked for.

    Attributes:
        inputs: model, tracks and genome.
        geometry: the model's.
        genome: on the driver's node.
        regions: what is predicted.
        strands: which are averaged.
        shard_size: tiles of a shard; None for a size that follows from their number.
    """

    run_type = TilesType()

    inputs: ModelInputs
    geometry: Geometry
    genome: Genome
    regions: Regions
    strands: Strands
    shard_size: int | None

    @property
    def loader(self) -> "TilesLoader":
        """What workers are sent: names, and which strands to read."""
        return TilesLoader(self.inputs, self.strands)

    @contextmanager
    def read_input(self) -> Iterator[DraftInput]:
        """Lay out the tiles that the regions ask for."""
        self.inputs.check_weights()
        tiles = tiles_of(self.genome, self.regions, self.geometry)
        if not tiles.num_rows:
            raise InputError(
                f"{self.genome.path}: its contigs have no bases. There is nothing to predict."
            )
        yield _TileDraft(tiles, list(self.regions), self.shard_rows(tiles.num_rows))

    def shard_rows(self, tiles: int) -> int:
        """Tiles of a shard, by default from their number."""
        return self.shard_size or default_shard_size(tiles, least=TILES_LEAST, most=TILES_MOST)

    def identity(self, contigs: Iterable[str], rows: int) -> TilesIdentity:
        """Everything that decides the values. All regions' contigs count, whatever was planned."""
        del contigs
        bases = sum(int(np.diff(intervals).sum()) for intervals in self.regions.values())
        return TilesIdentity(
            kind=self.run_type.name,
            model=self.inputs.model_identity,
            tracks=self.inputs.tracks_identity,
            reference=self.inputs.reference_identity(self.regions),
            shard_size=self.shard_rows(rows),
            geometry=self.geometry,
            strands=self.strands,
            regions=RegionsIdentity(bases, regions_digest(self.regions)),
        )

    def report(self, manifest: Manifest) -> Sequence[str]:
        """How many bins the run has predicted."""
        return [f"{manifest.table_rows['predictions']:,} bins"]

    def example_of_nothing(self, ledger: Ledger) -> Sequence[str]:
        """What a tile without predictions is."""
        unknown = ledger.run.plan.by_status.get(ALL_N, 0)
        return (
            [f"{ALL_N}: of {counted(unknown, 'tiles')} the genome knows no base"] if unknown else []
        )

    def example_query(self) -> str:
        """The first track along the genome."""
        return (
            'FROM predictions SELECT chrom, start, "end", values[1] AS value ORDER BY ALL LIMIT 10'
        )


@dataclass(frozen=True)
class _TileDraft:
    """Tiles laid out, ready to be planned."""

    tiles: pa.Table
    contigs: Sequence[str]
    shard_rows: int
    records: int | None = None
    filtered: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.tiles.num_rows

    def draft(self, seed: str) -> DraftPlan:
        del seed  # nothing is drawn by chance
        return draft_tiles(self.tiles, self.shard_rows)


def tiles_of(genome: Genome, regions: Regions, geometry: Geometry) -> pa.Table:
    """The tiles that cover the regions, contig after contig.

    Tile k of a contig predicts its bases [k · output_bp, (k + 1) · output_bp). All bins that overlap a
    region are asked for, once.

    Args:
        genome: the contigs.
        regions: what is asked for.
        geometry: the model's.

    Returns:
        A table of TILES_SCHEMA. Tiles without a base that is known are `all_n`.
    """
    lengths = genome.contigs
    parts = [
        _contig_tiles(genome, contig, regions[contig], lengths[contig], geometry)
        for contig in regions
    ]
    return pa.concat_tables([TILES_SCHEMA.empty_table(), *parts])


def _contig_tiles(
    genome: Genome,
    contig: str,
    intervals: Int64[np.ndarray, "regions 2"],
    length_bp: int,
    geometry: Geometry,
) -> pa.Table:
    is_asked = _overlapped_bins(intervals, length_bp, geometry)
    numbers = np.flatnonzero(is_asked.any(axis=1))
    starts = numbers * geometry.output_bp
    ends = np.minimum(starts + geometry.output_bp, length_bp)
    runs = [_runs(is_asked[number]) for number in numbers]
    codes = genome.codes(contig)
    # a tile of N alone costs as much as any other and says nothing
    has_known_base = [
        bool((codes[start:end] != N_CODE).any()) for start, end in zip(starts, ends, strict=True)
    ]
    columns = {
        "chrom": [contig] * numbers.size,
        "start": starts,
        "end": ends,
        "bin_bp": [geometry.bin_bp] * numbers.size,
        "first_bins": [firsts for firsts, _ in runs],
        "end_bins": [ends for _, ends in runs],
        "bins": is_asked[numbers].sum(axis=1),
        "status": [Status.OK if known else ALL_N for known in has_known_base],
    }
    arrays = [pa.array(columns[column.name], column.type) for column in TILES_SCHEMA]
    return pa.table(arrays, schema=TILES_SCHEMA)


def _overlapped_bins(
    intervals: Int64[np.ndarray, "regions 2"], length_bp: int, geometry: Geometry
) -> Bool[np.ndarray, "tiles bins"]:
    """Whether some region overlaps a bin.

    Bins of 128 bp and the region [100, 300): +1 at bin 0, −1 at bin 3; the running sum is
    1 1 1 0 …, so bins 0, 1 and 2 are overlapped.
    """
    tiles = -(-length_bp // geometry.output_bp)
    steps = np.zeros(tiles * geometry.bins + 1, dtype=np.int64)
    np.add.at(steps, intervals[:, 0] // geometry.bin_bp, 1)
    np.add.at(steps, -(-intervals[:, 1] // geometry.bin_bp), -1)
    is_overlapped = np.cumsum(steps)[:-1] > 0
    return is_overlapped.reshape(tiles, geometry.bins)


def _runs(is_asked: Bool[np.ndarray, " bins"]) -> tuple[list[int], list[int]]:
    """First bins, and the ones after the last, of all runs: 0 1 1 0 1 comes to [1, 4], [3, 5]."""
    steps = np.diff(is_asked.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist()


@runtime_checkable
class Predictor(Protocol):
    """Predicts the tiles of a genome."""

    def predict(self, contig: str, start: int) -> "TilePrediction":
        """All bins of the tile whose first predicted base is `start`, for each track."""
        ...


@dataclass(frozen=True)
class TilesLoader:
    """Loads the model in a worker."""

    inputs: ModelInputs
    strands: Strands

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str]
    ) -> "TileComputation":
        """The reference's path of the engine of differences, in float32."""
        # here, so that whoever only plans or reads runs needs no torch
        from enformer_core.scoring.delta.delta_model import delta_network  # noqa: PLC0415
        from enformer_core.scoring.precision import Arithmetic  # noqa: PLC0415
        from enformer_core.scoring.tile_prediction import TilePredictor  # noqa: PLC0415

        model = self.inputs.load(resources, planned_contigs)
        network = delta_network(
            model.network, model.head, model.tracks, device=model.device, arithmetic=Arithmetic()
        )
        predictor = TilePredictor(network, model.genome, strands=self.strands)
        provenance = provenance_of(model.device, "float32")
        return TileComputation(predictor, provenance)


@dataclass(frozen=True)
class TileComputation:
    """Predicts the tiles of shards.

    Attributes:
        predictor: what predicts a tile.
        provenance: software, hardware and arithmetic.
        rows_through: tiles of the shard that is being computed which are predicted.
    """

    predictor: Predictor
    provenance: Provenance = field(default_factory=Provenance)
    rows_through: RowCount = field(default_factory=RowCount, compare=False)

    def compute(self, rows: pa.Table, left_out: LeftOut) -> ComputedRows:
        """Predict every tile that has a base; one that is not finite everywhere has bins without values."""
        bins = tile_bins(rows)
        values: list[pa.Array] = []
        computed = 0
        for number, tile in enumerate(rows.to_pylist()):
            self.rows_through.rows = number
            if tile["status"] != Status.OK:
                continue
            if number in left_out:
                values.append(pa.nulls(tile["bins"], pa.list_(pa.float32())))
            else:
                values.append(self._values(tile))
                computed += 1
        self.rows_through.rows = 0  # none of the next shard's
        lists = pa.chunked_array(values, PREDICTIONS_SCHEMA.field("values").type)
        table = pa.table([bins["start"], bins["end"], lists], schema=PREDICTIONS_SCHEMA)
        return ComputedRows({"predictions": table}, computed)

    def derive(self, stored: Tables) -> Tables:
        """No table is derived from predictions."""
        del stored
        return {}

    def _values(self, tile: dict[str, Any]) -> pa.Array:
        """A list for each bin of a tile that is asked for."""
        profile = self.predictor.predict(tile["chrom"], tile["start"])
        bins = profile.float().cpu().numpy()
        runs = zip(tile["first_bins"], tile["end_bins"], strict=True)
        return _lists(np.concatenate([bins[first:end] for first, end in runs]))


def _lists(profile: Float32[np.ndarray, "bins tracks"]) -> pa.Array:
    """A list for each bin; none for any where something is not finite."""
    bins, tracks = profile.shape
    if not np.isfinite(profile).all():
        return pa.nulls(bins, pa.list_(pa.float32()))
    offsets = np.arange(0, bins * tracks + 1, tracks, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(profile.ravel()))
