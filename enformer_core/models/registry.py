"""The models by name: their sizes, where their parameters come from, and what their tracks are called.

The only place that knows all of them. Does not know what is scored with them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from enformer_core.errors import InputError, nearest
from enformer_core.models.base import SequenceModel
from enformer_core.models.basenji2 import Basenji2, Basenji2Config
from enformer_core.models.enformer import Enformer, EnformerConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.motif import motif_config, motif_model, motif_tracks
from enformer_core.models.tracks.table import Tracks, builtin_tracks
from enformer_core.models.tracks.targets import read_targets
from enformer_core.models.weights.check import file_sha256, load_parameters, state_sha256
from enformer_core.models.weights.keras import PUBLISHED, config_of
from enformer_core.models.weights.source import Weights, read_weights, weight_files

Config = EnformerConfig | Basenji2Config
Network = Enformer | Basenji2


@dataclass(frozen=True)
class Record:
    """What the registry knows of a model.

    Attributes:
        config: makes its sizes, with every head that it may have.
        network: makes the module of a config.
        own: makes the model with parameters of its own, where it needs no file of weights.
        held: the config with the heads that parameters have, where a file of weights may hold one head of several.
    """

    config: Callable[[], Config]
    network: Callable[[Any], Network]
    own: Callable[[], Network] | None = None
    held: Callable[[Mapping[str, Tensor], Any], Config] | None = None


RECORDS = {
    "enformer": Record(EnformerConfig, Enformer),
    "basenji2": Record(lambda: PUBLISHED, Basenji2, held=config_of),
    "motif": Record(motif_config, Enformer, own=motif_model),
}
MODELS = tuple(RECORDS)

DEMONSTRATION = (
    "DEMONSTRATION MODEL: weights set by hand from textbook motifs, not trained on data. "
    "Its scores show how this program works and say nothing about gene regulation."
)


@dataclass(frozen=True)
class ModelSource:
    """A model and the file of its weights; small, so that it can be sent to a worker that builds the model.

    Attributes:
        name: one of `MODELS`.
        weights: path (or `hf://` address) of weights in any format that `weights.source` reads; None for `motif`, which
            has its own.

    Raises:
        InputError: for an unknown name, or weights missing where they are needed or given where they are not.
    """

    name: str
    weights: str | None = None

    def __post_init__(self) -> None:
        model_config(self.name)
        if self.demonstration and self.weights is not None:
            raise InputError(
                f"model {self.name} makes its own weights; leave out --weights {self.weights}"
            )
        if not self.demonstration and self.weights is None:
            raise InputError(
                f"model {self.name} needs --weights FILE; docs/weights.md says where the published ones are. "
                "To try the program without, use --model motif."
            )

    @property
    def _record(self) -> Record:
        return RECORDS[self.name]

    @property
    def demonstration(self) -> bool:
        """Whether the model is made by hand to show how things work."""
        return self._record.own is not None

    @property
    def notice(self) -> str | None:
        """What every output of a demonstration says."""
        return DEMONSTRATION if self.demonstration else None

    @property
    def config(self) -> Config:
        """Sizes and all heads that the model may have, without building it or looking into its weights."""
        return model_config(self.name)

    @property
    def geometry(self) -> Geometry:
        """The window read and the bins predicted."""
        return self.config.geometry

    @property
    def output_tracks(self) -> Mapping[str, int]:
        """Number of tracks of each head that the model may have; a file may hold one of them only."""
        return self.config.output_tracks

    def build(self, device: torch.device) -> SequenceModel:
        """The model with its parameters, for inference on `device`.

        Raises:
            InputError: when the weights cannot be read or belong to another model.
        """
        model = self._record.own() if self._record.own else self.fill(self._read())
        return model.to(device).eval().requires_grad_(requires_grad=False)

    def fill(self, weights: Weights) -> Network:
        """The model on the CPU, its parameters those of `weights`, every name, shape, type and value checked.

        Raises:
            InputError: when the weights belong to another model or do not fit.
        """
        config = self._held(weights)
        with torch.device("meta"):
            model = self._record.network(config)
        theirs = {ours: name for name, ours in weights.reading.names.items()}
        load_parameters(model, weights.reading.state, source=weights.source, theirs=theirs)
        return model

    def weights_sha256(self) -> str:
        """Digest of the weights' files, or of the made parameters."""
        if self._record.own:
            return state_sha256(self._record.own().state_dict())
        return file_sha256(weight_files(str(self.weights)))

    def tracks(self, head: str, targets: str | None = None) -> Tracks:
        """The table of a head's tracks; `targets` is the path or address of the published one.

        Raises:
            InputError: for a head that the model or the file of its weights has not, or a targets table that does not
            fit it.
        """
        if self._record.held and head in self.output_tracks:
            self._check_head(head)
        return model_tracks(self.name, head, targets)

    def _read(self) -> Weights:
        return read_any(str(self.weights))

    def _held(self, weights: Weights) -> Config:
        """The config of the model that `weights` are for: with the heads that they hold, if that may be one of several.

        Raises:
            InputError: when they are another model's, or hold no head.
        """
        weights.require(self.name)
        held = (
            self._record.held(weights.reading.state, self.config)
            if self._record.held
            else self.config
        )
        if not held.output_tracks:
            raise InputError(
                f"{weights.source}: holds none of the heads {', '.join(self.output_tracks)}."
            )
        return held

    def _check_head(self, head: str) -> None:
        held = self._held(self._read()).output_tracks
        if head not in held:
            listed = ", ".join(f"{name} ({count} tracks)" for name, count in held.items())
            raise InputError(
                f"{self.weights}: holds the head {listed}, --head is {head}. "
                f"Use --head {next(iter(held))}, or the file of the other head."
            )


def model_config(name: str) -> Config:
    """Sizes of a model by its name, with all heads that it may have.

    Raises:
        InputError: for an unknown name.
    """
    if name not in MODELS:
        raise InputError(f"unknown model {name!r}{nearest(name, MODELS)}")
    return RECORDS[name].config()


def model_tracks(name: str, head: str, targets: str | None = None) -> Tracks:
    """The table of a head's tracks, without weights; `targets` is the path or address of the published one.

    Raises:
        InputError: for a head that the model has not, or a targets table that does not fit it.
    """
    counts = model_config(name).output_tracks
    if head not in counts:
        raise InputError(f"model {name} has no head {head!r}{nearest(head, counts)}")
    if RECORDS[name].own:
        if targets:
            raise InputError(f"model {name} has tracks of its own; leave out --targets {targets}")
        return motif_tracks(head)
    return (
        read_targets(targets, head=head, count=counts[head])
        if targets
        else builtin_tracks(head, counts[head])
    )


def pass_operations(name: str, head: str, tracks: Sequence[int]) -> tuple[int, int]:
    """Floating-point operations of one reading of one window, counted on the model's graph; nothing is computed.

    A multiplication and an addition are two operations; only products and convolutions count.

    Returns:
        Those of the tower, which turns bases into tokens, and those of all that follows.
    """
    config = model_config(name)
    with torch.device("meta"), torch.inference_mode():
        model = RECORDS[name].network(config).eval()
        one_hot = torch.zeros(1, config.geometry.window_bp, 4)
        columns = torch.zeros(len(tracks), dtype=torch.int64)
        with FlopCounterMode(display=False) as tower:
            model.tokens(one_hot)
        with FlopCounterMode(display=False) as whole:
            model(one_hot, head, columns)
    return tower.get_total_flops(), whole.get_total_flops() - tower.get_total_flops()


def read_any(source: str) -> Weights:
    """Weights of any format and of any model of the registry.

    Raises:
        InputError: as `weights.source.read_weights`.
    """
    basenji2 = RECORDS["basenji2"].config()
    assert isinstance(basenji2, Basenji2Config)
    return read_weights(source, basenji2=basenji2)
