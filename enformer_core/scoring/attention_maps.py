"""Attention between all tokens of a window, in each layer: the mean over heads and strands. Loads torch."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from enformer_core.genome.alphabet import Codes, reverse_complement
from enformer_core.models.base import Network
from enformer_core.models.layers import one_hot
from enformer_core.scoring.conventions import Strands
from enformer_core.scoring.precision import inference_in_true_float32
from enformer_core.scoring.sent import sent_to
from enformer_core.scoring.watched_attention import Weights, watched_attention

LayerMaps = Float32[np.ndarray, "layers looking seen"]


@dataclass(frozen=True)
class AttentionMapper:
    """Reads the attention of a network.

    Attributes:
        network: on `device`, for inference.
        device: where it computes.
        strands: `both` averages with the map of the reverse complement, turned back.
    """

    network: Network
    device: torch.device
    strands: Strands

    def maps(self, codes: Codes) -> LayerMaps:
        """The map of each layer: a row for each token that looks, a column for each that is seen.

        Args:
            codes: of a whole window.
        """
        maps = self._strand(codes)
        if self.strands == "both":
            # tokens are read from the end, those that look and those that are seen
            turned = self._strand(reverse_complement(codes)).flip(1, 2)
            maps = (maps + turned) / 2
        return maps.cpu().numpy()

    def _strand(self, codes: Codes) -> Float[Tensor, "layers looking seen"]:
        sequence = sent_to(self.device, codes)[None]
        every_token = range(self.network.geometry.tokens)
        with (
            inference_in_true_float32(),
            watched_attention(self.network, every_token, _mean_over_heads) as maps,
        ):
            self.network.embed(one_hot(sequence, torch.float32))
        return torch.stack(maps)


def _mean_over_heads(weights: Weights) -> Tensor:
    return weights.mean(dim=0)
