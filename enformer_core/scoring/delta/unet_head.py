"""What stands behind the last doubling, with the reference and differences side by side: a final block and one head.

Bins times tracks may be more than caches, or memory, hold several times: differences are made some tracks at a time.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from enformer_core.models.blocks import UNetTrunk
from enformer_core.models.layers import head_columns, tanh_gelu
from enformer_core.scoring.delta.layer_rules import (
    exact_where_it_vanishes,
    softplus_difference,
    tanh_gelu_difference,
)
from enformer_core.scoring.delta.matmul import ALIGNED_OUTPUTS, LinearDifference, linear
from enformer_core.scoring.delta.row_rules import Read, RowConvolution, RowNorm, Rows
from enformer_core.scoring.statistics import Profile

NUMBERS_TOGETHER = 2**23
"""Bins times tracks of a step: 34 MB in float32, of which its rules hold a few at a time."""


@dataclass(frozen=True)
class UNetHeadReference:
    """The reference's activations behind the last doubling, each before its nonlinearity.

    Attributes:
        read: bins that are asked for, and those that the final block reads for them.
        normed: what the final convolution reads the GELU of; None without a final block.
        final: what the head reads the GELU of.
        logits: what the prediction is the softplus of.
        prediction: in the bins and tracks asked for.
    """

    read: Read
    normed: Rows | None
    final: Float[Tensor, "bins embedding"]
    logits: Profile
    prediction: Profile


class DeltaUNetHead:
    """Final block, where there is one, and one head, for differences.

    Args:
        trunk: with its parameters in the reference's number format.
        head: which head.
        tracks: its columns, or None for all.
        delta: number format of differences.
    """

    def __init__(
        self,
        trunk: UNetTrunk,
        head: str,
        tracks: Tensor | None,
        delta: torch.dtype,
    ) -> None:
        self._bins = trunk.geometry.bins
        self._final: tuple[RowNorm, RowConvolution] | None = None
        if trunk.final_norm is not None and trunk.final_conv is not None:
            norm = RowNorm.of(trunk.final_norm)
            self._final = norm, RowConvolution(trunk.final_conv, delta)
        self._head = head_columns(trunk.heads[head], tracks)
        weight, _ = self._head
        parts = weight.split(tracks_together(self._bins))
        self._d_head = [LinearDifference(part, delta) for part in parts]

    def read(self, bins: range) -> Read:
        """The bins that are needed for some, counted from the first that is predicted."""
        reach = 0 if self._final is None else self._final[1].reach
        # the final convolution sees zeros beyond the predicted bins: what was cropped is not there any more
        return Read.of(bins, reach=reach, length=self._bins)

    def reference(self, read: Read, x: Rows) -> UNetHeadReference:
        """The reference's activations from the bins that are read."""
        normed = None
        final = x
        if self._final is not None:
            norm, conv = self._final
            normed = norm(x)
            final = conv(read.padded(tanh_gelu(normed)))
        logits = linear(tanh_gelu(final), *self._head)
        return UNetHeadReference(read, normed, final, logits, functional.softplus(logits))

    def difference(self, reference: UNetHeadReference, d: Rows) -> Profile:
        """The change of one alt's prediction, from that of the bins that are read.

        In float64 where some prediction vanishes: see `layer_rules.exact_where_it_vanishes`.
        """
        if self._final is not None:
            assert reference.normed is not None
            norm, conv = self._final
            active = tanh_gelu_difference(reference.normed, norm.difference(d))
            d = conv.difference(reference.read.padded(active))
        embedded = tanh_gelu_difference(reference.final, d)
        if len(self._d_head) == 1:
            return self._of_tracks(reference, 0, embedded)
        difference = torch.empty_like(reference.prediction)
        first = 0
        for part in range(len(self._d_head)):
            of_part = self._of_tracks(reference, part, embedded)
            # one part in float64 makes all of it so
            both = torch.promote_types(difference.dtype, of_part.dtype)
            difference = difference.to(both)
            difference[:, first : first + of_part.shape[1]] = of_part
            first += of_part.shape[1]
        return difference

    def _of_tracks(
        self,
        reference: UNetHeadReference,
        part: int,
        embedded: Float[Tensor, "bins embedding"],
    ) -> Float[Tensor, "bins some_tracks"]:
        """`difference` of the tracks of one part."""
        together = tracks_together(self._bins)
        some = slice(part * together, (part + 1) * together)
        x = reference.logits[:, some]
        d = self._d_head[part](embedded).to(embedded.dtype)
        difference = softplus_difference(x, d)
        return exact_where_it_vanishes(reference.prediction[:, some], x, d, difference)


def tracks_together(bins: int) -> int:
    """Tracks of a step, where profiles have so many bins."""
    # 16,352 bins: 512 tracks
    whole = NUMBERS_TOGETHER // bins // ALIGNED_OUTPUTS * ALIGNED_OUTPUTS
    return max(ALIGNED_OUTPUTS, whole)
