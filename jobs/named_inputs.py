"""What the settings of every run name, found and checked before anything costs anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from enformer_core.analyses.base import Analysis
from enformer_core.analyses.model_inputs import (
    ModelInputs,
    check_tokens_are_bins,
    tracks_named,
)
from enformer_core.analyses.named_weights import (
    check_replicates,
    model_source,
    replicates_sha256,
    weights_named,
)
from enformer_core.dataset.find_run import check_outside_runs
from enformer_core.dataset.keys import MANIFEST_KEY, RUN_KEY
from enformer_core.genome.fasta import Genome
from enformer_core.models.registry import ModelSource
from enformer_core.models.tracks.selector import select_tracks
from enformer_core.models.tracks.table import Tracks
from enformer_core.storage.open import open_store
from enformer_core.storage.store import Store
from jobs.job import Job
from jobs.log import note
from jobs.resources import check_device, choose_workers
from jobs.settings import RunSettings


@dataclass(frozen=True)
class NamedInputs:
    """Model, tracks, genome and output of a run.

    Attributes:
        settings: of the command.
        source: the model and its weights; of several replicates the first.
        tracks: those that were selected.
        inputs: the same by name, as workers are sent them.
        genome: opened.
        store: where the run lies or will lie.
    """

    settings: RunSettings
    source: ModelSource
    tracks: Tracks
    inputs: ModelInputs
    genome: Genome
    store: Store

    @property
    def replicates(self) -> int:
        """Of how many models the mean is asked for."""
        return max(1, len(self.inputs.replicates))

    def job(self, analysis: Analysis, *, groups: Sequence[str] = ()) -> Job:
        """The run of an analysis with these inputs.

        Args:
            analysis: what is computed.
            groups: which tracks each group has, in words.
        """
        return Job(
            settings=self.settings,
            analysis=analysis,
            tracks=self.tracks,
            store=self.store,
            choose_workers=partial(choose_workers, self.settings, self.source, self.replicates),
            notice=self.source.notice,
            groups=groups,
        )


def find_inputs(
    settings: RunSettings, *, tokens_are_bins: bool = False, averages: bool = False
) -> NamedInputs:
    """Find what the settings of every run name.

    Args:
        settings: of the command.
        tokens_are_bins: whether it reads models alone whose tokens are their bins.
        averages: whether it takes several replicates of a model.

    Raises:
        InputError: naming what is missing or does not fit.
    """
    check_device(settings)
    names: tuple[str | None, ...] = (settings.weights,)
    if averages and settings.weights is not None:
        names = weights_named(settings.weights)
    sources = [model_source(settings.model, name, settings.params) for name in names]
    source = sources[0]
    # each file's own: it may be of another head
    table, *_ = [tracks_named(each, settings.head, settings.targets) for each in sources]
    if tokens_are_bins:
        check_tokens_are_bins(source.spec, table)
    tracks, notes = select_tracks(table, settings.tracks)
    for line in notes:
        note(line)
    check_outside_runs(settings.out)
    store = open_store(settings.out, single_writer=settings.single_writer)
    store.check_usable(RUN_KEY, MANIFEST_KEY)
    digests = [each.weights_sha256() for each in sources]
    several = tuple(name for name in names if name is not None) if len(names) > 1 else ()
    check_replicates(several, digests if several else ())
    inputs = ModelInputs(
        model=source.name,
        weights=settings.weights,
        weights_sha256=replicates_sha256(digests),
        head=settings.head,
        tracks=tuple(tracks.indices()),
        genome=settings.genome,
        strand_pairs=tracks.strand_pairs(),
        params=settings.params,
        replicates=several,
    )
    return NamedInputs(
        settings=settings,
        source=source,
        tracks=tracks,
        inputs=inputs,
        genome=inputs.open_genome(),
        store=store,
    )
