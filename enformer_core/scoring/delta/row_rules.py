"""Norms and convolutions of rows, [positions, channels], of which only some positions are carried.

Does not know networks.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.scoring.delta.layer_rules import norm_scale, norm_shift
from enformer_core.scoring.delta.matmul import LinearDifference, linear

Rows = Float[Tensor, "positions channels"]

Padded = Float[Tensor, "padded channels"]

Outputs = Float[Tensor, "outputs channels"]

Mixed = Float[Tensor, "outputs mixed"]
"""Behind a map across channels, which may be more or fewer then."""


@dataclass(frozen=True)
class Read:
    """What a convolution that keeps the length reads for some of its outputs.

    Attributes:
        inputs: the positions, which lie in the sequence.
        outputs: the positions that are asked for.
        reach: how far it sees to either side.
    """

    inputs: range
    outputs: range
    reach: int

    @classmethod
    def of(cls, outputs: range, *, reach: int, length: int) -> "Read":
        """Of outputs of a sequence of so many positions."""
        # outputs 0 … 5 of 20, reach 1: the inputs are 0 … 6, and one row of zeros stands before them
        first = max(outputs.start - reach, 0)
        last = min(outputs.stop + reach, length)
        return cls(range(first, last), outputs, reach)

    def padded(self, rows: Rows) -> Padded:
        """The inputs with zeros where the sequence has ended, as the convolution has them too."""
        before = self.inputs.start - (self.outputs.start - self.reach)
        behind = self.outputs.stop + self.reach - self.inputs.stop
        return functional.pad(rows, (0, 0, before, behind)) if before or behind else rows


@dataclass(frozen=True)
class RowNorm:
    """A BatchNorm in inference.

    Attributes:
        scale: what each channel is multiplied by.
        shift: what is added after that; no part of a difference.
    """

    scale: Float[Tensor, " channels"]
    shift: Float[Tensor, " channels"]

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> "RowNorm":
        """The norm with its parameters."""
        scale = norm_scale(norm)
        return cls(scale, norm_shift(norm, scale))

    def __call__(self, x: Rows) -> Rows:
        """norm(x)."""
        return torch.addcmul(self.shift, x, self.scale)

    def difference(self, d: Rows) -> Rows:
        """Change of norm(x) when x changes by d."""
        return d * self.scale


class Depthwise:
    """A convolution of each channel by itself without bias, for activations and for differences."""

    def __init__(self, conv: nn.Conv1d) -> None:
        # [channels, 1, width] to a row of channels for each place of the kernel
        self._taps = conv.weight[:, 0].T.contiguous()
        self.reach = len(self._taps) // 2

    def __call__(self, padded: Padded) -> Outputs:
        """All outputs whose surroundings are there."""
        # rows a b c d e and a kernel of 3: a b c, b c d and c d e, each times its row of the kernel
        count = len(padded) - 2 * self.reach
        total = padded[:count] * self._taps[0]
        for place, tap in enumerate(self._taps[1:], start=1):
            total.addcmul_(padded[place : place + count], tap)
        return total


class RowConvolution:
    """A convolution across channels: a linear map for each place of its kernel."""

    def __init__(self, conv: nn.Conv1d, delta: torch.dtype) -> None:
        self._taps = [tap.contiguous() for tap in conv.weight.unbind(-1)]
        self._bias = conv.bias
        self._d_taps = [LinearDifference(tap, delta) for tap in self._taps]
        self.reach = len(self._taps) // 2

    def __call__(self, padded: Padded) -> Mixed:
        """All outputs whose surroundings are there."""
        count = len(padded) - 2 * self.reach
        total = linear(padded[:count], self._taps[0], self._bias)
        for place, tap in enumerate(self._taps[1:], start=1):
            total += linear(padded[place : place + count], tap)
        return total

    def difference(self, padded: Padded) -> Mixed:
        """The change of the outputs, without the bias; in the number format of what is read."""
        count = len(padded) - 2 * self.reach
        total = self._d_taps[0](padded[:count]).to(padded.dtype)
        for place, tap in enumerate(self._d_taps[1:], start=1):
            total += tap(padded[place : place + count]).to(padded.dtype)
        return total
