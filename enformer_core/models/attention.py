"""Multi-head attention with relative positions.

Source: google-deepmind/deepmind-research, enformer/attention_module.py:104-280.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.positional import FeaturesOf, relative_features, relative_shift

Tokens = Float[Tensor, "batch n channels"]

Logits = Float[Tensor, "batch heads n n"]


class Attention(nn.Module):
    """Attention whose logits see the content of both tokens and the distance between them.

    logits = (q/√key + content bias) · k + shift((q/√key + position bias) · (W_r · features)).
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int,
        key_channels: int,
        positional_features: int,
        features_of: FeaturesOf = relative_features,
    ) -> None:
        super().__init__()
        self.features_of = features_of
        self.heads = heads
        self.key_channels = key_channels
        self.positional_features = positional_features
        all_keys = heads * key_channels
        self.to_q = nn.Linear(channels, all_keys, bias=False)
        self.to_k = nn.Linear(channels, all_keys, bias=False)
        # Values are as wide as the tokens: a head's are `channels / heads`, and need not be as many as its keys.
        self.to_v = nn.Linear(channels, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)
        self.to_rel_k = nn.Linear(positional_features, all_keys, bias=False)
        bias_shape = (1, heads, 1, key_channels)
        self.rel_content_bias = nn.Parameter(torch.zeros(bias_shape))
        self.rel_pos_bias = nn.Parameter(torch.zeros(bias_shape))

    def split(self, x: Float[Tensor, "*batch n wide"]) -> Float[Tensor, "*batch heads n narrow"]:
        """Give each head its columns, which lie together."""
        # Two heads of two columns: a row (a b c d) becomes (a b) for the first head and (c d) for the second.
        return x.unflatten(-1, (self.heads, -1)).transpose(-2, -3)

    def logits(self, x: Tokens) -> Logits:
        """Attention logits of every query (rows) to every key (columns)."""
        q = self.split(self.to_q(x)) * self.key_channels**-0.5
        k = self.split(self.to_k(x))
        tokens = x.shape[-2]
        features = self.features_of(tokens, self.positional_features, x.dtype, x.device)
        relative_k = self.split(self.to_rel_k(features))
        content = (q + self.rel_content_bias) @ k.mT
        # One column for each of the 2 n − 1 distances, until the shift picks the n that a query needs.
        by_distance = (q + self.rel_pos_bias) @ relative_k.mT
        return content + relative_shift(by_distance)

    def forward(self, x: Tokens) -> Tokens:
        """Let every token gather from all."""
        weights = self.logits(x).softmax(dim=-1)
        by_head = weights @ self.split(self.to_v(x))
        # The heads' columns side by side again: the reverse of `split`.
        return self.to_out(by_head.transpose(-2, -3).flatten(-2))
