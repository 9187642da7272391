"""`enformer-ray tiles`: plan the tiles of the genome, predict them in shards, say what came of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from enformer_core.analyses.tiles import ShardPredictor, TilePredictor, tiles_of
from enformer_core.analyses.variant_effects import hardware
from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.ledger import Ledger
from enformer_core.dataset.plan import Plan
from enformer_core.dataset.plan_builder import draft_tiles
from enformer_core.dataset.run import Run
from enformer_core.dataset.run_types import TILES
from enformer_core.dataset.sharding import TILES_LEAST, TILES_MOST, default_shard_size
from enformer_core.errors import InputError
from enformer_core.genome.regions import Regions, read_regions
from enformer_core.models.registry import ModelSource
from enformer_core.scoring.conventions import Strands
from enformer_core.scoring.delta.delta_model import delta_network
from enformer_core.scoring.precision import Arithmetic
from jobs.job import (
    ModelLoader,
    RunRequest,
    exit_code,
    find_named,
    located,
    print_counts,
    put_run,
    run_shards,
)
from jobs.settings import TileSettings

_MOST_VALUES = 2**31 - 1  # Arrow counts the values of a list column by 32 bits


@dataclass(frozen=True)
class TilingFactory(ModelLoader):
    """Builds the shard function in a worker."""

    strands: Strands
    ledger: Ledger

    def __call__(self) -> ShardPredictor:
        """Load the model and open the genome."""
        model, genome, device = self.load()
        network = delta_network(
            model, self.head, self.asked_tracks, device=device, arithmetic=Arithmetic()
        )
        return ShardPredictor(
            predictor=TilePredictor(network, genome, strands=self.strands),
            ledger=self.ledger,
            circumstances={"arithmetic": "float32", **hardware(device)},
        )


@dataclass(frozen=True)
class TileRequest(RunRequest):
    """A run over tiles as asked for, everything named in it found and fit to be used."""

    settings: TileSettings
    regions: Regions

    def shard_size(self, tiles: int) -> int:
        """Tiles of a shard."""
        return self.settings.shard_size or default_shard_size(
            tiles, least=TILES_LEAST, most=TILES_MOST
        )


def predict_tiles(settings: TileSettings) -> int:
    """Predict every bin that is asked for; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    request = check_request(settings)
    manifest = run_shards(
        request,
        identity_of=lambda run: _identity(request, run.plan.get("tiles", 0)),
        make=lambda: _make_run(request),
        factory_of=lambda ledger: _factory(request, ledger),
    )
    return _report(request, manifest)


def check_request(settings: TileSettings) -> TileRequest:
    """Find everything that the settings name.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    found = find_named(settings, ModelSource(settings.model, located(settings.weights)))
    _check_shard_size(settings.shard_size, found.source.geometry.bins * len(found.tracks))
    regions = read_regions(settings.regions, found.genome)
    return TileRequest(**{**vars(found), "settings": settings}, regions=regions)


def _check_shard_size(shard_size: int | None, values: int) -> None:
    most = _MOST_VALUES // values
    if shard_size is not None and shard_size > most:
        raise InputError(
            f"--shard-size {shard_size}: a tile has {values:,} values, and a shard's file at most {_MOST_VALUES:,}. "
            f"Give at most {most}, or leave it out."
        )


def _make_run(request: TileRequest) -> tuple[Run, Plan]:
    request.source.build(
        torch.device("cpu")
    )  # refuses weights that do not fit, before anything is written
    tiles = tiles_of(request.genome, request.regions, request.source.geometry)
    if not tiles.num_rows:
        raise InputError(
            f"{request.genome.path}: its contigs have no bases. There is nothing to predict."
        )
    drafted = draft_tiles(tiles, request.shard_size(tiles.num_rows))
    counts = {"tiles": tiles.num_rows}
    return put_run(request, drafted, identity=_identity(request, tiles.num_rows), counts=counts)


def _identity(request: TileRequest, tiles: int) -> dict[str, Any]:
    """Everything that decides the values of a run. Regions count by the bases that they come to."""
    asked = {contig: intervals.tolist() for contig, intervals in request.regions.items()}
    return {
        **request.identity(TILES, request.regions),
        "geometry": asdict(request.source.geometry),
        "strands": request.strands,
        "regions": {
            "bases": sum(
                int((intervals[:, 1] - intervals[:, 0]).sum())
                for intervals in request.regions.values()
            ),
            "sha256": sha256(canonical_json(asked)),
        },
        "shard_size": request.shard_size(tiles),
    }


def _factory(request: TileRequest, ledger: Ledger) -> TilingFactory:
    return TilingFactory(
        **request.loading(),
        strands=request.strands,
        ledger=ledger,
    )


def _report(request: TileRequest, manifest: Mapping[str, Any]) -> int:
    print_counts(manifest, TILES)
    print(f"{manifest['table_rows']['predictions']:,} bins")
    out = request.settings.out
    print(f"output: {request.store.location}")
    print(
        f"ask it: enformer-ray query {out} 'FROM predictions SELECT chrom, start, values[1] ORDER BY ALL LIMIT 10'"
    )
    return exit_code(manifest)
