"""What is known of Basenji2 without building it: sizes, heads, weights. The network is in `basenji2`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from enformer_core.models.config import ModelConfig
from enformer_core.models.geometry import BASENJI2, Geometry, check_pooling
from enformer_core.models.spec import ModelSpec, Operations
from enformer_core.models.tracks.cross2020 import CROSS2020_HEADS
from enformer_core.models.weights.keras import KerasOrder
from enformer_core.models.weights.mappings import WeightsMappings
from enformer_core.models.weights.names import NameTable

if TYPE_CHECKING:
    from enformer_core.models.basenji2 import Basenji2


@dataclass(frozen=True, kw_only=True)
class Basenji2Config(ModelConfig):
    """The sizes of a Basenji2; the defaults are the published ones, with the human head.

    A published file holds one head: {"human": 5313} or {"mouse": 1643}. Tower channels follow round(339 · 1.1776^i),
    dilations r ← round(1.5 r), halves to even.
    """

    geometry: Geometry = BASENJI2
    stem_channels: int = 288
    tower_channels: tuple[int, ...] = (339, 399, 470, 554, 652, 768)
    dilated_channels: int = 384
    dilations: tuple[int, ...] = (1, 2, 3, 4, 6, 9, 14, 21, 32, 48, 72)
    final_channels: int = 1536
    output_tracks: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"human": 5313})
    )

    def __post_init__(self) -> None:
        check_pooling(self.geometry, levels=1 + len(self.tower_channels))

    @property
    def channels(self) -> int:
        """Channels of a token, before and after each dilated block."""
        return self.tower_channels[-1]


def basenji2_network(config: Basenji2Config) -> "Basenji2":
    """The network of these sizes, with weights that are not yet loaded; imports torch."""
    from enformer_core.models.basenji2 import Basenji2  # noqa: PLC0415 - loads torch

    return Basenji2(config)


PUBLISHED = Basenji2Config(output_tracks={"human": 5313, "mouse": 1643})
"""The published sizes and the heads of which a published file holds one."""

FILE_NAMES = NameTable(
    # As our modules were nested when the first such files were written.
    rows=(
        ("dilated.{}.fn.gather.", "dilated.{}.gather."),
        ("dilated.{}.fn.widen.", "dilated.{}.widen."),
        ("_heads.{}.0.", "heads.{}."),
    ),
    mark=re.compile(r"dilated\.|tower\.\d+\.conv\."),
)
"""What the parameters are called in the `.safetensors` files that `enformer-ray weights import` writes."""

SPEC = ModelSpec(
    name="basenji2",
    config=PUBLISHED,
    network=basenji2_network,
    worker_memory_bytes=2_000_000_000,  # measured at 1.1 GB
    heads=CROSS2020_HEADS,
    weights=WeightsMappings(names=FILE_NAMES, keras=KerasOrder(model="Basenji2")),
    one_head_per_file=True,
    operations=Operations(tower=189_941_678_080, trunk=28_689_039_360, track=2_752_512),
)
