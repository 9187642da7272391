"""What is known of Enformer without building it: sizes, heads, weights. The network is in `enformer`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from enformer_core.models.config import ModelConfig
from enformer_core.models.geometry import ENFORMER, Geometry, check_pooling
from enformer_core.models.spec import ModelSpec, Operations
from enformer_core.models.tracks.cross2020 import CROSS2020_HEADS
from enformer_core.models.weights.huggingface import ENFORMER_NAMES
from enformer_core.models.weights.mappings import WeightsMappings
from enformer_core.models.weights.tensorflow.sonnet import ENFORMER_TREE

if TYPE_CHECKING:
    from enformer_core.models.enformer import Enformer


@dataclass(frozen=True, kw_only=True)
class EnformerConfig(ModelConfig):
    """The sizes of an Enformer; the defaults are the published ones."""

    geometry: Geometry = ENFORMER
    stem_channels: int = 768
    tower_channels: tuple[int, ...] = (768, 896, 1024, 1152, 1280, 1536)
    layers: int = 11
    heads: int = 8
    key_channels: int = 64
    # Three families of functions, each with and without the sign of the distance: a multiple of 6.
    positional_features: int = 192
    output_tracks: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"human": 5313, "mouse": 1643})
    )

    def __post_init__(self) -> None:
        check_pooling(self.geometry, levels=1 + len(self.tower_channels))

    @property
    def attention_layers(self) -> int:
        """All of the transformer's layers attend."""
        return self.layers

    @property
    def channels(self) -> int:
        """Channels of a token in the transformer."""
        return self.tower_channels[-1]


def enformer_network(config: EnformerConfig) -> "Enformer":
    """The network of these sizes, with weights that are not yet loaded; imports torch."""
    from enformer_core.models.enformer import Enformer  # noqa: PLC0415 - loads torch

    return Enformer(config)


SPEC = ModelSpec(
    name="enformer",
    config=EnformerConfig(),
    network=enformer_network,
    worker_memory_bytes=4_000_000_000,  # 1 GB of weights, and one layer's activations of a window
    heads=CROSS2020_HEADS,
    weights=WeightsMappings(names=ENFORMER_NAMES, sonnet=ENFORMER_TREE),
    operations=Operations(tower=2_275_997_122_560, trunk=706_032_893_952, track=5_505_024),
)
