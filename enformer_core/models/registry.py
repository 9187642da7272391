"""The models by name: their sizes, where their parameters come from, and what their tracks are called.

The only place that knows all of them. Does not know what is scored with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from enformer_core.conventions import nearest
from enformer_core.errors import InputError
from enformer_core.geometry import Geometry
from enformer_core.models.base import SequenceModel
from enformer_core.models.enformer import Enformer, EnformerConfig
from enformer_core.models.motif import motif_config, motif_model, motif_tracks
from enformer_core.tracks import Tracks, builtin_tracks, read_targets
from enformer_core.weights.check import file_sha256, load_parameters, state_sha256
from enformer_core.weights.huggingface import huggingface_files, read_huggingface

MODELS = ("enformer", "motif")

DEMONSTRATION = (
    "DEMONSTRATION MODEL: weights set by hand from textbook motifs, not trained on data. "
    "Its scores show how this program works and say nothing about gene regulation."
)


@dataclass(frozen=True)
class ModelSource:
    """A model and the file of its weights; small, so that it can be sent to a worker that builds the model.

    Attributes:
        name: one of `MODELS`.
        weights: path (or `hf://` address) of the published or trained weights; None for `motif`, which has its own.

    Raises:
        InputError: for an unknown name, or weights missing where they are needed or given where they are not.
    """

    name: str
    weights: str | None = None

    def __post_init__(self) -> None:
        if self.name not in MODELS:
            raise InputError(f"unknown model {self.name!r}{nearest(self.name, MODELS)}")
        if self.demonstration and self.weights is not None:
            raise InputError(f"model {self.name} makes its own weights; leave out --weights {self.weights}")
        if not self.demonstration and self.weights is None:
            raise InputError(
                f"model {self.name} needs --weights FILE; the README says where the published ones are. "
                "To try the program without, use --model motif."
            )

    @property
    def demonstration(self) -> bool:
        """Whether the model is made by hand to show how things work."""
        return self.name == "motif"

    @property
    def notice(self) -> str | None:
        """What every output of a demonstration says."""
        return DEMONSTRATION if self.demonstration else None

    @property
    def config(self) -> EnformerConfig:
        """Sizes, without building the model."""
        return motif_config() if self.demonstration else EnformerConfig()

    @property
    def geometry(self) -> Geometry:
        """The window read and the bins predicted."""
        return self.config.geometry

    @property
    def output_tracks(self) -> Mapping[str, int]:
        """Number of tracks of each head."""
        return self.config.output_tracks

    def build(self, device: torch.device) -> SequenceModel:
        """The model with its parameters, for inference on `device`.

        Raises:
            InputError: when the weights cannot be read or belong to another model.
        """
        if self.weights is None:
            model = motif_model()
        else:
            with torch.device("meta"):
                model = Enformer(self.config)
            load_parameters(model, read_huggingface(self.weights), source=self.weights)
        return model.to(device).eval().requires_grad_(requires_grad=False)

    def weights_sha256(self) -> str:
        """Digest of the weights' file, or of the made parameters."""
        if self.weights is None:
            return state_sha256(motif_model().state_dict())
        return file_sha256(huggingface_files(self.weights))

    def tracks(self, head: str, targets: str | None = None) -> Tracks:
        """The table of a head's tracks; `targets` is the path or address of the published one.

        Raises:
            InputError: for a head that the model has not, or a targets table that does not fit it.
        """
        if head not in self.output_tracks:
            raise InputError(f"model {self.name} has no head {head!r}{nearest(head, self.output_tracks)}")
        if self.demonstration:
            return motif_tracks(head)
        count = self.output_tracks[head]
        return read_targets(targets, head=head, count=count) if targets else builtin_tracks(head, count)
