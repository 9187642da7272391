"""Predictions along the genome: which windows cover it, and the value of every track in every bin.

Windows stand on a grid of their predicted bases, counted from each contig's first base, so that every
base has one bin, whatever is asked for. torch is imported by workers only.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32, Int64

from enformer_core.analyses.base import (
    ComputedRows,
    RowCount,
    WorkerResources,
    provenance_of,
)
from enformer_core.analyses.model_inputs import ModelInputs
from enformer_core.analyses.planned_rows import PlannedTile
from enformer_core.analyses.table_analysis import TableAnalysis, TableDraft, TableIdentity
from enformer_core.analyses.tile_audit import TileAuditor, tile_auditor, with_drawn_tiles
from enformer_core.analyses.tile_run_type import TilesType, tile_bins
from enformer_core.dataset.commit import Tables
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan_builder import DraftPlan
from enformer_core.dataset.receipts import AuditedAllele, Manifest, Provenance
from enformer_core.dataset.schemas import PREDICTIONS_SCHEMA, TILES_SCHEMA
from enformer_core.dataset.shard_task import LeftOut
from enformer_core.errors import InputError
from enformer_core.genome.alphabet import N_CODE
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import Regions, regions_digest
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.variants.audit_sample import drawn_of
from enformer_core.variants.table import Status
from enformer_core.words import counted

if TYPE_CHECKING:
    from enformer_core.scoring.tile_prediction import TilePrediction

_LISTS = PREDICTIONS_SCHEMA.field("values").type

ALL_N = "all_n"
"""Status of a tile without a base that is known: there is nothing to predict."""


@dataclass(frozen=True)
class RegionsIdentity:
    """Which bases are predicted; they count by what they come to, however they were written."""

    bases: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class TilesIdentity(TableIdentity):
    """Everything that decides the values of a run over tiles."""

    regions: RegionsIdentity


@dataclass(frozen=True, kw_only=True)
class Tiles(TableAnalysis):
    """A run over tiles as it was asked for.

    Attributes:
        genome: on the driver's node.
        regions: what is predicted.
        strands: which are averaged.
    """

    run_type = TilesType()

    # of 5,313 tracks they are 150 MB; seven of eight share a part of their tower with the one before
    most_rows = 8

    genome: Genome
    regions: Regions
    strands: Strands

    @property
    def loader(self) -> "TilesLoader":
        """What workers are sent: names, and which strands to read."""
        return TilesLoader(self.inputs, self.strands)

    def drafted(self) -> TableDraft:
        """Lay out the tiles that the regions ask for."""
        tiles = tiles_of(self.genome, self.regions, self.geometry)
        if not tiles.num_rows:
            raise InputError(
                f"{self.genome.called}: its contigs have no bases. There is nothing to predict."
            )
        rows = self.shard_rows(tiles.num_rows)
        return _TileDraft(
            tiles, rows, asked=tuple(self.regions), genome=self.genome, geometry=self.geometry
        )

    def identity(
        self,
        contigs: Iterable[str],
        rows: int,
    ) -> TilesIdentity:
        """Everything that decides the values. All regions' contigs count, whatever was planned."""
        del contigs
        of_contigs = [np.diff(intervals).sum() for intervals in self.regions.values()]
        bases = int(sum(of_contigs))
        return TilesIdentity(
            **self.shared_identity(self.regions, rows),
            strands=self.strands,
            regions=RegionsIdentity(bases, regions_digest(self.regions)),
        )

    def report(self, manifest: Manifest) -> Sequence[str]:
        """How many bins the run has predicted."""
        return [f"{counted(manifest.table_rows['predictions'], 'bins')}"]

    def example_of_nothing(self, ledger: Ledger) -> Sequence[str]:
        """What a tile without predictions is: one without a base that is known."""
        unknown = ledger.run.plan.by_status.get(ALL_N, 0)
        if not unknown:
            return []
        return [f"{ALL_N}: of {counted(unknown, 'tiles')} the genome knows no base"]

    def example_query(self) -> str:
        """The first track along the genome."""
        return (
            'FROM predictions SELECT chrom, start, "end", values[1] AS value ORDER BY ALL LIMIT 10'
        )


@dataclass(frozen=True, kw_only=True)
class _TileDraft(TableDraft):
    """Tiles laid out, ready to be planned.

    Attributes:
        asked: contigs of the regions, of which an empty one has no tile.
        genome: the contigs.
        geometry: the model's.
    """

    genome: Genome
    geometry: Geometry
    asked: tuple[str, ...] = ()

    def draft(self, seed: str) -> DraftPlan:
        """Draw the tiles that are audited, and cut all into shards; `seed` decides who is drawn."""
        drawn = with_drawn_tiles(self.table, seed, self.genome, self.geometry)
        return TableDraft.draft(replace(self, table=drawn), seed)

    @property
    def contigs(self) -> Sequence[str]:
        """Contigs that were asked for: identity and checks speak of them, whatever was planned."""
        return self.asked


def tiles_of(
    genome: Genome,
    regions: Regions,
    geometry: Geometry,
) -> pa.Table:
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
    """The tiles of one contig in which some bin is asked for."""
    is_asked = _overlapped_bins(intervals, length_bp, geometry)
    has_bins = is_asked.any(axis=1)
    numbers = np.flatnonzero(has_bins)
    count = numbers.size
    starts = numbers * geometry.output_bp
    # the last tile ends where the contig does
    ends = np.minimum(starts + geometry.output_bp, length_bp)
    runs = [_runs(is_asked[number]) for number in numbers]
    columns = {
        "chrom": [contig] * count,
        "start": starts,
        "end": ends,
        "bin_bp": [geometry.bin_bp] * count,
        "first_bins": [first_bins for first_bins, _ in runs],
        "end_bins": [end_bins for _, end_bins in runs],
        "bins": is_asked[numbers].sum(axis=1),
        "status": _statuses(genome, contig, starts, ends),
    }
    arrays = [pa.array(columns[column.name], column.type) for column in TILES_SCHEMA]
    return pa.table(arrays, schema=TILES_SCHEMA)


def _statuses(
    genome: Genome,
    contig: str,
    starts: Int64[np.ndarray, " tiles"],
    ends: Int64[np.ndarray, " tiles"],
) -> list[str]:
    """Which tiles are predicted: one of N alone costs as much as any other, and says nothing."""
    codes = genome.codes(contig)
    statuses = []
    for start, end in zip(starts, ends, strict=True):
        is_known = codes[start:end] != N_CODE
        status = Status.OK if is_known.any() else ALL_N
        statuses.append(str(status))
    return statuses


def _overlapped_bins(
    intervals: Int64[np.ndarray, "regions 2"],
    length_bp: int,
    geometry: Geometry,
) -> Bool[np.ndarray, "tiles bins"]:
    """Whether some region overlaps a bin.

    Bins of 128 bp and the region [100, 300): +1 at bin 0, −1 at bin 3; the running sum is
    1 1 1 0 …, so bins 0, 1 and 2 are overlapped.
    """
    tiles = -(-length_bp // geometry.output_bp)
    bins = tiles * geometry.bins
    first_bins = intervals[:, 0] // geometry.bin_bp
    # a bin of which a region has one base is asked for
    end_bins = -(-intervals[:, 1] // geometry.bin_bp)
    steps = np.zeros(bins + 1, dtype=np.int64)
    # regions may begin in one bin: each counts, which `steps[first_bins] += 1` would not do
    np.add.at(steps, first_bins, 1)
    np.add.at(steps, end_bins, -1)
    open_regions = np.cumsum(steps)[:bins]
    is_overlapped = open_regions > 0
    return is_overlapped.reshape(tiles, geometry.bins)


def _runs(is_asked: Bool[np.ndarray, " bins"]) -> tuple[list[int], list[int]]:
    """First bins, and the ones after the last, of all runs: 0 1 1 0 1 comes to [1, 4], [3, 5]."""
    # 0 1 1 0 1 between zeros: steps 0 1 0 -1 1 -1
    steps = np.diff(is_asked.astype(np.int8), prepend=0, append=0)
    firsts = np.flatnonzero(steps == 1)
    ends = np.flatnonzero(steps == -1)
    return firsts.tolist(), ends.tolist()


@runtime_checkable
class Predictor(Protocol):
    """Predicts the tiles of a genome."""

    def predict(self, contig: str, start: int) -> "TilePrediction":
        """All bins of the tile whose first predicted base is `start`, for each track."""
        ...


@dataclass(frozen=True)
class TilesLoader:
    """Loads the model in a worker.

    Attributes:
        inputs: model, tracks and genome, by name.
        strands: which are averaged.
    """

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
        # alleles are scored against the same reference, so that both kinds of runs agree
        network = delta_network(
            model.network,
            model.head,
            model.tracks,
            device=model.device,
            arithmetic=Arithmetic(),
            strand_pairs=model.strand_pairs if self.strands == "both" else None,
        )
        predictor = TilePredictor(network, model.genome, strands=self.strands)
        provenance = provenance_of(model.device, "float32")
        return TileComputation(predictor, provenance, tile_auditor(model, self.strands))


@dataclass(frozen=True)
class TileComputation:
    """Predicts the tiles of shards.

    Attributes:
        predictor: what predicts a tile.
        provenance: software, hardware and arithmetic.
        auditor: predicts again those tiles that the plan has drawn for it; None for nobody.
        rows_through: tiles of the shard that is being computed which are predicted.
    """

    predictor: Predictor
    provenance: Provenance = field(default_factory=Provenance)
    auditor: TileAuditor | None = None
    rows_through: RowCount = field(default_factory=RowCount, compare=False)

    def compute(
        self,
        rows: pa.Table,
        left_out: LeftOut,
    ) -> ComputedRows:
        """Predict every tile that has a base; one that is not finite everywhere has bins without values."""
        tiles: list[PlannedTile] = rows.to_pylist()
        values: list[pa.Array] = []
        audits: list[AuditedAllele] = []
        computed = 0
        for number, tile in enumerate(tiles):
            self.rows_through.rows = number
            # a tile that is not predicted has no bins, and so no rows
            if tile["status"] != Status.OK:
                continue
            if number in left_out:
                of_tile = _no_lists(tile["bins"])
            else:
                asked = self._predicted(tile)
                of_tile = _lists(asked)
                audits.extend(self._audited(tile, asked, of_tile))
                computed += 1
            values.append(of_tile)
        self.rows_through.rows = 0  # none of the next shard's
        bins = tile_bins(rows)
        lists = pa.chunked_array(values, _LISTS)
        columns = [bins["start"], bins["end"], lists]
        table = pa.table(columns, schema=PREDICTIONS_SCHEMA)
        return ComputedRows({"predictions": table}, computed, tuple(audits))

    def derive(self, stored: Tables) -> Tables:
        """No table is derived from predictions: every bin stands as it was predicted."""
        del stored
        return {}

    def _audited(
        self, tile: PlannedTile, asked: Float32[np.ndarray, "bins tracks"], stored: pa.Array
    ) -> Iterator[AuditedAllele]:
        # a plan of an earlier release draws none, and of a failed tile there is nothing to compare
        drawn = drawn_of(tile) if "audited" in tile else None
        if self.auditor is not None and drawn is not None and not stored.null_count:
            yield self.auditor.compare(tile, asked, drawn)

    def _predicted(self, tile: PlannedTile) -> Float32[np.ndarray, "bins tracks"]:
        """The bins of a tile that are asked for, as they are stored."""
        profile = self.predictor.predict(tile["chrom"], tile["start"])
        bins = profile.float().cpu().numpy()
        runs = zip(tile["first_bins"], tile["end_bins"], strict=True)
        # the window predicts all its bins; those beside the regions are not kept
        asked = [bins[first:end] for first, end in runs]
        return np.concatenate(asked)


def _lists(profile: Float32[np.ndarray, "bins tracks"]) -> pa.Array:
    """A list for each bin; none for any where something is not finite."""
    bins, tracks = profile.shape
    if not np.isfinite(profile).all():
        return _no_lists(bins)
    flat = profile.ravel()
    # two bins of three tracks: 0 3 6
    offsets = np.arange(0, flat.size + 1, tracks, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def _no_lists(bins: int) -> pa.Array:
    return pa.nulls(bins, _LISTS)
