"""Multi-head attention with rotary positions, in which several heads share their keys and values.

Source: Su et al. 2021 (RoFormer), section 3.4.2; Ainslie et al. 2023 (grouped-query attention).
"""

from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.attention import Logits, Tokens

ByHead = Float[Tensor, "*batch heads n narrow"]


class Rotation(NamedTuple):
    """Cosine and sine of each position's angles, one for each pair of channels."""

    cosine: Float[Tensor, "n pairs"]
    sine: Float[Tensor, "n pairs"]

    def of(self, positions: slice) -> "Rotation":
        """That of some positions."""
        return Rotation(self.cosine[positions], self.sine[positions])

    def turn(self, x: ByHead) -> ByHead:
        """Turn each pair of channels by its angle; channels behind the pairs stay.

        Channel i is paired with channel i + pairs. At an angle of 90° the pair (3, 4) becomes (−4, 3).
        """
        pairs = self.cosine.shape[-1]
        first, second, rest = x.split([pairs, pairs, x.shape[-1] - 2 * pairs], dim=-1)
        return torch.cat(
            [
                first * self.cosine - second * self.sine,
                second * self.cosine + first * self.sine,
                rest,
            ],
            dim=-1,
        )


@lru_cache(maxsize=8)
def rotation(
    tokens: int,
    channels: int,
    base: float,
    dtype: torch.dtype,
    device: torch.device,
) -> Rotation:
    """The angles by which positions 0 … tokens − 1 turn `channels` channels: position · base^(−2 i / channels).

    Angles are rounded to float32, whatever the dtype, as weights are trained with: at position 4,000 to 0.0001.
    """
    # kept beyond the call, also where gradients are asked for later
    with torch.inference_mode(mode=False):
        # on the CPU and rounded once, so that each device has the same angles
        exponent = torch.arange(0, channels, 2, dtype=torch.float64, device="cpu") / channels
        speed = (base**-exponent).to(torch.float32)
        position = torch.arange(tokens, dtype=torch.float32, device="cpu")
        angle = (position[:, None] * speed).to(torch.float64)
        return Rotation(
            angle.cos().to(dtype).to(device),
            angle.sin().to(dtype).to(device),
        )


class RotaryAttention(nn.Module):
    """Attention whose queries and keys are turned by their position, so that logits see the distance between them.

    logits = (R q / √narrow) · (R k), where R turns the first channels of a head by angles that grow with the position.

    Args:
        channels: of a token.
        heads: of queries; each is `channels / heads` wide.
        key_heads: of keys and values, as wide. Each serves `heads / key_heads` heads of queries that lie together.
        rotated_channels: of a head, the first, even.
        base: of the angles, see `rotation`.

    Raises:
        ValueError: for numbers that do not go into one another.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int,
        key_heads: int,
        rotated_channels: int,
        base: float,
    ) -> None:
        super().__init__()
        if channels % heads or heads % key_heads:
            raise ValueError(
                f"{channels} channels, {heads} heads and {key_heads} heads of keys do not go into one another"
            )
        self.heads = heads
        self.key_heads = key_heads
        self.key_channels = channels // heads
        if rotated_channels % 2 or rotated_channels > self.key_channels:
            raise ValueError(
                f"{rotated_channels} rotated channels are no pairs of a head's {self.key_channels}"
            )
        self.rotated_channels = rotated_channels
        self.base = base
        # queries, keys and values below one another, each a head after the other
        self.to_qkv = nn.Linear(channels, (heads + 2 * key_heads) * self.key_channels)
        self.to_out = nn.Linear(channels, channels)

    @property
    def widths(self) -> tuple[int, int, int]:
        """Columns of queries, keys and values in what `to_qkv` gives."""
        keys = self.key_heads * self.key_channels
        return self.heads * self.key_channels, keys, keys

    def split(self, x: Float[Tensor, "*batch n wide"]) -> Float[Tensor, "*batch heads n narrow"]:
        """Give each head its columns, which lie together: those of queries, or fewer of keys or values."""
        return x.unflatten(-1, (-1, self.key_channels)).transpose(-2, -3)

    def rotation(self, x: Float[Tensor, "*batch n wide"]) -> Rotation:
        """How the positions of x turn its heads' channels."""
        return rotation(x.shape[-2], self.rotated_channels, self.base, x.dtype, x.device)

    def together(
        self, x: Float[Tensor, "*batch heads n width"]
    ) -> Float[Tensor, "*batch key_heads rows width"]:
        """The rows of those heads that share keys below one another, for one product with these."""
        return x.unflatten(-3, (self.key_heads, -1)).flatten(-3, -2)

    def apart(
        self, x: Float[Tensor, "*batch key_heads rows width"]
    ) -> Float[Tensor, "*batch heads n width"]:
        """The reverse of `together`."""
        group = self.heads // self.key_heads
        return x.unflatten(-2, (group, -1)).flatten(-4, -3)

    def _logits(
        self, q: Float[Tensor, "batch n queries"], k: Float[Tensor, "batch n keys"]
    ) -> Logits:
        turned = self.rotation(q)
        q = turned.turn(self.split(q)) * self.key_channels**-0.5
        k = turned.turn(self.split(k))
        return self.apart(self.together(q) @ k.mT)

    def logits(self, x: Tokens) -> Logits:
        """Attention logits of every query (rows) to every key (columns)."""
        q, k, _ = self.to_qkv(x).split(self.widths, dim=-1)
        return self._logits(q, k)

    def forward(self, x: Tokens) -> Tokens:
        """Let every token gather from all."""
        q, k, v = self.to_qkv(x).split(self.widths, dim=-1)
        weights = self._logits(q, k).softmax(dim=-1)
        by_head = self.apart(self.together(weights) @ self.split(v))
        # The heads' columns side by side again: the reverse of `split`.
        return self.to_out(by_head.transpose(-2, -3).flatten(-2))
