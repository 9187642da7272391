"""The model and the genome of a run: by name for whoever sends them, loaded for whoever computes."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

from msgspec import UNSET

from enformer_core.analyses.base import WorkerResources
from enformer_core.analyses.named_weights import (
    check_parameters,
    model_source,
    replicates_sha256,
)
from enformer_core.dataset.codec import canonical_json
from enformer_core.dataset.digests import sha256
from enformer_core.dataset.run import ModelIdentity, ReferenceIdentity, TracksIdentity
from enformer_core.errors import InputError
from enformer_core.freed_memory import keep_freed_memory
from enformer_core.genome.fasta import Genome
from enformer_core.models.tracks.squashing import SUM_STATS, Form, Squashing
from enformer_core.storage.open import local_path
from enformer_core.storage.web import READERS
from enformer_core.user_path import named_as_given

if TYPE_CHECKING:
    import torch

    from enformer_core.models.base import SequenceModel
    from enformer_core.models.registry import ModelSource
    from enformer_core.models.spec import ModelSpec
    from enformer_core.models.tracks.table import Tracks


_NOTHING_PLANNED: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class LoadedModel:
    """A model where it computes, and the genome that it reads.

    Attributes:
        network: the model with its parameters.
        genome: the reference.
        device: where the model is.
        head: which head is asked for.
        tracks: columns of the head; None where all are asked for.
        track_count: how many are asked for.
        is_demonstration: whether its parameters are set by hand. They are larger than trained ones, and 16 bits lose a
            tenth of some effects: such a model is small enough for float32 everywhere.
        strand_pairs: of each track the column in which a reverse complement has it; None where strands are alike.
        squashings: of each track how its data were squashed for training; None where nobody asks.
    """

    network: "SequenceModel"
    genome: Genome
    device: "torch.device"
    head: str
    tracks: tuple[int, ...] | None
    track_count: int
    is_demonstration: bool = False
    strand_pairs: tuple[int, ...] | None = None
    squashings: tuple[Squashing, ...] | None = None


@dataclass(frozen=True)
class ModelInputs:
    """What every run names; small enough to be sent, and found anew by each node.

    Attributes:
        model: its name.
        weights: as the user named them; None for a model that has its own.
        weights_sha256: of what the driver has found under that name.
        head: which head.
        tracks: its columns.
        genome: as the user named it.
        strand_pairs: of each track the column in which a reverse complement has it; None where strands are alike.
        params: the file of the model's sizes, as the user named it; None for the published ones.
        squashings: of each track how its data were squashed for training, which is undone; None where it is not.
        replicates: each of several weights whose mean is asked for, as the user named it; none where there is one.
    """

    model: str
    weights: str | None
    weights_sha256: str
    head: str
    tracks: tuple[int, ...]
    genome: str
    strand_pairs: tuple[int, ...] | None = None
    params: str | None = None
    squashings: tuple[Squashing, ...] | None = None
    replicates: tuple[str, ...] = ()

    def source(self) -> "ModelSource":
        """The model and its weights on this node; for runs that take no replicates."""
        return model_source(self.model, self.weights, self.params)

    def sources(self) -> tuple["ModelSource", ...]:
        """The model with each of its weights on this node."""
        names = self.replicates or (self.weights,)
        return tuple(model_source(self.model, name, self.params) for name in names)

    def open_genome(self) -> Genome:
        """The genome as this node has it, brought here if it lies in object storage."""
        return genome_named(self.genome)

    def load(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str] = _NOTHING_PLANNED
    ) -> LoadedModel:
        """Load the model, computing as this worker should.

        What lies in object storage is brought to this node once; its workers share it.

        Args:
            resources: what the worker may use.
            planned_contigs: sha256 of each contig that a run reads; none where no run is planned.

        Raises:
            InputError: when this node finds other weights, or another genome, under the names than the driver did.
        """
        (loaded,) = self.load_all(resources, planned_contigs)
        return loaded

    def load_all(
        self, resources: WorkerResources, planned_contigs: Mapping[str, str] = _NOTHING_PLANNED
    ) -> tuple[LoadedModel, ...]:
        """Each replicate, loaded as `load` does it; the one model, where there is one.

        Args:
            resources: what all of them may use together.
            planned_contigs: as of `load`.

        Raises:
            InputError: as of `load`.
        """
        sources = self.sources()
        digest = replicates_sha256([source.weights_sha256() for source in sources])
        check_same_file(self.weights or self.model, digest, self.weights_sha256)
        genome = self.open_genome()
        check_same_contigs(genome, planned_contigs)
        pairs = self.strand_pairs
        loaded = (
            load_model(source, genome, self.head, self.tracks, resources, strand_pairs=pairs)
            for source in sources
        )
        return tuple(replace(each, squashings=self.squashings) for each in loaded)

    def check_weights(self) -> None:
        """Refuse weights that do not fit, and replicates that are the same, before anything is written.

        Raises:
            InputError: naming what does not fit.
        """
        check_parameters(self.sources())

    @property
    def model_identity(self) -> ModelIdentity:
        """Which model predicts, as `run.json` has it."""
        replicates = len(self.replicates) or UNSET
        return ModelIdentity(self.model, self.weights_sha256, self.head, replicates)

    @property
    def tracks_identity(self) -> TracksIdentity:
        """Which tracks are computed, for `run.json`."""
        return tracks_identity(self.tracks, self.strand_pairs, self.squashings)

    def reference_identity(self, contigs: Iterable[str]) -> ReferenceIdentity:
        """Which genome is read: its names and lengths, and the letters of some contigs."""
        genome = self.open_genome()
        lengths = dict(genome.contigs)
        return ReferenceIdentity(
            contigs=len(lengths),
            names_and_lengths_sha256=sha256(canonical_json(lengths)),
            sha256={name: genome.sha256(name) for name in contigs if name in lengths},
        )


def tracks_identity(
    tracks: Sequence[int],
    strand_pairs: Sequence[int] | None = None,
    squashings: Sequence[Squashing] | None = None,
) -> TracksIdentity:
    """Which tracks are computed, for `run.json`: their columns of the head, and what decides values beside them.

    Args:
        tracks: the columns.
        strand_pairs: of each the column that has it on the other strand, where there are such.
        squashings: of each what is undone, where anything is.
    """
    # runs of before have no more than they needed: their identity must stay
    columns: object = tracks if strand_pairs is None else [tracks, strand_pairs]
    if squashings is not None:
        columns = [columns, [asdict(one) for one in squashings]]
    return TracksIdentity(len(tracks), sha256(canonical_json(columns)))


def load_model(
    source: "ModelSource",
    genome: Genome,
    head: str,
    tracks: tuple[int, ...],
    resources: WorkerResources,
    *,
    strand_pairs: tuple[int, ...] | None = None,
) -> LoadedModel:
    """Load a model into this process, which computes with the threads of `resources` from then on.

    On CPUs the process also keeps the memory that it frees, see `freed_memory`.

    Args:
        source: the model and its weights on this node.
        genome: what it reads.
        head: which head.
        tracks: its columns, ascending.
        resources: what it may use.
        strand_pairs: as `ModelInputs` has them.
    """
    import torch  # noqa: PLC0415

    # the number of threads decides the order of sums, and so the last digits
    torch.set_num_threads(resources.cpus)
    device = torch.device(resources.device)
    if device.type == "cpu":
        keep_freed_memory()
    # engines spare the selection of columns where nothing is left out
    every_track = tuple(range(source.output_tracks[head]))
    return LoadedModel(
        network=source.build(device),
        genome=genome,
        device=device,
        head=head,
        tracks=None if tracks == every_track else tracks,
        track_count=len(tracks),
        is_demonstration=source.demonstration,
        strand_pairs=strand_pairs,
    )


def check_tokens_are_bins(spec: "ModelSpec[Any]", tracks: "Tracks") -> None:
    """Refuse a model that `links` and `insulators` cannot read.

    Args:
        spec: of the model.
        tracks: of its head.

    Raises:
        InputError: saying what can be asked instead.
    """
    bins = spec.config.geometry.bins_per_token
    if bins != 1:
        raise InputError(
            f"model {spec.name}: `links` and `insulators` read models whose tokens are their bins, and of this one a "
            f"token becomes {bins}. Contributions and attention at targets are to be had by `enformer-ray attribute`, "
            "what a change does by `score`."
        )
    if tracks.strand_pairs() is not None:
        raise InputError(
            "the table of --targets has pairs of strands (strand_pair), which links and insulators do not exchange so "
            "far: use `enformer-ray attribute` or `score`, or a table without that column for tracks of both strands."
        )


def check_strands(spec: "ModelSpec[Any]", tracks: "Tracks", strands: str) -> None:
    """Refuse to average strands where it is not known which tracks measure one of them.

    Raises:
        InputError: saying what tells it.
    """
    if spec.stranded and strands == "both" and tracks.strand_pairs() is None:
        raise InputError(
            f"--strands both: tracks of {spec.name} may be of one strand, and of a reverse complement they are the "
            "other strand's. Give --targets with the published table, whose column strand_pair says which, or "
            "--strands forward."
        )


def squashings_undone(tracks: "Tracks", unsquash: Form | None) -> tuple[Squashing, ...] | None:
    """Of each track what is undone of its predictions; None where nothing is.

    Raises:
        InputError: where the table of tracks does not say what there is to undo.
    """
    if unsquash is None:
        return None
    squashings = tracks.squashings()
    if squashings is None:
        raise InputError(
            f"--unsquash {unsquash}: the table of tracks does not say how their data were squashed for training. Give "
            "--targets a published table with the columns clip_soft, scale and sum_stat, or leave --unsquash out."
        )
    for index, squashing in zip(tracks.indices(), squashings, strict=True):
        if squashing.sum_stat not in SUM_STATS:
            raise InputError(
                f"--unsquash {unsquash}: track {index} has sum_stat {squashing.sum_stat!r} in the table of --targets, "
                f"and known is how to undo {', '.join(SUM_STATS)}. Name it so, or leave --unsquash out."
            )
    return squashings


def check_same_contigs(genome: Genome, planned: Mapping[str, str]) -> None:
    """Refuse a genome that is another one on this node than where the run was planned.

    The digests are known to the cache of base codes, so that this costs nothing.

    Args:
        genome: as this node has it.
        planned: sha256 of each contig that the run reads.

    Raises:
        InputError: naming this node, the file, the contig, and both digests.
    """
    here = genome.contigs
    for contig, digest in planned.items():
        found = genome.sha256(contig) if contig in here else "of no such contig"
        check_same_file(f"{genome.called}: contig {contig}", found, digest)


def check_same_file(name: str, found: str, planned: str) -> None:
    """Refuse a file that is another one on this node than where the run was planned.

    Raises:
        InputError: naming this node, the file, and both digests.
    """
    if found != planned:
        raise InputError(
            f"{name}: sha256 is {found} on {platform.node()}, and {planned} where the run was "
            "planned. Give every node the same file."
        )


def located_targets(name: str | None) -> str | None:
    """A path on this node of the table of tracks that the user named, or an address that is read as it is."""
    return None if name is None else local_path(name, also=tuple(READERS))


@runtime_checkable
class _HasTracks(Protocol):
    """A model, with its weights or without."""

    def tracks(self, head: str, targets: str | None = None) -> "Tracks":
        """The table of a head's tracks; `targets` is the path or address of the published one."""
        ...


def tracks_named(model: _HasTracks, head: str, targets: str | None) -> "Tracks":
    """The table of a head's tracks by the published one that the user named; messages call that so.

    Raises:
        InputError: as the model's own `tracks`, or for an address that nothing reads.
    """
    path = located_targets(targets)
    with named_as_given(path, targets):
        return model.tracks(head, path)


def genome_named(name: str) -> Genome:
    """The genome that the user named, on this node; messages call it so.

    Raises:
        InputError: where there is none.
    """
    return Genome(located(name), given=name)


@overload
def located(name: str) -> str: ...
@overload
def located(name: None) -> None: ...
def located(name: str | None) -> str | None:
    """A path on this node of what the user named.

    Raises:
        InputError: for an address that nothing reads.
    """
    return None if name is None else local_path(name)
