"""Basenji2 (Kelley, PLoS Computational Biology 2020), to be read from top to bottom against its parameter file.

Source: calico/basenji, manuscripts/cross2020/params_human.json and basenji/blocks.py. Exact for inference; the dropouts
stand where they are for reading. Does not know where its weights come from, nor what is done with predictions.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import cast

from jaxtyping import Float, Int
from torch import Tensor, nn

from enformer_core.models.geometry import BASENJI2, Geometry
from enformer_core.models.layers import Residual, gelu


@dataclass(frozen=True)
class Basenji2Config:
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
        pooled = 2 ** (1 + len(self.tower_channels))
        if pooled != self.geometry.bin_bp:
            raise ValueError(
                f"stem and tower pool {pooled} bp to a token, the geometry {self.geometry.bin_bp}"
            )

    @property
    def channels(self) -> int:
        """Channels of a token."""
        return self.tower_channels[-1]


class ConvBlock(nn.Module):
    """GELU, convolution without bias, BatchNorm, dropout, max pooling, in this order (blocks.py:62-107).

    The activation comes first, so the stem's is applied to the letters themselves. The length is kept by zeros at both
    ends, then divided by `pool`, which must divide it. BatchNorm's epsilon is that of Keras, 1e-3.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        dilation: int = 1,
        dropout: float = 0.0,
        pool: int = 1,
    ) -> None:
        super().__init__()
        padding = dilation * (width // 2)
        self.conv = nn.Conv1d(
            inputs, outputs, width, padding=padding, dilation=dilation, bias=False
        )
        self.norm = nn.BatchNorm1d(outputs, eps=1e-3)
        self.dropout = nn.Dropout(dropout)
        self.pool = nn.MaxPool1d(pool)

    def forward(
        self, x: Float[Tensor, "batch inputs length"]
    ) -> Float[Tensor, "batch outputs pooled"]:
        """Apply the block."""
        return self.pool(self.dropout(self.norm(self.conv(gelu(x)))))


def dilated_block(config: Basenji2Config, dilation: int) -> Residual:
    """Gather from `dilation` tokens to the left and right, widen again, add to what was there."""
    gather = ConvBlock(config.channels, config.dilated_channels, width=3, dilation=dilation)
    widen = ConvBlock(config.dilated_channels, config.channels, width=1, dropout=0.3)
    return Residual(nn.Sequential(OrderedDict(gather=gather, widen=widen)))


class Basenji2(nn.Module):
    """One-hot sequence in, non-negative tracks out."""

    def __init__(self, config: Basenji2Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Basenji2Config()
        widths = (config.stem_channels, *config.tower_channels)
        self.stem = ConvBlock(4, config.stem_channels, width=15, pool=2)
        self.tower = nn.Sequential(
            *(ConvBlock(inputs, outputs, width=5, pool=2) for inputs, outputs in pairwise(widths))
        )
        self.dilated = nn.Sequential(
            *(dilated_block(config, dilation) for dilation in config.dilations)
        )
        self.final = ConvBlock(config.channels, config.final_channels, width=1, dropout=0.05)
        self._heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(config.final_channels, tracks), nn.Softplus())
                for name, tracks in config.output_tracks.items()
            }
        )

    @property
    def geometry(self) -> Geometry:
        """The window that the model reads and the bins that it predicts."""
        return self.config.geometry

    def tokens(
        self, one_hot: Float[Tensor, "batch length 4"]
    ) -> Float[Tensor, "batch tokens channels"]:
        """Stem and tower: a token for each 128 bp, which sees its surroundings only.

        Raises:
            ValueError: when the length is not a whole number of tokens, which pooling would round down in silence.
        """
        length, bin_bp = one_hot.shape[1], self.geometry.bin_bp
        if length % bin_bp:
            raise ValueError(
                f"a sequence of {length} bp is not a whole number of {bin_bp}-bp tokens"
            )
        return self.tower(self.stem(one_hot.mT)).mT

    def embed(
        self, one_hot: Float[Tensor, "batch length 4"]
    ) -> Float[Tensor, "batch bins embedding"]:
        """The trunk: what the heads read, for the central bins.

        Tokens are dropped at both ends only after the dilated blocks, which see 212 tokens to each side.
        """
        x = self.dilated(self.tokens(one_hot).mT)
        crop = self.geometry.crop_tokens
        return gelu(self.final(x[..., crop : x.shape[-1] - crop])).mT

    def forward(
        self,
        one_hot: Float[Tensor, "batch length 4"],
        head: str,
        tracks: Int[Tensor, " tracks"] | None = None,
    ) -> Float[Tensor, "batch bins tracks"]:
        """Predictions of one head: all of its tracks, or those that `tracks` indexes, in that order."""
        linear = self._heads[head].get_submodule("0")
        weight, bias = cast(Tensor, linear.weight), cast(Tensor, linear.bias)
        if tracks is not None:
            weight, bias = weight[tracks], bias[tracks]
        return nn.functional.softplus(nn.functional.linear(self.embed(one_hot), weight, bias))
