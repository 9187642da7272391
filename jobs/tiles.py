"""`enformer-ray tiles`: plan the tiles of the genome, predict them in shards, say what came of it."""

from enformer_core.analyses.model_inputs import check_strands, located
from enformer_core.analyses.tiles import Tiles
from enformer_core.errors import InputError
from enformer_core.genome.regions import read_regions
from enformer_core.user_path import named_as_given
from jobs.named_inputs import find_inputs
from jobs.settings import TileSettings

_MOST_VALUES = 2**31 - 1  # Arrow counts the values of a list column by 32 bits


def predict_tiles(settings: TileSettings) -> int:
    """Predict every bin that is asked for; the same command again continues, or finds the run complete.

    Returns:
        The exit code.

    Raises:
        InputError: for anything that cannot work, before it costs anything.
    """
    named = find_inputs(settings)
    check_strands(named.source.spec, named.tracks, settings.strands)
    geometry = named.source.geometry
    check_shard_size(settings.shard_size, "a tile", geometry.bins * len(named.tracks))
    path = located(settings.regions)
    with named_as_given(path, settings.regions):
        regions = read_regions(path, named.genome)
    analysis = Tiles(
        inputs=named.inputs,
        geometry=geometry,
        genome=named.genome,
        regions=regions,
        strands="forward" if settings.strands == "forward" else "both",
        shard_size=settings.shard_size,
    )
    job = named.job(analysis)
    return job.report(job.run())


def check_shard_size(shard_size: int | None, unit: str, values: int) -> None:
    """Refuse shards with more values than a table's file can have.

    Args:
        shard_size: as it was asked for.
        unit: what there are so many of in a shard.
        values: of one of them.

    Raises:
        InputError: naming the size, and the largest that there can be.
    """
    most = _MOST_VALUES // values
    if shard_size is not None and shard_size > most:
        raise InputError(
            f"--shard-size {shard_size}: {unit} has {values:,} values, and a shard's file at most "
            f"{_MOST_VALUES:,}. Give at most {most}, or leave it out."
        )
