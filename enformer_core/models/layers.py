"""The layers that Enformer is made of, apart from its attention.

Sequences lie as [batch, channels, length] here, as convolutions want them. Source: google-deepmind/deepmind-research,
enformer/enformer.py.
"""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from enformer_core.genome.alphabet import N_CODE


def one_hot(
    codes: UInt8[Tensor, "batch length"], dtype: torch.dtype
) -> Float[Tensor, "batch length 4"]:
    """Base codes to columns A, C, G, T; N is all zeros (enformer.py:313-325), never a quarter of each."""
    rows = torch.zeros(N_CODE + 1, 4, dtype=dtype, device=codes.device)
    rows[:4] = torch.eye(4, dtype=dtype, device=codes.device)
    return rows[codes.int()]


GELU_SLOPE = 1.702
"""Of the sigmoid in the GELU that the published weights were trained with (enformer.py:299-310)."""


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x · sigmoid(1.702 x); outside of training without a third copy of x, which is 604 MB in the stem."""
    gate = (GELU_SLOPE * x).sigmoid_()
    return gate * x if torch.is_grad_enabled() else gate.mul_(x)


class Gelu(nn.Module):
    """`gelu` as a module."""

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Apply `gelu`."""
        return gelu(x)


class Residual(nn.Module):
    """x + fn(x)."""

    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Add what `fn` makes of x to x."""
        return x + self.fn(x)


class SoftmaxPool(nn.Module):
    """Pool pairs of positions, weighting the two by a softmax per channel (enformer.py:244-284).

    The logits are W x without a bias. A softmax over two entries is a sigmoid of their difference, and W is linear, so
    one product W (left − right) serves both.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_attn_logits = nn.Conv2d(
            channels, channels, 1, bias=False
        )  # 2d only for its published shape

    def forward(
        self, x: Float[Tensor, "batch channels length"]
    ) -> Float[Tensor, "batch channels half"]:
        """Halve the length, which must be even."""
        left, right = x.unflatten(-1, (-1, 2)).unbind(-1)
        difference = left - right
        share_of_left = torch.sigmoid(
            nn.functional.conv1d(difference, self.to_attn_logits.weight[..., 0])
        )
        return right + share_of_left * difference


def conv_block(inputs: int, outputs: int, width: int) -> nn.Sequential:
    """BatchNorm, GELU, convolution, in this order; the length is kept by zeros at both ends."""
    return nn.Sequential(
        nn.BatchNorm1d(inputs), Gelu(), nn.Conv1d(inputs, outputs, width, padding=width // 2)
    )
