"""What a source of weights comes to, whatever its format: tensors under our names, and what became of the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # whoever only plans or reads runs needs no torch

ALIAS = "alias"

COUNTER = "counter of batches"

TRAINING = "for training only"

DERIVED = "follows from the sizes"

BATCH_COUNTER = "num_batches_tracked"
"""How names end of BatchNorm's counters of training steps: inference never reads them, and some files lack them."""


@dataclass(frozen=True)
class LoadedWeights:
    """The content of one source of weights.

    Attributes:
        state: tensors by the names of our attributes.
        names: our name by theirs, one for each tensor of `state`.
        left_out: their names of what is not needed, with the reason: `ALIAS`, `COUNTER`, `TRAINING` or `DERIVED`.
    """

    state: dict[str, Tensor]
    names: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
