"""What scoring asks of a model."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from enformer_core.models.geometry import Geometry


@runtime_checkable
class SequenceModel(Protocol):
    """One-hot sequence in, non-negative predictions per bin and track out."""

    @property
    def geometry(self) -> Geometry:
        """The window that is read and the bins that are predicted."""
        ...

    def __call__(
        self,
        one_hot: Float[Tensor, "batch length 4"],
        head: str,
        tracks: Int[Tensor, " tracks"] | None = None,
    ) -> Float[Tensor, "batch bins tracks"]:
        """Predict one head: all of its tracks, or those indexed, in that order."""
        ...
