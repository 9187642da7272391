"""A layer of a transformer, as several networks have it."""

from torch import nn
from torch.nn import functional

from enformer_core.models.attention import Attention, Tokens
from enformer_core.models.blocks import AttentionLayer
from enformer_core.models.rotary_attention import RotaryAttention


class Mlp(nn.Module):
    """A perceptron of two layers, twice as wide between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # 1,536 to 3,072 and back, in the published sizes.
        self.up = nn.Linear(channels, 2 * channels)
        self.down = nn.Linear(2 * channels, channels)
        self.dropout = nn.Dropout(0.4)

    def forward(self, x: Tokens) -> Tokens:
        """Transform each token by itself, whatever the others are."""
        wide = self.dropout(self.up(x))
        hidden = functional.relu(wide)
        return self.dropout(self.down(hidden))


class TransformerLayer(nn.Module):
    """Attention and a perceptron, each behind a LayerNorm and beside a residual connection."""

    def __init__(
        self,
        channels: int,
        attention: Attention | RotaryAttention,
        *,
        epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(channels, eps=epsilon)
        self.attention = attention
        self.attention_dropout = nn.Dropout(0.4)
        self.mlp_norm = nn.LayerNorm(channels, eps=epsilon)
        self.mlp = Mlp(channels)

    def forward(self, x: Tokens) -> Tokens:
        """Let every token gather from all, then transform it by itself."""
        gathered = self.attention(self.attention_norm(x))
        x = x + self.attention_dropout(gathered)
        transformed = self.mlp(self.mlp_norm(x))
        return x + transformed

    def block(self) -> AttentionLayer:
        """The layers that act in inference."""
        return AttentionLayer(
            attention_norm=self.attention_norm,
            attention=self.attention,
            mlp_norm=self.mlp_norm,
            up=self.mlp.up,
            down=self.mlp.down,
        )
