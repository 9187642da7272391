"""Enformer (Avsec et al., Nature Methods 2021), to be read from top to bottom against the paper.

Source: google-deepmind/deepmind-research, enformer/enformer.py and attention_module.py. Modules are nested so that
their parameters bear the names of the Hugging Face files (`EleutherAI/enformer-official-rough`). Exact for inference;
the dropouts stand there for reading. Knows neither where its weights come from nor what is done with predictions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from enformer_core.models.geometry import ENFORMER, Geometry
from enformer_core.models.layers import Gelu, Residual, SoftmaxPool, conv_block
from enformer_core.models.positional import relative_features, relative_shift


@dataclass(frozen=True)
class EnformerConfig:
    """The sizes of an Enformer; the defaults are the published ones."""

    geometry: Geometry = ENFORMER
    stem_channels: int = 768
    tower_channels: tuple[int, ...] = (768, 896, 1024, 1152, 1280, 1536)
    layers: int = 11
    heads: int = 8
    key_channels: int = 64
    positional_features: int = 192
    output_tracks: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({"human": 5313, "mouse": 1643})
    )

    def __post_init__(self) -> None:
        pooled = 2 ** (1 + len(self.tower_channels))
        if pooled != self.geometry.bin_bp:
            raise ValueError(
                f"stem and tower pool {pooled} bp to a token, the geometry {self.geometry.bin_bp}"
            )

    @property
    def channels(self) -> int:
        """Channels of a token in the transformer."""
        return self.tower_channels[-1]


class Attention(nn.Module):
    """Multi-head attention with relative positions (attention_module.py:104-280).

    logits = (q/√key + content bias) · k + shift((q/√key + position bias) · (W_r · features)).
    """

    def __init__(self, config: EnformerConfig) -> None:
        super().__init__()
        self.heads, self.key_channels = config.heads, config.key_channels
        self.positional_features = config.positional_features
        keys = config.heads * config.key_channels
        self.to_q = nn.Linear(config.channels, keys, bias=False)
        self.to_k = nn.Linear(config.channels, keys, bias=False)
        self.to_v = nn.Linear(config.channels, config.channels, bias=False)
        self.to_out = nn.Linear(config.channels, config.channels)
        self.to_rel_k = nn.Linear(config.positional_features, keys, bias=False)
        self.rel_content_bias = nn.Parameter(torch.zeros(1, config.heads, 1, config.key_channels))
        self.rel_pos_bias = nn.Parameter(torch.zeros(1, config.heads, 1, config.key_channels))

    def split(self, x: Float[Tensor, "*batch n wide"]) -> Float[Tensor, "*batch heads n narrow"]:
        """Give each head its columns, which lie together."""
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)

    def logits(self, x: Float[Tensor, "batch n c"]) -> Float[Tensor, "batch heads n n"]:
        """Attention logits of every query (rows) to every key (columns)."""
        q = self.split(self.to_q(x)) * self.key_channels**-0.5
        k = self.split(self.to_k(x))
        features = relative_features(x.shape[-2], self.positional_features, x.dtype, x.device)
        relative_k = self.split(self.to_rel_k(features))
        content = (q + self.rel_content_bias) @ k.mT
        return content + relative_shift((q + self.rel_pos_bias) @ relative_k.mT)

    def forward(self, x: Float[Tensor, "batch n c"]) -> Float[Tensor, "batch n c"]:
        """Let every token gather from all."""
        gathered = self.logits(x).softmax(dim=-1) @ self.split(self.to_v(x))
        return self.to_out(gathered.transpose(-2, -3).flatten(-2))


def transformer_layer(config: EnformerConfig) -> nn.Sequential:
    """Attention and a two-layer perceptron, each behind a LayerNorm and beside a residual connection."""
    channels = config.channels
    return nn.Sequential(
        Residual(nn.Sequential(nn.LayerNorm(channels), Attention(config), nn.Dropout(0.4))),
        Residual(
            nn.Sequential(
                nn.LayerNorm(channels),
                nn.Linear(channels, 2 * channels),
                nn.Dropout(0.4),
                nn.ReLU(),
                nn.Linear(2 * channels, channels),
                nn.Dropout(0.4),
            )
        ),
    )


class Enformer(nn.Module):
    """One-hot sequence in, non-negative tracks out."""

    def __init__(self, config: EnformerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EnformerConfig()
        widths = (config.stem_channels, *config.tower_channels)
        self.stem = nn.Sequential(
            nn.Conv1d(4, config.stem_channels, 15, padding=7),
            Residual(conv_block(config.stem_channels, config.stem_channels, 1)),
            SoftmaxPool(config.stem_channels),
        )
        self.conv_tower = nn.Sequential(
            *(
                nn.Sequential(
                    conv_block(inputs, outputs, 5),
                    Residual(conv_block(outputs, outputs, 1)),
                    SoftmaxPool(outputs),
                )
                for inputs, outputs in pairwise(widths)
            )
        )
        self.transformer = nn.Sequential(*(transformer_layer(config) for _ in range(config.layers)))
        self.final_pointwise = nn.Sequential(
            nn.Identity(),  # holds the place of a transposition in the published names
            conv_block(config.channels, 2 * config.channels, 1),
            nn.Dropout(0.05),
            Gelu(),
        )
        self._heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(2 * config.channels, tracks), nn.Softplus())
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
        """Stem and tower: a token for each 128 bp, which sees its surroundings only."""
        return self.conv_tower(self.stem(one_hot.mT)).mT

    def embed(
        self, one_hot: Float[Tensor, "batch length 4"]
    ) -> Float[Tensor, "batch bins embedding"]:
        """The trunk: what the heads read, for the central bins."""
        x = self.transformer(self.tokens(one_hot))
        crop = self.geometry.crop_tokens
        return self.final_pointwise(x[:, crop : x.shape[1] - crop].mT).mT

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
