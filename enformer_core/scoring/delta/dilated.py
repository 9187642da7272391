"""Dilated blocks and heads, such as Basenji2's, with the reference and differences side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from enformer_core.models.blocks import DilatedResidual, DilatedTrunk, NormedConvolution
from enformer_core.models.layers import gelu, head_columns
from enformer_core.scoring.delta.layer_rules import (
    exact_where_it_vanishes,
    gelu_difference,
    norm_scale,
    softplus_difference,
)
from enformer_core.scoring.delta.matmul import LinearDifference, linear
from enformer_core.scoring.delta.scaling import Scale, is_scaled, largest_of_each
from enformer_core.scoring.precision import Arithmetic

Lengthwise = Float[Tensor, "1 channels tokens"]

Profile = Float[Tensor, "bins tracks"]


class ConvolutionDifference:
    """A convolution without bias and the BatchNorm behind it, for differences: one scaled kernel."""

    def __init__(self, block: NormedConvolution, delta: torch.dtype) -> None:
        # A BatchNorm in inference scales each output; its shift is common to reference and alternate.
        scale = norm_scale(block.norm)[:, None, None]
        self._kernel = (block.conv.weight * scale).to(delta)
        # torch's types allow padding by a word, too, which no block here has.
        self._padding = cast(tuple[int], block.conv.padding)
        self._dilation = cast(tuple[int], block.conv.dilation)

    def __call__(self, d: Float[Tensor, "1 inputs tokens"]) -> Float[Tensor, "1 outputs tokens"]:
        """The change of norm(conv(·)), in the format of d."""
        if not is_scaled(self._kernel.dtype):
            return self._convolved(d).to(d.dtype)
        scale = Scale.of(largest_of_each(d))
        return self._convolved(d * scale.factor).to(d.dtype) * scale.inverse

    def _convolved(self, d: Float[Tensor, "1 inputs tokens"]) -> Float[Tensor, "1 outputs tokens"]:
        return functional.conv1d(
            d.to(self._kernel.dtype),
            self._kernel,
            padding=self._padding,
            dilation=self._dilation,
        )


@dataclass(frozen=True)
class DilatedBlock:
    """Gather and widen, beside a residual connection.

    Attributes:
        reference: both convolutions.
        d_gather: the first, for differences.
        d_widen: the second, likewise.
    """

    reference: DilatedResidual
    d_gather: ConvolutionDifference
    d_widen: ConvolutionDifference

    @classmethod
    def of(cls, block: DilatedResidual, delta: torch.dtype) -> "DilatedBlock":
        """The block with its kernels in the number format of differences."""
        d_gather = ConvolutionDifference(block.gather, delta)
        d_widen = ConvolutionDifference(block.widen, delta)
        return cls(block, d_gather, d_widen)

    def propagate(self, x: Lengthwise, d: Float[Tensor, "alts channels tokens"]) -> Lengthwise:
        """x after the block; d is changed in place to what it is then."""
        inner = _normed(self.reference.gather, x)
        # One alt at a time, so that a score never depends on the alts beside it.
        for alt in range(len(d)):
            of_alt = d[alt : alt + 1]
            moved = self.d_gather(gelu_difference(x, of_alt))
            of_alt += self.d_widen(gelu_difference(inner, moved))
        return x + _normed(self.reference.widen, inner)


def _normed(block: NormedConvolution, x: Lengthwise) -> Float[Tensor, "1 outputs tokens"]:
    return block.norm(block.conv(gelu(x)))


class DeltaDilated:
    """Dilated blocks, final block and one head, for differences.

    Args:
        trunk: with its parameters in the reference's number format.
        head: which head.
        tracks: its columns, or None for all.
        arithmetic: number formats.
    """

    def __init__(
        self,
        trunk: DilatedTrunk,
        head: str,
        tracks: Tensor | None,
        arithmetic: Arithmetic,
    ) -> None:
        self._geometry = trunk.geometry
        self._final = trunk.final
        self._blocks = [DilatedBlock.of(block, arithmetic.delta) for block in trunk.dilated]
        self._d_final = ConvolutionDifference(trunk.final, arithmetic.delta)
        self._head = head_columns(trunk.heads[head], tracks)
        # a bias is common to reference and alternate, and no part of a difference
        weight, _ = self._head
        self._d_head = LinearDifference(weight, arithmetic.delta)

    def propagate(
        self,
        x: Float[Tensor, "tokens channels"],
        d: Float[Tensor, "alts tokens channels"],
        bins: range,
    ) -> tuple[Profile, Iterator[Profile]]:
        """Carry reference and differences to the predictions; see `delta_model.Trunk`."""
        reference = x.T[None]
        differences = d.mT.contiguous()
        for block in self._blocks:
            reference = block.propagate(reference, differences)
        # Behind the dilated blocks no bin sees its neighbours any more, so only those asked for go on.
        crop = self._geometry.crop_tokens
        kept = slice(crop + bins.start, crop + bins.stop)
        reference = reference[..., kept]
        differences = differences[..., kept]
        final = _normed(self._final, reference)
        embedding = gelu(final)[0].T
        logits = linear(embedding, *self._head)
        prediction = functional.softplus(logits)
        # Made one by one when asked for: all alts' profiles over all tracks would not fit into memory at once.
        profiles = (
            self._head_difference(reference, final, logits, prediction, differences[alt : alt + 1])
            for alt in range(len(d))
        )
        return prediction, profiles

    def _head_difference(
        self,
        reference: Float[Tensor, "1 channels bins"],
        final: Float[Tensor, "1 embedding bins"],
        logits: Profile,
        prediction: Profile,
        d: Float[Tensor, "1 channels bins"],
    ) -> Profile:
        """One alt's change of the prediction."""
        moved = self._d_final(gelu_difference(reference, d))
        embedded = gelu_difference(final, moved)[0].T
        moved_logits = self._d_head(embedded).to(d.dtype)
        difference = softplus_difference(logits, moved_logits)
        return exact_where_it_vanishes(prediction, logits, moved_logits, difference)
