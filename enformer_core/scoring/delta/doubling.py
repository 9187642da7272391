"""A doubling of the length with the reference and differences side by side: two paths, their sum, a convolution.

What comes from below differs everywhere, what the skip adds only where the tower was touched. Does not know windows.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from enformer_core.models.blocks import Doubling
from enformer_core.models.layers import tanh_gelu
from enformer_core.scoring.delta.layer_rules import tanh_gelu_difference
from enformer_core.scoring.delta.matmul import LinearDifference, apply_linear, linear
from enformer_core.scoring.delta.row_rules import Depthwise, Mixed, Outputs, Read, RowNorm, Rows
from enformer_core.scoring.delta.spans import as_slice


@dataclass(frozen=True)
class Piece:
    """The positions that a doubling carries.

    Attributes:
        incoming: of what is doubled.
        read: of the sum, by the convolution.
    """

    incoming: range
    read: Read

    @classmethod
    def of(cls, outputs: range, *, reach: int, length: int) -> "Piece":
        """Of outputs of a sequence of so many positions, twice as many as there were."""
        read = Read.of(outputs, reach=reach, length=length)
        # a sum of 3 … 8 has the positions 1 … 4 of what is doubled, of the first and the last only half
        return cls(range(read.inputs.start // 2, -(-read.inputs.stop // 2)), read)

    def doubled(self, rows: Rows) -> Float[Tensor, "summed channels"]:
        """Each incoming row twice, as many as are summed."""
        first = self.read.inputs.start - 2 * self.incoming.start
        # a b becomes a a b b
        return rows.repeat_interleave(2, dim=0)[first : first + len(self.read.inputs)]


class Path:
    """BatchNorm, GELU and a dense layer where there is one: either way into a doubling."""

    def __init__(self, norm: nn.BatchNorm1d, dense: nn.Linear | None, delta: torch.dtype) -> None:
        self.norm = RowNorm.of(norm)
        self._dense = dense
        self._d_dense = None if dense is None else LinearDifference(dense.weight, delta)

    def __call__(self, normed: Rows) -> Mixed:
        """What the path gives, from the normed rows."""
        active = tanh_gelu(normed)
        return active if self._dense is None else apply_linear(self._dense, active)

    def difference(self, normed: Rows, d: Rows) -> Mixed:
        """Change of what it gives when what is normed changes by d."""
        active = tanh_gelu_difference(normed, self.norm.difference(d))
        return active if self._d_dense is None else self._d_dense(active).to(d.dtype)


@dataclass(frozen=True)
class DoublingReference:
    """The reference in a doubling, as far as differences need it.

    Attributes:
        piece: which positions.
        incoming: normed rows of what is doubled.
        skip: normed rows of what is added.
    """

    piece: Piece
    incoming: Rows
    skip: Float[Tensor, "summed skipped"]


class DeltaDoubling:
    """One doubling, for differences.

    Args:
        block: with its parameters in the reference's number format.
        delta: number format of differences.
    """

    def __init__(self, block: Doubling, delta: torch.dtype) -> None:
        self._incoming = Path(block.incoming_norm, block.incoming_dense, delta)
        self._skip = Path(block.skip_norm, block.skip_dense, delta)
        self._depthwise = Depthwise(block.separable.depthwise)
        pointwise = block.separable.pointwise
        self._pointwise = pointwise.weight[..., 0]
        self._bias = pointwise.bias
        self._d_pointwise = LinearDifference(self._pointwise, delta)

    @property
    def reach(self) -> int:
        """How far the convolution sees to either side, in positions of the doubled sequence."""
        return self._depthwise.reach

    def propagate(
        self, piece: Piece, x: Rows, skip: Float[Tensor, "summed skipped"]
    ) -> tuple[DoublingReference, Outputs]:
        """The reference through the doubling.

        Args:
            piece: which positions.
            x: the rows that are doubled, `piece.incoming`.
            skip: the rows that are added, `piece.read.inputs`.
        """
        reference = DoublingReference(piece, self._incoming.norm(x), self._skip.norm(skip))
        total = piece.doubled(self._incoming(reference.incoming))
        total += self._skip(reference.skip)
        convolved = self._depthwise(piece.read.padded(total))
        return reference, linear(convolved, self._pointwise, self._bias)

    def difference(
        self, reference: DoublingReference, d: Rows, d_skip: Float[Tensor, "summed skipped"]
    ) -> Outputs:
        """One alt's change of what the doubling gives, from that of either path."""
        piece = reference.piece
        total = piece.doubled(self._incoming.difference(reference.incoming, d))
        if touched := touched_run(d_skip):
            rows = as_slice(touched)
            total[rows] += self._skip.difference(reference.skip[rows], d_skip[rows])
        convolved = self._depthwise(piece.read.padded(total))
        return self._d_pointwise(convolved).to(d.dtype)


def touched_run(d: Rows) -> range:
    """The rows from the first to the last that is not zero; none where all are."""
    touched = d.any(dim=-1).nonzero().flatten()
    return range(int(touched[0]), int(touched[-1]) + 1) if len(touched) else range(0)
