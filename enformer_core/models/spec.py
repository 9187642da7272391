"""What a model's own file says of it: everything that the rest of the program asks of a model.

To add one: a module `NAME_spec` beside this one with its config and `SPEC`, which loads no torch; a module with its
`Network`; a line in this folder's `__init__`; and, where its weights are published in a format of their own, a mapping
in `weights`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from enformer_core.errors import InputError, nearest
from enformer_core.models.config import ModelConfig
from enformer_core.models.tracks.table import HeadLayout, Tracks, unnamed_tracks
from enformer_core.models.tracks.targets import read_targets
from enformer_core.models.weights.huggingface import load_named
from enformer_core.models.weights.keras import KerasLayers
from enformer_core.models.weights.loaded import LoadedWeights
from enformer_core.models.weights.mappings import WeightsMappings
from enformer_core.models.weights.source import WeightsContent
from enformer_core.models.weights.tensor_files import NamedTensors
from enformer_core.models.weights.tensorflow.tensor_bundle import TensorBundle

if TYPE_CHECKING:
    from torch import Tensor

    from enformer_core.models.base import HeadedNetwork
else:
    # to look at a spec, plan with it or name its tracks takes no torch, which takes seconds to load
    HeadedNetwork = Tensor = Any

Config = TypeVar("Config", bound=ModelConfig)


@dataclass(frozen=True)
class PassOperations:
    """Floating-point operations of one pass over one window; a multiplication and an addition are two.

    Attributes:
        tower: from bases to tokens.
        after_tower: from tokens to tracks.
    """

    tower: int
    after_tower: int

    @property
    def total(self) -> int:
        """Operations of a pass from bases to tracks."""
        return self.tower + self.after_tower

    def times(self, passes: int) -> "PassOperations":
        """Those of so many passes, as several replicates of a model take them."""
        return PassOperations(passes * self.tower, passes * self.after_tower)


@dataclass(frozen=True)
class Operations:
    """What a pass takes, as it was counted on the model's graph; a test counts again.

    Attributes:
        tower: operations from bases to tokens.
        trunk: from tokens to the embedding that the heads read.
        track: from there to one track.
    """

    tower: int
    trunk: int
    track: int


@dataclass(frozen=True)
class Demonstration:
    """A model with parameters of its own, made by hand to show how things work.

    Attributes:
        make: the model with its parameters.
        tracks: names of a head's tracks.
        notice: what every output says.
        weights_sha256: digest of the parameters, which a test computes again; None where it is computed each time.
    """

    make: Callable[[], HeadedNetwork]
    tracks: Callable[[str], Tracks]
    notice: str
    weights_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Generic[Config]):
    """One model.

    Attributes:
        name: what `--model` calls it.
        config: its sizes, with every head that it may have.
        network: makes the network of a config.
        worker_memory_bytes: host memory that a worker with this model takes, and is held to where it can choose.
        heads: what is known of its heads without a targets table, by their names.
        weights: what its parameters are called in files.
        one_head_per_file: whether a file of weights may hold one of several heads.
        read_params: reads the sizes of a model of this family from the file that it was trained by; None where there
            is one size.
        sizes_from: the file that these sizes were read from; None for those of the published model.
        stranded: whether tracks may be of one strand, so that a reverse complement's must be exchanged.
        demonstration: its own parameters, where it needs no file of weights.
        operations: of a pass; None where they are counted on the graph each time, which takes torch.
    """

    name: str
    config: Config
    network: Callable[[Config], HeadedNetwork]
    worker_memory_bytes: int
    heads: Mapping[str, HeadLayout] = field(default_factory=dict)
    weights: WeightsMappings = field(default_factory=WeightsMappings)
    one_head_per_file: bool = False
    read_params: Callable[[str], Config] | None = None
    sizes_from: str | None = None
    stranded: bool = False
    demonstration: Demonstration | None = None
    operations: Operations | None = None

    def of_params(self, path: str | None) -> "ModelSpec[Config]":
        """The model in the sizes that a file says; in its own where there is none.

        Raises:
            InputError: where it has one size, or the file does not say sizes that are known.
        """
        if path is None:
            return self
        if self.read_params is None:
            raise InputError(f"model {self.name} has one size; leave out --params {path}")
        # operations were counted on the published sizes
        return replace(self, config=self.read_params(path), operations=None, sizes_from=path)

    @property
    def sizes_remedy(self) -> str:
        """What is said first where something has other sizes, of a family whose sizes nobody gave; else nothing."""
        if self.read_params is None or self.sizes_from is not None:
            return ""
        return (
            f"Without --params the sizes are those of the published {self.name}: for another model of its family "
            "give --params with the file that it was trained by. "
        )

    def empty_network(self, output_tracks: Mapping[str, int] | None = None) -> HeadedNetwork:
        """The network without memory for its parameters, to be filled or to be asked for names and shapes.

        Args:
            output_tracks: number of tracks of each head, where these are not all heads.
        """
        config = self.config
        if output_tracks is not None:
            config = replace(config, output_tracks=output_tracks)
        import torch  # noqa: PLC0415

        with torch.device("meta"):
            return self.network(config)

    def load(self, content: WeightsContent) -> LoadedWeights:
        """Tensors of any format under this model's names; whether they fit is not checked yet.

        Raises:
            InputError: where the model has no weights in this format, or the content is damaged or incomplete.
        """
        mappings = self.weights
        # A format that the model has no mapping for falls through to the error below.
        match content.tensors:
            case NamedTensors() as tensors:
                return load_named(tensors, mappings.names)
            case TensorBundle() as bundle if mappings.sonnet:
                return mappings.sonnet.load(bundle)
            case KerasLayers() as layers if mappings.keras:
                heads = self.config.output_tracks
                return mappings.keras.load(
                    layers, heads, lambda head: self.empty_network({head: heads[head]})
                )
        raise InputError(
            f"{content.source}: {content.format}, in which weights of {self.name} are not read. "
            "`enformer-ray docs weights` says where the published ones are."
        )

    def published_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Parameters by the names that they have in files, which stay when our modules are arranged anew."""
        return {self.weights.names.published(name): tensor for name, tensor in state.items()}

    def held_heads(self, state: Mapping[str, Tensor]) -> dict[str, int]:
        """The heads that parameters hold: all, where a file always does, with their numbers of tracks."""
        heads = self.config.output_tracks
        # Where files hold all heads, a missing one is told with its names when the parameters are checked.
        if not self.one_head_per_file:
            return dict(heads)
        return {head: tracks for head, tracks in heads.items() if f"heads.{head}.bias" in state}

    def tracks(self, head: str, targets: str | None = None) -> Tracks:
        """The table of a head's tracks, without weights; `targets` is the path or address of the published one.

        Raises:
            InputError: for a head that the model has not, or a targets table that does not fit it.
        """
        counts = self.config.output_tracks
        if head not in counts:
            raise InputError(f"model {self.name} has no head {head!r}{nearest(head, counts)}")
        # Its tracks are what its makers say they are, with names; a table could only contradict them.
        if self.demonstration:
            if targets:
                raise InputError(
                    f"model {self.name} has tracks of its own; leave out --targets {targets}"
                )
            return self.demonstration.tracks(head)
        if targets:
            return read_targets(
                targets,
                head=head,
                count=counts[head],
                layouts=self.heads,
                sizes_remedy=self.sizes_remedy,
            )
        return unnamed_tracks(head, counts[head], self.heads.get(head, HeadLayout()))

    def pass_operations(self, head: str, tracks: Sequence[int]) -> PassOperations:
        """Operations of one pass over one window; only products and convolutions count."""
        stated = self.operations
        if stated is None:
            return self.count_operations(head, tracks)
        return PassOperations(stated.tower, stated.trunk + len(tracks) * stated.track)

    def count_operations(self, head: str, tracks: Sequence[int]) -> PassOperations:
        """The same, counted on the model's graph; nothing is computed."""
        import torch  # noqa: PLC0415
        from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415

        # On the meta device shapes go through the graph, and no numbers: it takes no memory and hardly any time.
        model = self.empty_network().eval()
        columns = torch.zeros(len(tracks), dtype=torch.int64, device="meta")
        one_hot = torch.zeros(1, self.config.geometry.window_bp, 4, device="meta")
        with torch.inference_mode():
            with FlopCounterMode(display=False) as tower:
                model.tokens(one_hot)
            with FlopCounterMode(display=False) as everything:
                model(one_hot, head, columns)
        tower_flops = tower.get_total_flops()
        return PassOperations(tower_flops, everything.get_total_flops() - tower_flops)
