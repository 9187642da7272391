"""What is known of Borzoi without building it: sizes, heads, weights. The network is in `borzoi`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from enformer_core.models.config import ModelConfig
from enformer_core.models.geometry import Geometry
from enformer_core.models.spec import ModelSpec, Operations
from enformer_core.models.tracks.table import HeadLayout
from enformer_core.models.weights.borzoi_names import BORZOI_NAMES
from enformer_core.models.weights.keras_classes import KerasClasses
from enformer_core.models.weights.mappings import WeightsMappings

if TYPE_CHECKING:
    from enformer_core.models.borzoi import Borzoi

PUBLISHED_GEOMETRY = Geometry(window_bp=524_288, bin_bp=32, bins=16_352, bins_per_token=4)
"""Tokens of 128 bp, each of which becomes four bins; 16 bins are cropped at each end."""


@dataclass(frozen=True)
class UNetSize:
    """One doubling of the length.

    Attributes:
        width: of its separable convolution.
        dense_incoming: whether what is doubled goes through a dense layer first.
    """

    width: int = 3
    dense_incoming: bool = True


@dataclass(frozen=True)
class RotarySize:
    """Attention by rotary positions; a head is as wide in queries and keys as in values.

    Attributes:
        key_heads: of keys and values, each of which serves several heads of queries.
        rotated_channels: of a head, the first.
        base: of the angles.
    """

    key_heads: int = 4
    rotated_channels: int = 128
    base: float = 20_000.0


@dataclass(frozen=True, kw_only=True)
class BorzoiConfig(ModelConfig):
    """The sizes of a Borzoi; the defaults are those of calico/borzoi, examples/params_pred.json.

    Attributes:
        stem_channels: of the first convolution, which reads letters.
        stem_width: of its kernel, odd.
        stem_pool: positions that it pools to one.
        stem_normed: whether a BatchNorm follows it; then it has no bias.
        stem_activated: whether a GELU follows.
        tower_channels: of each level.
        tower_width: of their first convolutions, odd.
        tower_convolutions: of each level; those behind the first have width 1, and are scaled and added to it.
        tower_pool: positions that each level pools to one.
        layers: of the transformer.
        heads: of each layer.
        key_channels: of each head.
        positional_features: of a distance between tokens.
        trained_tokens: tokens that the positional features are made for; None for those of the window.
        rotary: attention by rotary positions, which reads none of the last three; None where it is by distances.
        unet: each doubling of the length.
        final_channels: of the last convolution; None without one.
        final_width: of its kernel, odd.
    """

    geometry: Geometry = PUBLISHED_GEOMETRY
    stem_channels: int = 512
    stem_width: int = 15
    stem_pool: int = 2
    stem_normed: bool = False
    stem_activated: bool = False
    tower_channels: tuple[int, ...] = (608, 736, 896, 1056, 1280, 1536)
    tower_width: int = 5
    tower_convolutions: int = 1
    tower_pool: int = 2
    layers: int = 8
    heads: int = 8
    key_channels: int = 64
    positional_features: int = 32
    trained_tokens: int | None = None
    rotary: RotarySize | None = None
    unet: tuple[UNetSize, ...] = (UNetSize(), UNetSize())
    final_channels: int | None = 1920
    final_width: int = 1
    output_tracks: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"human": 7611, "mouse": 2608})
    )

    def __post_init__(self) -> None:
        geometry = self.geometry
        pooled_bp = self.stem_pool * self.tower_pool ** len(self.tower_channels)
        if pooled_bp != geometry.token_bp:
            raise ValueError(
                f"stem and tower pool {pooled_bp} bp to a token, the geometry {geometry.token_bp}"
            )
        if 2 ** len(self.unet) != geometry.bins_per_token:
            raise ValueError(
                f"{len(self.unet)} doublings make {2 ** len(self.unet)} bins of a token, "
                f"the geometry {geometry.bins_per_token}"
            )
        # asked once here, so that a doubling without its level is told before anything is built
        assert len(self.skip_levels) == len(self.unet)

    @property
    def attention_layers(self) -> int:
        """All of the transformer's layers attend."""
        return self.layers

    @property
    def channels(self) -> int:
        """Channels of a token in the transformer, and of a bin behind it."""
        return self.tower_channels[-1]

    @property
    def embedding(self) -> int:
        """Channels that the heads read."""
        return self.final_channels or self.channels

    @property
    def skip_levels(self) -> tuple[int, ...]:
        """The tower's level that each doubling adds: the last whose output before pooling is twice as long.

        Raises:
            ValueError: where there is none.
        """
        # six levels that pool by 2: the first doubling takes level 5, the second level 4
        count = len(self.tower_channels)
        per_token = [self.tower_pool ** (count - level) for level in range(count)]
        found = []
        for doubling in range(len(self.unet)):
            wanted = 2 ** (doubling + 1)
            levels = [level for level, length in enumerate(per_token) if length == wanted]
            if not levels:
                raise ValueError(
                    f"no level of the tower has {wanted} positions for each token, which "
                    f"unet_conv {doubling + 1} adds"
                )
            found.append(levels[-1])
        return tuple(found)


def borzoi_network(config: BorzoiConfig) -> "Borzoi":
    """The network of these sizes, with weights that are not yet loaded; imports torch."""
    from enformer_core.models.borzoi import Borzoi  # noqa: PLC0415 - loads torch

    return Borzoi(config)


def _params(path: str) -> BorzoiConfig:
    # here, since that module knows this one
    from enformer_core.models.borzoi_params import read_params  # noqa: PLC0415

    return read_params(path)


_TABLES = "github.com/calico/borzoi, examples/targets_human.txt and targets_mouse.txt"

_HEADS: Mapping[str, HeadLayout] = MappingProxyType(
    {
        "human": HeadLayout(
            assays=(("CAGE", 1276), ("DNASE", 674), ("ATAC", 232), ("CHIP", 3886), ("RNA", 1543)),
            published_at=_TABLES,
        ),
        "mouse": HeadLayout(published_at=_TABLES),
    }
)
"""What is known of each published head without its targets table."""

SPEC = ModelSpec(
    name="borzoi",
    config=BorzoiConfig(),
    network=borzoi_network,
    worker_memory_bytes=12_000_000_000,
    heads=_HEADS,
    weights=WeightsMappings(names=BORZOI_NAMES, keras=KerasClasses(model="Borzoi")),
    one_head_per_file=True,
    read_params=_params,
    stranded=True,
    operations=Operations(tower=2_559_532_072_960, trunk=2_231_239_442_432, track=62_791_680),
)
