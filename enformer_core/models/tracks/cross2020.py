"""The tracks that Enformer and Basenji2 were trained on: calico/basenji, manuscripts/cross2020."""

from collections.abc import Mapping
from types import MappingProxyType

from enformer_core.models.tracks.table import HeadLayout

_TABLES = "github.com/calico/basenji, manuscripts/cross2020/targets_human.txt and targets_mouse.txt"

CROSS2020_HEADS: Mapping[str, HeadLayout] = MappingProxyType(
    {
        "human": HeadLayout(
            assays=(("DNASE", 674), ("ATAC", 10), ("CHIP", 3991), ("CAGE", 638)),
            published_at=_TABLES,
        ),
        "mouse": HeadLayout(
            assays=(("DNASE", 101), ("ATAC", 127), ("CHIP", 1058), ("CAGE", 357)),
            first_index=5313,  # the mouse table counts on where the human one ends
            published_at=_TABLES,
        ),
    }
)
"""What is known of each published head without its targets table."""
