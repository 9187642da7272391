"""What `enformer-ray evaluate tracks` holds against each other: measured tracks, and who predicts them where."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType

from enformer_core.analyses.model_inputs import (
    check_strands,
    genome_named,
    located,
    tracks_named,
)
from enformer_core.analyses.named_weights import located_weights
from enformer_core.analyses.tiles import tiles_of
from enformer_core.dataset.progress import run_progress
from enformer_core.dataset.run_tracks import chosen_tracks
from enformer_core.errors import InputError
from enformer_core.evaluate.measured_bigwigs import BigwigTracks, read_measured_tracks
from enformer_core.evaluate.published_set import (
    PublishedSet,
    is_published_set,
    open_published_set,
)
from enformer_core.evaluate.track_region import TrackRegion
from enformer_core.evaluate.track_sources import (
    PREDICTIONS,
    Predict,
    check_fit,
    regions_of_run,
    regions_of_set,
    regions_of_tiles,
)
from enformer_core.evaluate.window_predictions import WindowPredictor
from enformer_core.export.run_input import run_genome
from enformer_core.genome.bigwig_library import import_pybigwig
from enformer_core.genome.fasta import Genome
from enformer_core.genome.regions import read_regions
from enformer_core.machine import device_here
from enformer_core.models.registry import ModelSource, model_spec
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Tracks
from enformer_core.user_path import named_as_given
from enformer_core.variants.table import Status
from enformer_core.words import counted
from jobs.evaluate_tracks_settings import EvaluateTracksSettings
from jobs.finished_run import open_ledger
from jobs.log import note

_INSTEAD = "give a published set of TFRecords"


@dataclass(frozen=True)
class Compared:
    """What is judged.

    Attributes:
        regions: with predicted and measured tracks, of which one is in memory at a time.
        tracks: those that are judged.
        genome: that the regions are of; None where a set's own sequences are read.
        predicted_by: the model, or the run.
        measured: what was measured, in words.
        read: files and directories that nothing may be written over.
    """

    regions: Iterator[TrackRegion]
    tracks: Tracks
    genome: Genome | None
    predicted_by: str
    measured: str
    read: tuple[str, ...]


@dataclass(frozen=True)
class _Model:
    """The model that predicts, and its tracks before any are chosen."""

    settings: EvaluateTracksSettings
    source: ModelSource = field(init=False)
    tracks: Tracks = field(init=False)

    def __post_init__(self) -> None:
        settings = self.settings
        if settings.model is None:
            raise InputError("who predicts? Give --model and --weights, or beside bigWigs --run")
        weights = located_weights(settings.weights)
        params = located(settings.params)
        source = ModelSource(settings.model, weights, given=settings.weights, params=params)
        tracks = tracks_named(source, settings.head, settings.targets)
        check_strands(source.spec, tracks, settings.strands)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "tracks", tracks)

    def predict(self, chosen: Tracks) -> Predict:
        """What predicts the chosen tracks of a window; loads the model."""
        import torch

        device = torch.device(device_here(self.settings.device))
        columns = tuple(chosen.indices())
        opposite = None
        if self.settings.strands == "both":
            opposite = chosen.strand_pairs() or columns
        network = self.source.build(device)
        return WindowPredictor(network, self.settings.head, columns, device, opposite).predict


@contextmanager
def compared(settings: EvaluateTracksSettings) -> Iterator[Compared]:
    """Find what the settings name.

    Raises:
        InputError: for what is absent, does not fit, or contradicts itself.
    """
    if is_published_set(settings.measured):
        yield _beside_set(settings)
        return
    if settings.tracks is not None:
        raise InputError(f"--tracks: {settings.measured} names the tracks that are judged")
    library = import_pybigwig("read", _INSTEAD)
    found = _run_beside_bigwigs if settings.run is not None else _model_beside_bigwigs
    with found(library, settings) as each:
        yield each


def _beside_set(settings: EvaluateTracksSettings) -> Compared:
    """A published set, whose sequences a model is asked for."""
    if settings.run is not None:
        raise InputError(
            f"--run {settings.run}: bins of a run lie on a grid of the genome, those of {settings.measured} do not. "
            "Give --model and --weights."
        )
    if settings.regions is not None:
        raise InputError("--regions: a published set has its own; choose some by --split")
    published = open_published_set(settings.measured, settings.split)
    model = _Model(settings)
    _check_tracks(published, model.tracks)
    chosen, notes = select_tracks(model.tracks, settings.tracks)
    for line in notes:
        note(line)
    genome = None if settings.genome is None else genome_named(settings.genome)
    geometry = model.source.geometry
    check_fit(published, geometry, has_genome=genome is not None)
    columns = tuple(chosen.indices())
    predict = model.predict(chosen)
    regions = regions_of_set(published, geometry, predict, columns, genome)
    measured = f"{settings.measured}, split {settings.split}"
    return Compared(
        regions,
        chosen,
        genome,
        f"{model.source.name} ({settings.head})",
        measured,
        (settings.measured,),
    )


def _check_tracks(published: PublishedSet, tracks: Tracks) -> None:
    if published.tracks != tracks.head_size:
        raise InputError(
            f"{published.folder}: has {counted(published.tracks, 'tracks')}, the {tracks.head} head "
            f"{tracks.head_size:,}. Choose another --head, or the set that the model was trained on."
        )


@contextmanager
def _model_beside_bigwigs(
    library: ModuleType, settings: EvaluateTracksSettings
) -> Iterator[Compared]:
    if settings.genome is None:
        raise InputError("--genome: is needed to predict beside bigWigs; or give --run")
    model = _Model(settings)
    measured = read_measured_tracks(located(settings.measured), model.tracks)
    genome = genome_named(settings.genome)
    path = located(settings.regions)
    with named_as_given(path, settings.regions):
        regions = read_regions(path, genome)
    tiles = tiles_of(genome, regions, model.source.geometry)
    rows = [tile for tile in tiles.to_pylist() if tile["status"] == Status.OK]
    with BigwigTracks(
        library,
        measured.files,
        dict(genome.contigs),
        called=genome.called,
        gaps=settings.gaps,
    ) as bigwigs:
        predict = model.predict(measured.tracks)
        predicted = regions_of_tiles(rows, genome, model.source.geometry, predict, bigwigs)
        by = f"{model.source.name} ({settings.head})"
        yield Compared(predicted, measured.tracks, genome, by, settings.measured, measured.files)


@contextmanager
def _run_beside_bigwigs(
    library: ModuleType, settings: EvaluateTracksSettings
) -> Iterator[Compared]:
    _refuse_beside_run(settings)
    ledger = open_ledger(str(settings.run))
    if PREDICTIONS not in ledger.run_type.tables:
        raise InputError(
            f"{settings.run}: a run of {ledger.run_type.unit}; tracks along the genome come from `enformer-ray tiles`"
        )
    progress = run_progress(ledger)
    if not progress.finished:
        note(f"{settings.run}: is not finished; what it has not come to is left out")
    failed = progress.by_status.get(Status.FAILED, 0)
    if failed:
        note(f"{settings.run}: {counted(failed, 'tiles')} failed, and are left out")
    genome = run_genome(ledger, settings.genome)
    if genome is None:
        raise InputError(
            f"{settings.run}: its genome is not at its place, or is another one; name it by --genome FILE"
        )
    every = chosen_tracks(ledger, None)
    measured = read_measured_tracks(located(settings.measured), every.tracks)
    chosen = every.of_indices(measured.tracks.indices())
    geometry = model_spec(progress.model).config.geometry
    lengths = dict(genome.contigs)
    with BigwigTracks(
        library, measured.files, lengths, called=genome.called, gaps=settings.gaps
    ) as bigwigs:
        regions = regions_of_run(ledger, chosen, geometry, lengths, bigwigs)
        yield Compared(
            regions,
            measured.tracks,
            genome,
            str(settings.run),
            settings.measured,
            measured.files,
        )


def _refuse_beside_run(settings: EvaluateTracksSettings) -> None:
    """Options of a model that predicts now say nothing of a run."""
    given = {
        "--model": settings.model,
        "--weights": settings.weights,
        "--params": settings.params,
        "--targets": settings.targets,
        "--regions": settings.regions,
    }
    for option, value in given.items():
        if value is not None:
            raise InputError(f"{option}: is the run's own; leave it out, or leave out --run")
