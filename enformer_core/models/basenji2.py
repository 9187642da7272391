"""Basenji2 (Kelley, PLoS Computational Biology 2020), to be read from top to bottom against its parameter file.

Source: calico/basenji, manuscripts/cross2020/params_human.json and basenji/blocks.py. Exact for inference; the dropouts
stand where they are for reading. What the parameters are called in files is said in `weights`.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.base import Letters, Network, linear_heads
from enformer_core.models.basenji2_spec import Basenji2Config
from enformer_core.models.blocks import (
    Blocks,
    DilatedResidual,
    DilatedTrunk,
    MaxPooledLevel,
    NormedConvolution,
)
from enformer_core.models.layers import gelu


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
        # A kernel of 3 with dilation 4 reaches 4 positions to either side.
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
        """Activate, convolve, norm and pool x, in this order."""
        normed = self.norm(self.conv(gelu(x)))
        return self.pool(self.dropout(normed))

    def block(self) -> NormedConvolution:
        """The layers that act in inference, without the pooling."""
        return NormedConvolution(self.conv, self.norm)


class DilatedBlock(nn.Module):
    """Gather from `dilation` tokens to the left and right, widen again, add to what was there."""

    def __init__(self, channels: int, narrow: int, dilation: int) -> None:
        super().__init__()
        self.gather = ConvBlock(channels, narrow, width=3, dilation=dilation)
        self.widen = ConvBlock(narrow, channels, width=1, dropout=0.3)

    def forward(
        self, x: Float[Tensor, "batch channels tokens"]
    ) -> Float[Tensor, "batch channels tokens"]:
        """Add what each token gathers to it."""
        return x + self.widen(self.gather(x))


class Basenji2(Network):
    """One-hot sequence in, non-negative tracks out."""

    def __init__(self, config: Basenji2Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Basenji2Config()
        # Shapes behind each part are those of one window in the published size: [length, channels].
        # 131,072 letters -> [65,536, 288]
        self.stem = ConvBlock(4, config.stem_channels, width=15, pool=2)
        # -> [32,768, 339] -> [16,384, 399] -> … -> [1,024, 768], a token for each 128 bp
        widths = (config.stem_channels, *config.tower_channels)
        self.tower = nn.Sequential(
            *(ConvBlock(inputs, outputs, width=5, pool=2) for inputs, outputs in pairwise(widths))
        )
        # the same shape, through 11 blocks
        self.dilated = nn.Sequential(
            *(
                DilatedBlock(config.channels, config.dilated_channels, dilation)
                for dilation in config.dilations
            )
        )
        # the central 896 tokens -> [896, 1,536]
        self.final = ConvBlock(config.channels, config.final_channels, width=1, dropout=0.05)
        # -> [896, 5,313] or [896, 1,643]
        self.heads = linear_heads(config.final_channels, config.output_tracks)

    def tokens(self, one_hot: Letters) -> Float[Tensor, "batch tokens channels"]:
        """Stem and tower: a token for each 128 bp, which sees its surroundings only.

        Raises:
            ValueError: when the length is not a whole number of tokens, which pooling would round down in silence.
        """
        length_bp = one_hot.shape[1]
        bin_bp = self.geometry.bin_bp
        if length_bp % bin_bp:
            raise ValueError(
                f"a sequence of {length_bp} bp is not a whole number of {bin_bp}-bp tokens"
            )
        return self.tower(self.stem(one_hot.mT)).mT

    def embed_tokens(
        self, tokens: Float[Tensor, "batch tokens channels"]
    ) -> Float[Tensor, "batch bins embedding"]:
        """The trunk: what the heads read, for the central bins.

        Tokens are dropped at both ends only after the dilated blocks, which see 212 tokens to each side.
        """
        x = self.dilated(tokens.mT)
        crop = self.geometry.crop_tokens
        x = x[..., crop : x.shape[-1] - crop]
        # The next block would begin with this GELU; there is none.
        return gelu(self.final(x)).mT

    def blocks(self) -> Blocks:
        """Stem and tower as levels that pool by the maximum; dilated blocks, final block and heads as the trunk."""
        tower = cast("Iterable[ConvBlock]", self.tower)
        dilated = cast("Iterable[DilatedBlock]", self.dilated)
        trunk = DilatedTrunk(
            geometry=self.geometry,
            dilated=tuple(
                DilatedResidual(block.gather.block(), block.widen.block()) for block in dilated
            ),
            final=self.final.block(),
            heads={name: self.head(name) for name in self.heads},
        )
        levels = tuple(MaxPooledLevel(level.block()) for level in (self.stem, *tower))
        return Blocks(levels=levels, trunk=trunk)
