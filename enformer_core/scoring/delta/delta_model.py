"""A model taken apart for scoring by differences: a tower that sees its surroundings, and a trunk that mixes far.

The only place that knows which trunk belongs to which model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from enformer_core.models.base import SequenceModel
from enformer_core.models.basenji2 import Basenji2
from enformer_core.models.enformer import Enformer
from enformer_core.models.geometry import Geometry
from enformer_core.scoring.delta.dilated import DeltaDilated
from enformer_core.scoring.delta.tower import Tower
from enformer_core.scoring.delta.tower_levels import levels_of
from enformer_core.scoring.delta.transformer import DeltaTransformer
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
            x: the reference's tokens.
            d: the alts' differences from them; may be overwritten.
            bins: the output bins that are asked for.

        Returns:
            The reference's prediction in those bins; and one by one, made when asked for, the difference of each alt's.
        """
        ...


@dataclass(frozen=True)
class DeltaNetwork:
    """A model ready to be scored by differences.

    Attributes:
        geometry: the model's.
        tower: letters to tokens.
        trunk: tokens to predictions.
        arithmetic: number formats.
    """

    geometry: Geometry
    tower: Tower
    trunk: Trunk
    arithmetic: Arithmetic


def delta_network(
    model: SequenceModel,
    head: str,
    tracks: tuple[int, ...] | None,
    *,
    device: torch.device,
    arithmetic: Arithmetic,
) -> DeltaNetwork:
    """Take a model apart.

    Args:
        model: on `device`, its parameters in `arithmetic.reference`.
        head: which head is asked for.
        tracks: columns of the head, or None for all.
        device: where it computes.
        arithmetic: number formats.

    Raises:
        TypeError: for a model without rules for differences.
    """
    index = None if tracks is None else torch.tensor(tracks, device=device)
    trunk: Trunk
    with inference_in_true_float32():
        tower = Tower(levels_of(model), model.geometry.bin_bp, device, arithmetic.reference)
        if isinstance(model, Enformer):
            trunk = DeltaTransformer(model, head, index, arithmetic)
        elif isinstance(model, Basenji2):
            trunk = DeltaDilated(model, head, index, arithmetic)
        else:
            raise TypeError(f"{type(model).__name__} has no rules for differences")
    return DeltaNetwork(model.geometry, tower, trunk, arithmetic)
