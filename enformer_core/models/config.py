"""The sizes of a network, which plans and identities are made of; loads no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

from enformer_core.models.geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The sizes that every network has; each model's own config adds its layers'.

    Attributes:
        geometry: the window that is read and the bins that are predicted.
        output_tracks: number of tracks of each head, by its name.
    """

    geometry: Geometry
    output_tracks: Mapping[str, int]

    @property
    def attention_layers(self) -> int:
        """Layers of the network that attend; none in most."""
        return 0
