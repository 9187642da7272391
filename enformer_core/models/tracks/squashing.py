"""Tracks that a model was trained to predict on a squashed scale, and their predictions brought back from it.

Source: calico/baskerville, dataset.py:378-440 (`untransform_preds`, `untransform_preds1`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jaxtyping import Float

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any  # whoever only reads tables needs no torch

Form = Literal["new", "old"]
"""`old`: of the published Borzoi, with powers of 3/4 and scaled last; `new`: of what was trained since, with roots."""


SUM_STATS = ("sum", "mean", "sum_sqrt", "mean_sqrt")
"""Ways to sum bases to bins whose reverse is known: those of the published tables, and the mean with a root."""


@dataclass(frozen=True)
class Squashing:
    """How a track's data were squashed for training.

    Attributes:
        clip_soft: above it, a square root was taken of what exceeds it; None where nothing was.
        scale: what they were multiplied by.
        sum_stat: how bases were summed to bins; a root was taken of each where it ends in `_sqrt`.
    """

    clip_soft: float | None = None
    scale: float = 1.0
    sum_stat: str = "sum"

    @property
    def rooted(self) -> bool:
        """Whether a root, or in the old form a power of 3/4, was taken of each bin."""
        return self.sum_stat.endswith("_sqrt")


def unsquashed(
    predictions: Float[Tensor, "*batch tracks"],
    squashings: Sequence[Squashing],
    form: Form = "new",
) -> Float[Tensor, "*batch tracks"]:
    """Predictions with roots and soft clips undone; what data were multiplied by stays.

    Args:
        predictions: non-negative.
        squashings: of each track.
        form: of the transform.
    """
    import torch  # noqa: PLC0415

    def of_tracks(values: list[float]) -> Float[Tensor, " tracks"]:
        return torch.tensor(values, dtype=predictions.dtype, device=predictions.device)

    clip = of_tracks(
        [float("inf") if one.clip_soft is None else one.clip_soft for one in squashings]
    )
    rooted = torch.tensor([one.rooted for one in squashings], device=predictions.device)
    scale = of_tracks([one.scale for one in squashings])
    # Where nothing is clipped, the square would be of an infinity: it is taken of zero.
    if form == "old":
        x = predictions / scale
        excess = (x - clip).clamp(min=0)
        x = torch.minimum(x, clip) + excess**2
        # a power of a negative base is NaN, and so would be its gradient where it is not taken
        x = torch.where(rooted, x.clamp(min=0) ** (4 / 3), x)
        return x * scale
    # c - 1 + (x - c + 1)^2 with e = x - c is c + 2 e + e^2
    excess = (predictions - clip).clamp(min=0)
    x = torch.minimum(predictions, clip) + 2 * excess + excess**2
    # (x + 1)^2 - 1, without losing the digits of a small x
    return torch.where(rooted, x * (x + 2), x)
