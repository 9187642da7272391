"""Multi-head attention with relative positions.

Source: google-deepmind/deepmind-research, enformer/attention_module.py:104-280.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.positional import relative_features, relative_shift


class Attention(nn.Module):
    """Attention whose logits see the content of both tokens and the distance between them.

    logits = (q/√key + content bias) · k + shift((q/√key + position bias) · (W_r · features)).
    """

    def __init__(
        self, channels: int, *, heads: int, key_channels: int, positional_features: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.key_channels = key_channels
        self.positional_features = positional_features
        keys = heads * key_channels
        self.to_q = nn.Linear(channels, keys, bias=False)
        self.to_k = nn.Linear(channels, keys, bias=False)
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        self.to_rel_k = nn.Linear(positional_features, keys, bias=False)
        self.rel_content_bias = nn.Parameter(torch.zeros(1, heads, 1, key_channels))
        self.rel_pos_bias = nn.Parameter(torch.zeros(1, heads, 1, key_channels))

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
        by_head = self.logits(x).softmax(dim=-1) @ self.split(self.to_v(x))
        return self.to_out(by_head.transpose(-2, -3).flatten(-2))
