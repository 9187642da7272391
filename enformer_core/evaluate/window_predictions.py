"""A model asked for whole windows of bases, as they are; loads torch when it is asked.

No engine of differences: any model that reads letters and predicts bins can be asked so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8

from enformer_core.errors import InputError
from enformer_core.genome.alphabet import reverse_complement

if TYPE_CHECKING:
    import torch

    from enformer_core.models.base import SequenceModel

Codes = UInt8[np.ndarray, " window"]

Profile = Float32[np.ndarray, "bins tracks"]


@dataclass(frozen=True)
class WindowPredictor:
    """Predicts windows one after another.

    Attributes:
        network: the model, in float32.
        head: which.
        tracks: columns of the head.
        device: where the model is.
        opposite: for both strands, the column that each track is on the other strand; None for the forward one alone.
    """

    network: "SequenceModel"
    head: str
    tracks: tuple[int, ...]
    device: "torch.device"
    opposite: tuple[int, ...] | None = None

    def predict(self, codes: Codes) -> Profile:
        """All bins of a window, averaged over the strands that are asked for.

        Raises:
            InputError: where a prediction is not finite.
        """
        profile = self._strand(codes, self.tracks)
        if self.opposite is not None:
            backwards = self._strand(reverse_complement(codes), self.opposite)
            # its first bin is the last along the chromosome
            both = profile.astype(np.float64) + backwards[::-1]
            profile = (both / 2).astype(np.float32)
        if not np.isfinite(profile).all():
            raise InputError(
                "the model predicts what is no finite number. Are the weights of this model?"
            )
        return profile

    def _strand(self, codes: Codes, tracks: Sequence[int]) -> Profile:
        import torch  # noqa: PLC0415

        from enformer_core.models.layers import one_hot  # noqa: PLC0415
        from enformer_core.scoring.precision import inference_in_true_float32  # noqa: PLC0415

        letters = torch.tensor(codes, device=self.device)[None]
        columns = torch.tensor(tracks, dtype=torch.int64, device=self.device)
        with inference_in_true_float32():
            prediction = self.network(one_hot(letters, torch.float32), self.head, columns)
        profile: Profile = prediction[0].cpu().numpy()
        return profile
