"""Borzoi (Linder et al., Nature Genetics 2025) and its family, to be read from top to bottom against a parameter file.

Source: calico/baskerville, seqnn.py and blocks.py; calico/borzoi, examples/params_pred.json. Exact for inference. Its
sizes stand in `borzoi_spec`, a parameter file is read by `borzoi_params`.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.attention import Attention, Tokens
from enformer_core.models.base import Letters, Network, linear_heads
from enformer_core.models.blocks import (
    ActivatedConvolution,
    Blocks,
    Doubling,
    MaxPooledConvolution,
    ScaledResidual,
    UNetTrunk,
)
from enformer_core.models.borzoi_spec import BorzoiConfig, UNetSize
from enformer_core.models.layers import Scale, SeparableConv, Wide, tanh_gelu
from enformer_core.models.positional import central_masks
from enformer_core.models.rotary_attention import RotaryAttention
from enformer_core.models.token_rows import RowLayout, SkipPart
from enformer_core.models.transformer import TransformerLayer

_EPSILON = 1e-3
"""Of every norm: that of Keras."""


class Stem(nn.Module):
    """Letters convolved, normed and activated where the sizes say so, and pooled (blocks.py:132-248)."""

    def __init__(self, config: BorzoiConfig) -> None:
        super().__init__()
        channels, width = config.stem_channels, config.stem_width
        normed = config.stem_normed
        self.conv = nn.Conv1d(4, channels, width, padding=width // 2, bias=not normed)
        self.norm = nn.BatchNorm1d(channels, eps=_EPSILON) if normed else None
        self.activated = config.stem_activated
        self.pool = nn.MaxPool1d(config.stem_pool)

    def forward(self, x: Float[Tensor, "batch 4 length"]) -> Float[Tensor, "batch channels pooled"]:
        """Convolve the letters, and pool them."""
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return self.pool(tanh_gelu(x) if self.activated else x)


class NormedConv(nn.Module):
    """BatchNorm, GELU, convolution with a bias, in this order; the length stays (blocks.py:251-350)."""

    def __init__(self, inputs: int, outputs: int, *, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs, eps=_EPSILON)
        self.conv = nn.Conv1d(inputs, outputs, width, padding=width // 2)

    def forward(
        self, x: Float[Tensor, "batch inputs length"]
    ) -> Float[Tensor, "batch outputs length"]:
        """Norm, activate and convolve x."""
        return self.conv(tanh_gelu(self.norm(x)))

    def block(self) -> ActivatedConvolution:
        """What an engine needs of it."""
        return ActivatedConvolution(self.norm, self.conv)


class Level(nn.Module):
    """A convolution, and where there are more, these of width 1, scaled and added to it; the caller pools."""

    def __init__(self, inputs: int, outputs: int, *, width: int, convolutions: int) -> None:
        super().__init__()
        self.first = NormedConv(inputs, outputs, width=width)
        more = [NormedConv(outputs, outputs, width=1) for _ in range(convolutions - 1)]
        self.more = nn.Sequential(*more, Scale(outputs)) if more else None

    def forward(
        self, x: Float[Tensor, "batch inputs length"]
    ) -> Float[Tensor, "batch outputs length"]:
        """What the level gives before it is pooled."""
        x = self.first(x)
        return x if self.more is None else x + self.more(x)

    def residual(self) -> ScaledResidual | None:
        """What an engine needs of all but the first convolution."""
        if self.more is None:
            return None
        *convolutions, scale = self.more
        blocks = tuple(cast("NormedConv", one).block() for one in convolutions)
        return ScaledResidual(blocks, cast("Scale", scale).factor)


class Incoming(nn.Module):
    """BatchNorm, GELU, and a dense layer where there is one: either path into a doubling."""

    def __init__(self, inputs: int, outputs: int | None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs, eps=_EPSILON)
        self.dense = None if outputs is None else nn.Linear(inputs, outputs)

    def forward(
        self, x: Float[Tensor, "batch inputs length"]
    ) -> Float[Tensor, "batch outputs length"]:
        """Norm and activate x, then mix its channels."""
        x = tanh_gelu(self.norm(x))
        return x if self.dense is None else self.dense(x.mT).mT


class UNetLevel(nn.Module):
    """Twice the length: each position twice, plus what the tower had at that length (blocks.py:448-538)."""

    def __init__(self, channels: int, skipped: int, size: UNetSize) -> None:
        super().__init__()
        self.incoming = Incoming(channels, channels if size.dense_incoming else None)
        self.skip = Incoming(skipped, channels)
        self.separable = SeparableConv(channels, width=size.width)

    def forward(
        self, x: Wide, skip: Float[Tensor, "batch skipped twice"]
    ) -> Float[Tensor, "batch channels twice"]:
        """Join x, each of its positions taken twice, with the skipped representation."""
        # a b becomes a a b b
        doubled = self.incoming(x).repeat_interleave(2, dim=-1)
        return self.separable(doubled + self.skip(skip))


class Borzoi(Network):
    """One-hot sequence in, non-negative tracks out."""

    def __init__(self, config: BorzoiConfig | None = None) -> None:
        super().__init__()
        self.config: BorzoiConfig = config or BorzoiConfig()
        config = self.config
        # Shapes behind each part are those of one window in the published size: [length, channels].
        # 524,288 letters -> [262,144, 512]
        self.stem = Stem(config)
        # -> [262,144, 608], pooled -> … -> [8,192, 1,536], pooled to [4,096, 1,536], a token for each 128 bp
        widths = (config.stem_channels, *config.tower_channels)
        self.tower = nn.ModuleList(
            Level(*channels, width=config.tower_width, convolutions=config.tower_convolutions)
            for channels in pairwise(widths)
        )
        # the same shape, through 8 layers
        layers = [_transformer_layer(config) for _ in range(config.layers)]
        self.transformer = nn.Sequential(*layers)
        # -> [8,192, 1,536] -> [16,384, 1,536], a bin for each 32 bp
        self.unet = nn.ModuleList(
            UNetLevel(config.channels, config.tower_channels[level], size)
            for level, size in zip(config.skip_levels, config.unet, strict=True)
        )
        # the central 16,352 bins -> [16,352, 1,920]
        final = config.final_channels
        self.final = (
            None if final is None else NormedConv(config.channels, final, width=config.final_width)
        )
        # behind a token's 1,536 channels 2 · 1,536 and 4 · 1,280 of the tower, which the doublings add
        skips = tuple(
            SkipPart(2 ** (number + 1), config.tower_channels[level])
            for number, level in enumerate(config.skip_levels)
        )
        self.layout = RowLayout(config.channels, skips)
        # -> [16,352, 7,611] and [16,352, 2,608]
        self.heads = linear_heads(config.embedding, config.output_tracks)

    def tokens(self, one_hot: Letters) -> Float[Tensor, "batch tokens width"]:
        """Stem and tower: a row for each 128 bp, the token and its part of each skip, which see near bases only."""
        tokens, skips = self._read(one_hot)
        return self.layout.joined(tokens, [skip.mT for skip in skips])

    def _read(self, one_hot: Letters) -> tuple[Tokens, list[Tensor]]:
        """Tokens, and what levels of the tower gave before pooling for each doubling, the shortest first."""
        x = self.stem(one_hot.mT)
        skips: dict[int, Tensor] = {}
        for number, level in enumerate(self.tower):
            x = level(x)
            if number in self.config.skip_levels:
                skips[number] = x
            x = functional.max_pool1d(x, self.config.tower_pool)
        return x.mT, [skips[number] for number in self.config.skip_levels]

    def embed(self, one_hot: Letters) -> Float[Tensor, "batch bins embedding"]:
        """Everything but the heads: what they read, for the central bins.

        Raises:
            ValueError: when the length is not a whole number of tokens, which pooling would round down in silence.
        """
        length_bp, token_bp = one_hot.shape[1], self.geometry.token_bp
        if length_bp % token_bp:
            raise ValueError(
                f"a sequence of {length_bp} bp is not a whole number of {token_bp}-bp tokens"
            )
        # not by rows, which would be copies
        return self._trunk(*self._read(one_hot))

    def embed_tokens(
        self, tokens: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch bins embedding"]:
        """The trunk, from the rows of a whole window: what the heads read, for the central bins."""
        skips = [self.layout.skip(tokens, number).mT for number in range(len(self.unet))]
        return self._trunk(self.layout.tokens(tokens), skips)

    def _trunk(
        self, tokens: Tokens, skips: Sequence[Tensor]
    ) -> Float[Tensor, "batch bins embedding"]:
        """From the transformer to the last GELU."""
        x = self.transformer(tokens).mT
        for level, skip in zip(self.unet, skips, strict=True):
            x = level(x, skip)
        # What lies near the ends of the window has been seen, and is not predicted.
        crop = self.geometry.crop_bins
        x = x[..., crop : x.shape[-1] - crop]
        if self.final is not None:
            x = self.final(x)
        return tanh_gelu(x).mT

    def blocks(self) -> Blocks:
        """Stem and tower as levels that pool by the maximum; from the transformer to the heads as the trunk."""
        tower = cast("Iterable[Level]", self.tower)
        unet = cast("Iterable[UNetLevel]", self.unet)
        transformer = cast("Iterable[TransformerLayer]", self.transformer)
        stem = MaxPooledConvolution(
            self.stem.conv,
            pool=self.config.stem_pool,
            norm_after=self.stem.norm,
            activated_after=self.stem.activated,
        )
        levels = [
            MaxPooledConvolution(
                level.first.conv,
                pool=self.config.tower_pool,
                norm_before=level.first.norm,
                residual=level.residual(),
            )
            for level in tower
        ]
        trunk = UNetTrunk(
            geometry=self.geometry,
            layers=tuple(layer.block() for layer in transformer),
            doublings=tuple(
                Doubling(
                    incoming_norm=level.incoming.norm,
                    incoming_dense=level.incoming.dense,
                    skip_norm=level.skip.norm,
                    skip_dense=cast("nn.Linear", level.skip.dense),
                    separable=level.separable,
                )
                for level in unet
            ),
            final_norm=None if self.final is None else self.final.norm,
            final_conv=None if self.final is None else self.final.conv,
            heads={name: self.head(name) for name in self.heads},
        )
        # the stem is level 0, before the tower's own
        skip_levels = tuple(1 + number for number in self.config.skip_levels)
        return Blocks(levels=(stem, *levels), trunk=trunk, skip_levels=skip_levels)


def _transformer_layer(config: BorzoiConfig) -> TransformerLayer:
    return TransformerLayer(config.channels, _attention(config), epsilon=_EPSILON)


def _attention(config: BorzoiConfig) -> Attention | RotaryAttention:
    rotary = config.rotary
    if rotary is None:
        return Attention(
            config.channels,
            heads=config.heads,
            key_channels=config.key_channels,
            positional_features=config.positional_features,
            features_of=partial(central_masks, widest=config.trained_tokens),
        )
    return RotaryAttention(
        config.channels,
        heads=config.heads,
        key_heads=rotary.key_heads,
        rotated_channels=rotary.rotated_channels,
        base=rotary.base,
    )
