"""Predictions along the genome: which windows cover it, what each predicts, and one shard of them.

Windows stand on a grid of their predicted bases, counted from each contig's first base, so that every base has one bin,
whatever is asked for. Does not know workers or retries.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from enformer_core.analyses.variant_effects import ComputedShard, PreparedShard, Stopwatch, software
from enformer_core.dataset.ledger import Committed, Ledger
from enformer_core.dataset.plan import read_shard
from enformer_core.dataset.run_types import TILES_SCHEMA, tile_bins
from enformer_core.dataset.schemas import PREDICTIONS_SCHEMA
from enformer_core.dataset.shard_task import ShardWork, Trial
from enformer_core.genome.alphabet import N_CODE, reverse_complement
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import Regions
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.conventions import Strands
from enformer_core.scoring.delta.delta_model import DeltaNetwork
from enformer_core.scoring.delta.reference_tokens import Place, SharedTokens
from enformer_core.scoring.delta.tower import Codes
from enformer_core.scoring.precision import inference_in_true_float32


def tiles_of(genome: Genome, regions: Regions, geometry: Geometry) -> pa.Table:
    """The tiles that cover the regions, contig after contig.

    Tile k of a contig predicts its bases [k · output_bp, (k + 1) · output_bp). All bins that overlap a region are asked
    for, once.

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
    asked = _asked_bins(intervals, length_bp, geometry)
    numbers = np.flatnonzero(asked.any(axis=1))
    starts = numbers * geometry.output_bp
    ends = np.minimum(starts + geometry.output_bp, length_bp)
    runs = [_runs(asked[number]) for number in numbers]
    codes = genome.codes(contig)
    known = [
        bool((codes[start:end] != N_CODE).any()) for start, end in zip(starts, ends, strict=True)
    ]
    columns = {
        "chrom": [contig] * numbers.size,
        "start": starts,
        "end": ends,
        "bin_bp": [geometry.bin_bp] * numbers.size,
        "first_bins": [firsts for firsts, _ in runs],
        "end_bins": [ends for _, ends in runs],
        "bins": asked[numbers].sum(axis=1),
        "status": ["ok" if any_known else "all_n" for any_known in known],
    }
    return pa.table(
        [pa.array(columns[field.name], field.type) for field in TILES_SCHEMA], schema=TILES_SCHEMA
    )


def _asked_bins(
    intervals: Int64[np.ndarray, "regions 2"], length_bp: int, geometry: Geometry
) -> Bool[np.ndarray, "tiles bins"]:
    """Whether some region overlaps a bin."""
    tiles = -(-length_bp // geometry.output_bp)
    edges = np.zeros(tiles * geometry.bins + 1, dtype=np.int64)
    np.add.at(edges, intervals[:, 0] // geometry.bin_bp, 1)
    np.add.at(edges, -(-intervals[:, 1] // geometry.bin_bp), -1)
    return (np.cumsum(edges)[:-1] > 0).reshape(tiles, geometry.bins)


def _runs(asked: Bool[np.ndarray, " bins"]) -> tuple[list[int], list[int]]:
    """First bins, and the ones after the last, of all runs of bins that are asked for."""
    edges = np.diff(asked.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()


@runtime_checkable
class Predictor(Protocol):
    """Predicts the tiles of a genome."""

    def predict(self, contig: str, start: int) -> Float[Tensor, "bins tracks"]:
        """All bins of the tile whose first predicted base is `start`."""
        ...


class TilePredictor:
    """Predicts tiles by the reference's path alone; neighbours share the tokens of their tower.

    A prediction depends on the tile's place only, not on what was predicted before.

    Args:
        network: the model, taken apart.
        genome: what is predicted.
        strands: `both` averages the forward prediction and the reverse complement's, its bins turned back.
    """

    def __init__(self, network: DeltaNetwork, genome: Genome, *, strands: Strands) -> None:
        self._network = network
        self._genome = genome
        self._strands = strands
        self._tokens = SharedTokens(network.tower, genome)

    def predict(self, contig: str, start: int) -> Float[Tensor, "bins tracks"]:
        """All bins of the tile whose first predicted base is `start`, averaged over strands in float64.

        What its window reads beyond the contig's ends is N.
        """
        geometry = self._network.geometry
        window_start = start - geometry.crop_bp
        codes = self._genome.fetch(contig, window_start, window_start + geometry.window_bp)
        with inference_in_true_float32():
            strands = [self._strand(Place(contig, window_start, reverse=False), codes)]
            if self._strands == "both":
                turned = self._strand(
                    Place(contig, window_start, reverse=True), reverse_complement(codes)
                )
                strands.append(turned.flip(0))
            return torch.stack(strands).mean(dim=0)

    def _strand(self, place: Place, codes: Codes) -> Float[Tensor, "bins tracks"]:
        x = self._tokens(place, codes)
        no_alts = x.new_empty(0, *x.shape)
        bins = range(self._network.geometry.bins)
        prediction, _ = self._network.trunk.propagate(x, no_alts, bins)
        return prediction.double()


@dataclass(frozen=True)
class ShardPredictor:
    """Predicts shards of tiles and commits them.

    Attributes:
        predictor: what predicts a tile.
        ledger: where shards are committed.
        circumstances: hardware and arithmetic, for the receipts.
    """

    predictor: Predictor
    ledger: Ledger
    circumstances: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, work: ShardWork) -> Committed | Trial:
        """All three stages, one after another."""
        return self.finish(self.compute(self.prepare(work)))

    def prepare(self, work: ShardWork) -> PreparedShard:
        """Read the shard's tiles."""
        return PreparedShard(work, read_shard(self.ledger.store, work.shard))

    def compute(self, prepared: PreparedShard) -> ComputedShard:
        """Predict every tile of a shard that has a base; one that is not finite everywhere gets bins without values."""
        stopwatch, left_out = Stopwatch(), prepared.work.left_out()
        values = list(self._values(prepared.rows, left_out))
        circumstances = {**stopwatch.read(), **software(), **self.circumstances}
        statuses = enumerate(prepared.rows["status"].to_pylist())
        computed = sum(status == "ok" and row not in left_out for row, status in statuses)
        if prepared.work.probe:
            return ComputedShard(prepared, None, circumstances, computed)
        bins = tile_bins(prepared.rows)
        lists = pa.chunked_array(values, PREDICTIONS_SCHEMA.field("values").type)
        table = pa.table([bins["start"], bins["end"], lists], schema=PREDICTIONS_SCHEMA)
        return ComputedShard(prepared, table, circumstances, computed)

    def finish(self, computed: ComputedShard) -> Committed | Trial:
        """Commit the shard; of a trial nothing is kept."""
        if computed.table is None:
            return Trial(computed.computed)
        prepared = computed.prepared
        committed = self.ledger.commit(
            prepared.work.shard, prepared.rows, computed.table, circumstances=computed.circumstances
        )
        return replace(committed, computed=computed.computed)

    def _values(self, tiles: pa.Table, left_out: Container[int]) -> Iterator[pa.Array]:
        """For each tile that has bins, their values; none for those left out."""
        for row, tile in enumerate(tiles.to_pylist()):
            if tile["status"] != "ok":
                continue
            runs = list(zip(tile["first_bins"], tile["end_bins"], strict=True))
            if row in left_out:
                yield pa.nulls(sum(end - first for first, end in runs), pa.list_(pa.float32()))
                continue
            profile = self.predictor.predict(tile["chrom"], tile["start"]).float().cpu().numpy()
            yield _lists(np.concatenate([profile[first:end] for first, end in runs]))


def _lists(profile: Float32[np.ndarray, "bins tracks"]) -> pa.Array:
    """A list for each bin; none for any where something is not finite."""
    bins, tracks = profile.shape
    if not np.isfinite(profile).all():
        return pa.nulls(bins, pa.list_(pa.float32()))
    offsets = np.arange(0, bins * tracks + 1, tracks, dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(profile.ravel()))
