"""The transformer of Enformer with the reference and differences side by side: its layers, its final block and a head.

Does not know windows or files.
"""

from collections.abc import Iterator

from torch import Tensor

from enformer_core.models.blocks import TransformerTrunk
from enformer_core.scoring.delta.attention_block import Differences, Tokens
from enformer_core.scoring.delta.attention_layers import DeltaLayers
from enformer_core.scoring.delta.transformer_head import DeltaHead
from enformer_core.scoring.precision import Arithmetic
from enformer_core.scoring.statistics import Profile


class DeltaTransformer:
    """Transformer, final block and one head, for differences.

    Args:
        trunk: with its parameters in the reference's number format.
        head: which head.
        tracks: its columns, or None for all.
        arithmetic: number formats.
    """

    def __init__(
        self,
        trunk: TransformerTrunk,
        head: str,
        tracks: Tensor | None,
        arithmetic: Arithmetic,
    ) -> None:
        self._crop = trunk.geometry.crop_tokens
        self._layers = DeltaLayers(trunk.layers, trunk.geometry.tokens, arithmetic.delta)
        self._head = DeltaHead(trunk, head, tracks, arithmetic.delta)

    def propagate(
        self,
        x: Tokens,
        d: Differences,
        bins: range,
    ) -> tuple[Profile, Iterator[Profile]]:
        """Carry reference and differences to the predictions; see `delta_model.Trunk`. d is overwritten."""
        kept = range(self._crop + bins.start, self._crop + bins.stop)
        x, d = self._layers.propagate(x, d, kept)
        reference = self._head.reference(x)
        # a generator: one alt's bins × tracks at a time
        differences = (self._head.difference(reference, of_alt) for of_alt in d)
        return reference.prediction, differences
