"""The dilated blocks and heads of Basenji2 with the reference and differences side by side.

Does not know windows or files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from enformer_core.models.basenji2 import Basenji2, ConvBlock
from enformer_core.models.layers import gelu
from enformer_core.scoring.delta.layer_rules import gelu_difference, norm_scale, softplus_difference
from enformer_core.scoring.delta.matmul import linear
from enformer_core.scoring.precision import Arithmetic

Lengthwise = Float[Tensor, "1 channels tokens"]


class ConvolutionDifference:
    """A convolution without bias and the BatchNorm behind it, for differences: one scaled kernel."""

    def __init__(self, block: ConvBlock, delta: torch.dtype) -> None:
        self._kernel = (block.conv.weight * norm_scale(block.norm)[:, None, None]).to(delta)
        self._padding = cast(tuple[int], block.conv.padding)
        self._dilation = cast(tuple[int], block.conv.dilation)

    def __call__(self, d: Float[Tensor, "1 inputs tokens"]) -> Float[Tensor, "1 outputs tokens"]:
        """The change of norm(conv(·)), in the format of d."""
        low = d.to(self._kernel.dtype)
        return functional.conv1d(
            low, self._kernel, padding=self._padding, dilation=self._dilation
        ).to(d.dtype)


@dataclass(frozen=True)
class DilatedBlock:
    """Gather and widen, beside a residual connection."""

    blocks: tuple[ConvBlock, ConvBlock]
    differences: tuple[ConvolutionDifference, ConvolutionDifference]

    def propagate(self, x: Lengthwise, d: Float[Tensor, "alts channels tokens"]) -> Lengthwise:
        """x after the block; d is changed in place."""
        gather, widen = self.blocks
        d_gather, d_widen = self.differences
        inner = gather.norm(gather.conv(gelu(x)))
        for alt in range(len(d)):
            moved = d_gather(gelu_difference(x, d[alt : alt + 1]))
            d[alt] += d_widen(gelu_difference(inner, moved))[0]
        return x + widen.norm(widen.conv(gelu(inner)))


def _prepare(residual: nn.Module, delta: torch.dtype) -> DilatedBlock:
    gather, widen = (
        cast(ConvBlock, residual.get_submodule(f"fn.{part}")) for part in ("gather", "widen")
    )
    return DilatedBlock(
        (gather, widen), (ConvolutionDifference(gather, delta), ConvolutionDifference(widen, delta))
    )


class DeltaDilated:
    """Dilated blocks, final block and one head of a Basenji2, for differences.

    Args:
        model: with its parameters in the reference's number format.
        head: which head.
        tracks: its columns, or None for all.
        arithmetic: number formats.
    """

    def __init__(
        self, model: Basenji2, head: str, tracks: Tensor | None, arithmetic: Arithmetic
    ) -> None:
        self._geometry, self._final, delta = model.geometry, model.final, arithmetic.delta
        self._blocks = [
            _prepare(residual, delta) for residual in cast(Sequence[nn.Module], model.dilated)
        ]
        self._d_final = ConvolutionDifference(model.final, delta)
        linear = model._heads[head].get_submodule("0")
        weight, bias = cast(Tensor, linear.weight), cast(Tensor, linear.bias)
        self._head = (weight, bias) if tracks is None else (weight[tracks], bias[tracks])
        self._d_head = self._head[0].to(delta)

    def propagate(
        self,
        x: Float[Tensor, "tokens channels"],
        d: Float[Tensor, "alts tokens channels"],
        bins: range,
    ) -> tuple[Float[Tensor, "bins tracks"], Iterator[Float[Tensor, "bins tracks"]]]:
        """Carry reference and differences to the predictions; see `delta_model.Trunk`."""
        reference, differences = x.T[None], d.mT.contiguous()
        for block in self._blocks:
            reference = block.propagate(reference, differences)
        crop = self._geometry.crop_tokens
        kept = slice(crop + bins.start, crop + bins.stop)
        reference, differences = reference[..., kept], differences[..., kept]
        final = self._final.norm(self._final.conv(gelu(reference)))
        logits = linear(gelu(final)[0].T, *self._head)
        return functional.softplus(logits), (
            self._head_difference(reference, final, logits, differences[alt : alt + 1])
            for alt in range(len(d))
        )

    def _head_difference(
        self,
        reference: Float[Tensor, "1 channels bins"],
        final: Float[Tensor, "1 embedding bins"],
        logits: Float[Tensor, "bins tracks"],
        d: Float[Tensor, "1 channels bins"],
    ) -> Float[Tensor, "bins tracks"]:
        moved = self._d_final(gelu_difference(reference, d))
        embedded = gelu_difference(final, moved)[0].T
        return softplus_difference(
            logits, (embedded.to(self._d_head.dtype) @ self._d_head.T).to(d.dtype)
        )
