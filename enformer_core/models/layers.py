"""Layers that several networks are made of.

Sequences lie as [batch, channels, length] here, as convolutions want them. Source: google-deepmind/deepmind-research,
enformer/enformer.py.
"""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.genome.alphabet import N_CODE

Shaped = Float[Tensor, "*shape"]

Wide = Float[Tensor, "batch channels length"]

Halved = Float[Tensor, "batch channels half"]

TrackIndex = Int[Tensor, " tracks"]


def one_hot(
    codes: UInt8[Tensor, "batch length"], dtype: torch.dtype
) -> Float[Tensor, "batch length 4"]:
    """Base codes to columns A, C, G, T; N is all zeros (enformer.py:313-325), never a quarter of each."""
    # A row for each code: 0 to 3 become unit vectors, 4 (N) stays a row of zeros.
    rows = torch.zeros(N_CODE + 1, 4, dtype=dtype, device=codes.device)
    rows[:4] = torch.eye(4, dtype=dtype, device=codes.device)
    return rows[codes.int()]


GELU_SLOPE = 1.702
"""Of the sigmoid in the GELU that the published weights were trained with (enformer.py:299-310)."""


def gelu(x: Shaped) -> Shaped:
    """x · sigmoid(1.702 x): not the GELU of the error function, from which it differs by up to 0.02."""
    gate = (GELU_SLOPE * x).sigmoid_()
    if torch.is_grad_enabled():
        return gate * x
    # In inference the product takes the gate's own memory: a third copy of x would be 604 MB in Enformer's stem.
    return gate.mul_(x)


def tanh_gelu(x: Shaped) -> Shaped:
    """The GELU of the error function, approximated by a tanh; it differs from `gelu` by up to 0.02."""
    return functional.gelu(x, approximate="tanh")


class SeparableConv(nn.Module):
    """A convolution of each channel by itself without bias, then one of width 1 across channels; the length stays."""

    def __init__(self, channels: int, *, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(
            channels, channels, width, padding=width // 2, groups=channels, bias=False
        )
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Wide) -> Wide:
        """Convolve along the sequence, then across channels."""
        return self.pointwise(self.depthwise(x))


class Scale(nn.Module):
    """A learned factor for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Wide) -> Wide:
        """Multiply each channel by its factor."""
        return x * self.factor[:, None]


class NormGeluConv(nn.Module):
    """BatchNorm, GELU, convolution, in this order; the length is kept by zeros at both ends (enformer.py:221-241)."""

    def __init__(self, inputs: int, outputs: int, *, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs)
        self.conv = nn.Conv1d(inputs, outputs, width, padding=width // 2)

    def forward(
        self,
        x: Float[Tensor, "batch inputs length"],
    ) -> Float[Tensor, "batch outputs length"]:
        """Norm, activate and convolve x; the length stays."""
        return self.conv(gelu(self.norm(x)))


class SoftmaxPool(nn.Module):
    """Pool pairs of positions, weighting the two by a softmax per channel (enformer.py:244-284).

    The logits are W x without a bias. A softmax over two entries is a sigmoid of their difference, and W is linear, so
    one product W (left − right) serves both.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # 2d only for the shape that it has in the published files.
        self.to_attn_logits = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Wide) -> Halved:
        """Halve the length, which must be even."""
        # a b c d is the pairs (a b) (c d): left is a c, right is b d.
        left, right = x.unflatten(-1, (-1, 2)).unbind(-1)
        difference = left - right
        kernel = self.to_attn_logits.weight[..., 0]
        share_of_left = torch.sigmoid(functional.conv1d(difference, kernel))
        return right + share_of_left * difference


def head_columns(
    head: nn.Linear,
    tracks: TrackIndex | None,
) -> tuple[Float[Tensor, "tracks channels"], Float[Tensor, " tracks"]]:
    """Weight and bias of a head for the tracks that are indexed, in that order; for all of them where that is None."""
    if tracks is None:
        return head.weight, head.bias
    return head.weight[tracks], head.bias[tracks]
