"""A model taken apart for scoring by differences: a tower that sees its surroundings, and a trunk that mixes far.

Knows no model: each says of which blocks it is built, and here each type of block has its rule. A rule for a trunk of
another type is registered by `@trunk_of.register(TheBlock)`, one for a level of the tower in `tower_levels`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.models.base import SequenceModel
from enformer_core.models.blocks import DilatedTrunk, TransformerTrunk, UNetTrunk
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.delta.dilated import DeltaDilated
from enformer_core.scoring.delta.strand_columns import StrandColumns
from enformer_core.scoring.delta.tower import Tower
from enformer_core.scoring.delta.tower_levels import blocks_of, levels_of
from enformer_core.scoring.delta.transformer import DeltaTransformer
from enformer_core.scoring.delta.unet import DeltaUNet
from enformer_core.scoring.precision import Arithmetic, inference_in_true_float32


@runtime_checkable
class Trunk(Protocol):
    """What follows the tower, for one window and its alts."""

    def propagate(
        self,
        x: Float[Tensor, "tokens channels"],
        d: Float[Tensor, "alts tokens channels"],
        bins: range,
    ) -> tuple[Float[Tensor, "bins tracks"], Iterator[Float[Tensor, "bins tracks"]]]:
        """Carry reference and differences to the predictions.

        Args:
            x: the reference's tokens, with what the trunk adds later behind each.
            d: the alts' differences from them; may be overwritten.
            bins: the output bins that are asked for.

        Returns:
            The reference's prediction in those bins; and one by one, made when asked for, the difference of each alt's,
            in float64 where a float32 one would leave nothing of what a prediction falls to.
        """
        ...


@singledispatch
def trunk_of(
    block: object,
    head: str,
    tracks: Tensor | None,
    arithmetic: Arithmetic,
) -> Trunk:
    """The rules of a model's trunk with one head, its weights prepared; call it in inference mode.

    Args:
        block: the trunk, with its parameters in `arithmetic.reference`.
        head: which head is asked for.
        tracks: columns of the head, or None for all.
        arithmetic: number formats.

    Raises:
        TypeError: for a type of block without a rule.
    """
    del head, tracks, arithmetic
    raise TypeError(f"{type(block).__name__} has no rules for differences")


@trunk_of.register(TransformerTrunk)
def _transformer(
    block: TransformerTrunk,
    head: str,
    tracks: Tensor | None,
    arithmetic: Arithmetic,
) -> Trunk:
    return DeltaTransformer(block, head, tracks, arithmetic)


@trunk_of.register(DilatedTrunk)
def _dilated(
    block: DilatedTrunk,
    head: str,
    tracks: Tensor | None,
    arithmetic: Arithmetic,
) -> Trunk:
    return DeltaDilated(block, head, tracks, arithmetic)


@trunk_of.register(UNetTrunk)
def _unet(
    block: UNetTrunk,
    head: str,
    tracks: Tensor | None,
    arithmetic: Arithmetic,
) -> Trunk:
    return DeltaUNet(block, head, tracks, arithmetic)


@dataclass(frozen=True)
class DeltaNetwork:
    """A model ready to be scored by differences.

    Attributes:
        geometry: the model's.
        tower: letters to tokens.
        trunk: tokens to predictions.
        arithmetic: number formats.
        columns: what the trunk computes, and where each track is in it.
    """

    geometry: Geometry
    tower: Tower
    trunk: Trunk
    arithmetic: Arithmetic
    columns: StrandColumns = field(default_factory=StrandColumns)


def delta_network(
    model: SequenceModel,
    head: str,
    tracks: tuple[int, ...] | None,
    *,
    device: torch.device,
    arithmetic: Arithmetic,
    strand_pairs: tuple[int, ...] | None = None,
) -> DeltaNetwork:
    """Take a model apart.

    Args:
        model: on `device`, its parameters in `arithmetic.reference`.
        head: which head is asked for.
        tracks: columns of the head, or None for all.
        device: where it computes.
        arithmetic: number formats.
        strand_pairs: of each track the column in which a reverse complement has it; None where strands are alike, or
            no window is read backwards.

    Raises:
        TypeError: for a model that does not say how it is built, or has blocks without a rule.
    """
    columns = StrandColumns.of(tracks, strand_pairs, device)
    computed = columns.computed
    index = None if computed is None else torch.tensor(computed, device=device)
    # Weights are scaled and joined here once, in the arithmetic in which they are used later.
    with inference_in_true_float32():
        blocks = blocks_of(model)
        tower = Tower(
            levels_of(model),
            model.geometry.token_bp,
            device,
            arithmetic.reference,
            skip_levels=blocks.skip_levels,
        )
        trunk = trunk_of(blocks.trunk, head, index, arithmetic)
    return DeltaNetwork(model.geometry, tower, trunk, arithmetic, columns)
