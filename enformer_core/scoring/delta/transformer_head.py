"""The final block and one head of Enformer, with the reference and differences side by side; bin by bin."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from enformer_core.models.blocks import TransformerTrunk
from enformer_core.models.layers import gelu, head_columns
from enformer_core.scoring.delta.fused_rules import (
    fused_gelu_difference,
    fused_softplus_difference,
)
from enformer_core.scoring.delta.kernel_trial import kernels_serve
from enformer_core.scoring.delta.layer_rules import (
    batch_norm_difference,
    exact_where_it_vanishes,
    gelu_difference,
    norm_scale,
    softplus_difference,
)
from enformer_core.scoring.delta.matmul import LinearDifference, linear
from enformer_core.scoring.delta.scaling import Scale, is_scaled
from enformer_core.scoring.statistics import Profile

TRACKS_MULTIPLE = 8
"""On GPUs, tracks are multiplied in multiples of so many, 16 bytes of 16 bits: 5,313 would go by routines of 2018."""

OfBins = Float[Tensor, "bins channels"]


@dataclass(frozen=True)
class ReferenceHead:
    """The reference's activations in the final block, each before its nonlinearity.

    Attributes:
        normed: what the final convolution reads the GELU of.
        final: what the head reads the GELU of.
        logits: what the prediction is the softplus of.
        prediction: in the bins and tracks asked for.
    """

    normed: OfBins
    final: Float[Tensor, "bins embedding"]
    logits: Profile
    prediction: Profile


class DeltaHead:
    """Final block and one head, for differences.

    Args:
        trunk: with its parameters in the reference's number format.
        head: which head.
        tracks: its columns, or None for all.
        delta: number format of differences.
    """

    def __init__(
        self,
        trunk: TransformerTrunk,
        head: str,
        tracks: Tensor | None,
        delta: torch.dtype,
    ) -> None:
        self._norm = trunk.final.norm
        self._scale = norm_scale(self._norm)
        self._final = trunk.final.conv
        self._head = head_columns(trunk.heads[head], tracks)
        weight, _ = self._head
        self._fused = kernels_serve(delta, weight.device)
        self._d_final = LinearDifference(self._final.weight[..., 0], delta)
        if self._fused:
            weight = functional.pad(weight, (0, 0, 0, -len(weight) % TRACKS_MULTIPLE))
        self._d_head = LinearDifference(weight, delta)

    def reference(self, x: OfBins) -> ReferenceHead:
        """The reference's activations from what the last layer gave."""
        # BatchNorm wants [batch, channels, length]
        normed = self._norm(x.T[None])[0].T
        final = linear(gelu(normed), self._final.weight[..., 0], self._final.bias)
        logits = linear(gelu(final), *self._head)
        return ReferenceHead(normed, final, logits, functional.softplus(logits))

    def difference(self, reference: ReferenceHead, d: OfBins) -> Profile:
        """The change of one alt's prediction, from that of what the last layer gave.

        In float64 where some prediction vanishes: see `layer_rules.exact_where_it_vanishes`.
        """
        if self._fused:
            return self._fused_difference(reference, d)
        normed = batch_norm_difference(self._norm, d.T[None])[0].T
        final = self._d_final(gelu_difference(reference.normed, normed))
        logits = self._d_head(gelu_difference(reference.final, final)).to(d.dtype)
        difference = softplus_difference(reference.logits, logits)
        return exact_where_it_vanishes(reference.prediction, reference.logits, logits, difference)

    def _fused_difference(self, reference: ReferenceHead, d: OfBins) -> Profile:
        """`difference` by kernels that pass over memory once."""
        delta = self._d_final.dtype
        first = second = last = None
        if is_scaled(delta):
            # a GELU's change is at most 1.13 times what it reads
            largest = torch.linalg.vector_norm(d, ord=float("inf"), dim=0) * self._scale.abs()
            scale = Scale.of(largest.amax()[None])
            first = (torch.ones_like(scale.factor), scale.factor)
            second = (scale.inverse, scale.factor)
            last = scale.inverse
        moved = fused_gelu_difference(reference.normed, d, delta, scale=self._scale, factors=first)
        final = self._d_final.multiply(moved)
        moved = fused_gelu_difference(reference.final, final, delta, factors=second)
        logits = self._d_head.multiply(moved)
        tracks = reference.logits.shape[1]
        return fused_softplus_difference(reference.logits, logits[:, :tracks], last)
