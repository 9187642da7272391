"""What a reader of weights gives: tensors under our names, and what became of each of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

ALIAS = "alias"
COUNTER = "counter of batches"
TRAINING = "for training only"


@dataclass(frozen=True)
class Reading:
    """The content of one source of weights.

    Attributes:
        state: tensors by our parameter names.
        names: our name by theirs, one for each tensor of `state`.
        left_out: their names of what is not needed, with the reason: `ALIAS`, `COUNTER` or `TRAINING`.
    """

    state: dict[str, Tensor]
    names: Mapping[str, str]
    left_out: Mapping[str, str] = field(default_factory=dict)
