"""Enformer (Avsec et al., Nature Methods 2021), to be read from top to bottom against the paper.

Source: google-deepmind/deepmind-research, enformer/enformer.py. Exact for inference; the dropouts stand there for
reading. Its sizes stand in `enformer_spec`, and what the parameters are called
in published files in `weights`.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.attention import Attention, Tokens
from enformer_core.models.base import Letters, Network, linear_heads
from enformer_core.models.blocks import (
    AttentionPooledLevel,
    Blocks,
    TransformerTrunk,
)
from enformer_core.models.enformer_spec import EnformerConfig
from enformer_core.models.layers import Halved, NormGeluConv, SoftmaxPool, gelu
from enformer_core.models.transformer import TransformerLayer


class Stem(nn.Module):
    """Letters to pairs of letters: a wide convolution, a residual pointwise block, attention pooling."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, channels, 15, padding=7)
        self.pointwise = NormGeluConv(channels, channels, width=1)
        self.pool = SoftmaxPool(channels)

    def forward(self, x: Float[Tensor, "batch 4 length"]) -> Halved:
        """Convolve the letters, and halve the length by pooling."""
        # No norm and no activation before the first convolution: it reads letters.
        x = self.conv(x)
        x = x + self.pointwise(x)
        return self.pool(x)


class TowerLevel(nn.Module):
    """A convolution of width 5 behind BatchNorm and GELU, a residual pointwise block, attention pooling."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_block = NormGeluConv(inputs, outputs, width=5)
        self.pointwise = NormGeluConv(outputs, outputs, width=1)
        self.pool = SoftmaxPool(outputs)

    def forward(self, x: Float[Tensor, "batch inputs length"]) -> Halved:
        """Convolve, and halve the length by pooling."""
        x = self.conv_block(x)
        x = x + self.pointwise(x)
        return self.pool(x)


def enformer_layer(config: EnformerConfig) -> TransformerLayer:
    """A layer of these sizes, its norms with PyTorch's epsilon."""
    attention = Attention(
        config.channels,
        heads=config.heads,
        key_channels=config.key_channels,
        positional_features=config.positional_features,
    )
    return TransformerLayer(config.channels, attention)


class Enformer(Network):
    """One-hot sequence in, non-negative tracks out."""

    def __init__(self, config: EnformerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EnformerConfig()
        # Shapes behind each part are those of one window in the published size: [length, channels].
        # 196,608 letters -> [98,304, 768]
        self.stem = Stem(config.stem_channels)
        # -> [49,152, 768] -> [24,576, 896] -> … -> [1,536, 1,536], a token for each 128 bp
        widths = (config.stem_channels, *config.tower_channels)
        levels = [TowerLevel(*channels) for channels in pairwise(widths)]
        self.tower = nn.Sequential(*levels)
        # the same shape, through 11 layers
        layers = [enformer_layer(config) for _ in range(config.layers)]
        self.transformer = nn.Sequential(*layers)
        # the central 896 tokens -> [896, 3,072]
        self.final = NormGeluConv(config.channels, 2 * config.channels, width=1)
        self.final_dropout = nn.Dropout(0.05)
        # -> [896, 5,313] and [896, 1,643]
        self.heads = linear_heads(2 * config.channels, config.output_tracks)

    def tokens(self, one_hot: Letters) -> Float[Tensor, "batch tokens channels"]:
        """Stem and tower: a token for each 128 bp, which sees its surroundings only."""
        return self.tower(self.stem(one_hot.mT)).mT

    def embed_tokens(self, tokens: Tokens) -> Float[Tensor, "batch bins embedding"]:
        """The trunk: what the heads read, for the central bins."""
        x = self.transformer(tokens)
        # What lies near the ends of the window has been seen, and is not predicted.
        crop = self.geometry.crop_tokens
        x = x[:, crop : x.shape[1] - crop]
        # Convolutions want [channels, length], the heads [length, channels].
        final = self.final_dropout(self.final(x.mT))
        return gelu(final).mT

    def blocks(self) -> Blocks:
        """Stem and tower as levels that pool by attention; transformer, final block and heads as the trunk."""
        stem = AttentionPooledLevel(
            norm=None,
            conv=self.stem.conv,
            pointwise=self.stem.pointwise,
            pool=self.stem.pool,
        )
        # nn.Sequential does not say what it holds
        levels = [
            AttentionPooledLevel(
                norm=level.conv_block.norm,
                conv=level.conv_block.conv,
                pointwise=level.pointwise,
                pool=level.pool,
            )
            for level in cast("Iterable[TowerLevel]", self.tower)
        ]
        layers = cast("Iterable[TransformerLayer]", self.transformer)
        trunk = TransformerTrunk(
            geometry=self.geometry,
            layers=tuple(layer.block() for layer in layers),
            final=self.final,
            heads={name: self.head(name) for name in self.heads},
        )
        return Blocks(levels=(stem, *levels), trunk=trunk)
