"""A trunk with doublings, with the reference and differences side by side: layers of attention, doublings, a head.

Of each only the positions are carried that the asked bins need. Does not know windows or files.
"""

from collections.abc import Iterator, Sequence

from jaxtyping import Float
from torch import Tensor

from enformer_core.models.blocks import UNetTrunk
from enformer_core.models.token_rows import RowLayout, SkipPart
from enformer_core.scoring.delta.attention_layers import DeltaLayers
from enformer_core.scoring.delta.doubling import DeltaDoubling, DoublingReference, Piece
from enformer_core.scoring.delta.row_rules import Rows
from enformer_core.scoring.delta.unet_head import DeltaUNetHead, UNetHeadReference
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.statistics import Profile

TokenRows = Float[Tensor, "tokens width"]
"""Of each token its channels, and behind them what the tower had at its place for each doubling."""


class DeltaUNet:
    """Layers of attention, doublings, final block and one head, for differences.

    Args:
        trunk: with its parameters in the reference's number format.
        head: which head.
        tracks: its columns, or None for all.
        arithmetic: number formats.
    """

    def __init__(
        self,
        trunk: UNetTrunk,
        head: str,
        tracks: Tensor | None,
        arithmetic: Arithmetic,
    ) -> None:
        self._geometry = trunk.geometry
        self._layout = layout_of(trunk)
        self._layers = DeltaLayers(trunk.layers, trunk.geometry.tokens, arithmetic.delta)
        self._doublings = [DeltaDoubling(block, arithmetic.delta) for block in trunk.doublings]
        self._head = DeltaUNetHead(trunk, head, tracks, arithmetic.delta)

    def propagate(
        self,
        x: TokenRows,
        d: Float[Tensor, "alts tokens width"],
        bins: range,
    ) -> tuple[Profile, Iterator[Profile]]:
        """Carry reference and differences to the predictions; see `delta_model.Trunk`. d may be overwritten."""
        read = self._head.read(bins)
        crop = self._geometry.crop_bins
        outputs = range(crop + read.inputs.start, crop + read.inputs.stop)
        pieces = self._pieces(outputs)
        kept = pieces[0].incoming if pieces else outputs
        # copies, for the layers write over what they get, and read it many times
        tokens = self._layout.tokens(x).contiguous()
        d_tokens = self._layout.tokens(d).contiguous()
        rows, d_kept = self._layers.propagate(tokens, d_tokens, kept)
        doublings: list[DoublingReference] = []
        for number, (doubling, piece) in enumerate(zip(self._doublings, pieces, strict=True)):
            skip = self._skip(x, number, piece)
            of_doubling, rows = doubling.propagate(piece, rows, skip)
            doublings.append(of_doubling)
        of_head = self._head.reference(read, rows)
        # a generator: one alt's bins at a time
        differences = (
            self._difference(doublings, of_head, of_alt, of_tokens)
            for of_alt, of_tokens in zip(d, d_kept, strict=True)
        )
        return of_head.prediction, differences

    def _difference(
        self,
        doublings: Sequence[DoublingReference],
        of_head: UNetHeadReference,
        d: TokenRows,
        d_kept: Rows,
    ) -> Profile:
        """The change of one alt's prediction, from its rows and from what the layers made of its tokens."""
        rows = d_kept
        for number, (doubling, reference) in enumerate(
            zip(self._doublings, doublings, strict=True)
        ):
            skip = self._skip(d, number, reference.piece)
            rows = doubling.difference(reference, rows, skip)
        return self._head.difference(of_head, rows)

    def _pieces(self, outputs: range) -> list[Piece]:
        """The positions that each doubling carries, for some behind the last."""
        pieces: list[Piece] = []
        for number in reversed(range(len(self._doublings))):
            length = self._geometry.tokens << (number + 1)
            reach = self._doublings[number].reach
            piece = Piece.of(outputs, reach=reach, length=length)
            outputs = piece.incoming
            pieces.append(piece)
        return pieces[::-1]

    def _skip(self, rows: TokenRows, number: int, piece: Piece) -> Float[Tensor, "summed skipped"]:
        """What the doubling of that number adds, where it is summed."""
        per_token = self._layout.skips[number].per_token
        summed = piece.read.inputs
        first = summed.start // per_token
        last = -(-summed.stop // per_token)
        skip = self._layout.skip(rows[first:last], number)
        begin = summed.start - first * per_token
        return skip[begin : begin + len(summed)]


def layout_of(trunk: UNetTrunk) -> RowLayout:
    """What a token's row holds: its channels, and for the n-th doubling 2ⁿ⁺¹ positions."""
    skips = tuple(
        SkipPart(per_token=2 << number, channels=doubling.skip_norm.num_features)
        for number, doubling in enumerate(trunk.doublings)
    )
    return RowLayout(trunk.layers[0].up.in_features, skips)
